//! Names of members as messages show them.

/// Bytes of a name that are shown.
pub(crate) const SHOWN: usize = 200;

/// A hostile name, cut and with what can't be shown replaced.
pub fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name.get(..SHOWN).unwrap_or(name)).into_owned()
}
