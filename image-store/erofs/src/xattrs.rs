//! Extended attributes as they follow an inode.

use std::collections::BTreeMap;

use crate::error::ErofsError;

/// What names begin with, and the number that stands for it.
const PREFIXES: [(&str, u8); 5] = [
    ("user.", 1),
    ("system.posix_acl_access", 2),
    ("system.posix_acl_default", 3),
    ("trusted.", 4),
    ("security.", 6),
];
/// Bytes before the first one.
const HEADER: usize = 12;
/// Each begins at a multiple of this, and so many bytes are counted as one.
const UNIT: usize = 4;

/// The extended attributes of one inode.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    pub(crate) bytes: Vec<u8>,
    /// What an inode says of them: 0 if there are none.
    pub(crate) count: u16,
}

/// Writes them one after the other.
pub(crate) fn encode(xattrs: &BTreeMap<String, Vec<u8>>) -> Result<Encoded, ErofsError> {
    if xattrs.is_empty() {
        return Ok(Encoded::default());
    }
    let mut bytes = vec![0; HEADER];
    for (name, value) in xattrs {
        let no_room = || ErofsError::Xattr(name.clone());
        let known = PREFIXES
            .iter()
            .find_map(|(prefix, number)| Some((name.strip_prefix(prefix)?, *number)));
        let (rest, number) = known.ok_or_else(no_room)?;
        bytes.push(u8::try_from(rest.len()).map_err(|_| no_room())?);
        bytes.push(number);
        let length = u16::try_from(value.len()).map_err(|_| no_room())?;
        bytes.extend(length.to_le_bytes());
        bytes.extend_from_slice(rest.as_bytes());
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(UNIT), 0);
        // The header counts as one.
        if u16::try_from((bytes.len() - HEADER) / UNIT + 1).is_err() {
            return Err(no_room());
        }
    }
    let count = (bytes.len() - HEADER) / UNIT + 1;
    Ok(Encoded {
        count: u16::try_from(count).unwrap_or(u16::MAX),
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(xattrs: &[(&str, &[u8])]) -> Result<Encoded, ErofsError> {
        let owned = xattrs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.to_vec()));
        encode(&owned.collect())
    }

    #[test]
    fn prefixes_are_numbers_and_everything_begins_at_four_bytes() {
        let found = encoded(&[("security.capability", b"12345"), ("user.a", b"")]).unwrap();
        let mut expected = vec![0; 12];
        expected.extend(b"\x0a\x06\x05\x00capability12345\0");
        expected.extend(b"\x01\x01\x00\x00a\0\0\0");
        assert_eq!(found.bytes, expected);
        assert_eq!(usize::from(found.count), (expected.len() - 12) / 4 + 1);
        assert_eq!(encoded(&[]).unwrap().count, 0);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let large = vec![0; 0x1_0000];
        let long = format!("user.{}", "x".repeat(256));
        for (name, value) in [
            ("user.large", large.as_slice()),
            (&long, b""),
            ("other.x", b""),
        ] {
            let error = encoded(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        // Each fits, and all together do not.
        let most = vec![0; 0xffff];
        let names: Vec<_> = (0..5).map(|number| format!("user.{number}")).collect();
        let all: Vec<_> = names
            .iter()
            .map(|name| (name.as_str(), most.as_slice()))
            .collect();
        assert!(encoded(&all[..3]).is_ok());
        assert!(encoded(&all).is_err());
    }
}
