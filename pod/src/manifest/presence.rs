//! Which fields are written: those that say something.

/// Whether a value says no more than its absence would.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A field that is `true` where it is absent.
pub(super) fn yes() -> bool {
    true
}

/// Whether that field may be absent.
#[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde asks for
pub(super) fn is_yes(value: &bool) -> bool {
    *value
}
