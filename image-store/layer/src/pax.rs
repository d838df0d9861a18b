//! Extended header records of POSIX.1-2001 (pax).

use std::collections::BTreeMap;

use super::member::{Segment, Time};

/// What one extended header says about the member that follows it.
#[derive(Debug, Default)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link_path: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) mtime: Option<Time>,
    /// Only those that a layer may set.
    pub(super) xattrs: BTreeMap<String, Vec<u8>>,
    pub(super) sparse: PaxSparse,
}

/// GNU tar's records about holes, in its three versions.
#[derive(Debug, Default)]
pub(super) struct PaxSparse {
    /// The map is in the records (0.0 and 0.1).
    pub(super) segments: Option<Vec<Segment>>,
    /// The map is at the beginning of the data (1.0).
    pub(super) map_in_data: bool,
    pub(super) name: Option<Vec<u8>>,
    pub(super) real_size: Option<u64>,
    offset: Option<u64>,
}

impl PaxSparse {
    /// Whether the member is sparse at all.
    pub(super) fn is_some(&self) -> bool {
        self.map_in_data || self.segments.is_some()
    }

    /// Whether there are records of sparse files, though they tell no map.
    pub(super) fn is_without_map(&self) -> bool {
        !self.is_some() && (self.name.is_some() || self.real_size.is_some())
    }
}

/// Parses the records; of two with the same key the later counts, as the standard says.
pub(super) fn parse(mut records: &[u8]) -> Result<Pax, String> {
    let mut pax = Pax::default();
    // Trailing NULs are written by some.
    while records.first().is_some_and(|byte| *byte != 0) {
        let space = records
            .iter()
            .take(12)
            .position(|byte| *byte == b' ')
            .ok_or("a PAX record has no length")?;
        let (digits, _) = records.split_at(space);
        let length = number(digits).ok_or("a PAX record has no length")?;
        let length = usize::try_from(length).map_err(|_| "a PAX record is too long")?;
        if length > records.len() || length < space + 2 {
            return Err("the length of a PAX record is wrong".to_owned());
        }
        let (record, rest) = records.split_at(length);
        records = rest;
        let record = record.get(space + 1..).unwrap_or_default();
        let Some((b'\n', record)) = record.split_last() else {
            return Err("a PAX record has no end".to_owned());
        };
        let equals = record
            .iter()
            .position(|byte| *byte == b'=')
            .ok_or("a PAX record has no \"=\"")?;
        let (key, value) = record.split_at(equals);
        pax.record(key, value.get(1..).unwrap_or_default())?;
    }
    Ok(pax)
}

impl Pax {
    /// Whether it says what is in the archive, and not only how it looks.
    pub(super) fn is_structural(&self) -> bool {
        self.path.is_some()
            || self.link_path.is_some()
            || self.size.is_some()
            || self.sparse.is_some()
            || self.sparse.is_without_map()
    }

    /// Bytes of names and values of the extended attributes.
    pub(super) fn xattr_bytes(&self) -> u64 {
        self.xattrs
            .iter()
            .map(|(name, value)| (name.len() + value.len()) as u64)
            .sum()
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let number = || {
            number(value).ok_or_else(|| {
                format!(
                    "PAX record {} is not a number",
                    String::from_utf8_lossy(key)
                )
            })
        };
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link_path = Some(value.to_vec()),
            b"size" => self.size = Some(number()?),
            b"uid" => self.uid = Some(number()?),
            b"gid" => self.gid = Some(number()?),
            b"mtime" => self.mtime = Some(time(value).ok_or("PAX mtime is not a time")?),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => {
                self.sparse.real_size = Some(number()?);
            }
            b"GNU.sparse.name" => self.sparse.name = Some(value.to_vec()),
            b"GNU.sparse.major" => {
                let major = number()?;
                if major > 1 {
                    return Err(format!("sparse format {major} is unknown"));
                }
                self.sparse.map_in_data = major == 1;
            }
            b"GNU.sparse.offset" => self.sparse.offset = Some(number()?),
            b"GNU.sparse.numbytes" => {
                let length = number()?;
                let offset = self
                    .sparse
                    .offset
                    .take()
                    .ok_or("sparse length without offset")?;
                let segments = self.sparse.segments.get_or_insert_default();
                segments.push(Segment { offset, length });
            }
            b"GNU.sparse.numblocks" => {
                self.sparse.segments.get_or_insert_default();
            }
            b"GNU.sparse.map" => self.sparse.segments = Some(map(value)?),
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    self.xattr(name, value)?;
                }
            }
        }
        Ok(())
    }

    /// Keeps an extended attribute if a layer may set it. The overlay ones would forge whiteouts
    /// and redirects; other `security.*` and `system.*` ones belong to the host's policy.
    fn xattr(&mut self, name: &[u8], value: &[u8]) -> Result<(), String> {
        let Ok(name) = std::str::from_utf8(name) else {
            return Ok(());
        };
        let allowed = name == "security.capability"
            || (name.starts_with("user.") && !name.starts_with("user.overlay."));
        if !allowed || name.contains('\0') {
            return Ok(());
        }
        if name.len() > 255 || value.len() > 64 << 10 {
            return Err("an extended attribute is larger than the kernel accepts".to_owned());
        }
        self.xattrs.insert(name.to_owned(), value.to_vec());
        Ok(())
    }
}

/// `offset,length,offset,length,…` of version 0.1.
fn map(value: &[u8]) -> Result<Vec<Segment>, String> {
    let mut segments = Vec::new();
    let mut numbers = value
        .split(|byte| *byte == b',')
        .filter(|part| !part.is_empty());
    while let Some(offset) = numbers.next() {
        let offset = number(offset).ok_or("sparse map is not a list of numbers")?;
        let length = numbers
            .next()
            .and_then(number)
            .ok_or("sparse map is not a list of numbers")?;
        segments.push(Segment { offset, length });
    }
    Ok(segments)
}

/// A decimal number with nothing around it.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 20 {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// `-1234.5678` as a time; digits beyond nanoseconds are dropped.
fn time(value: &[u8]) -> Option<Time> {
    let (negative, value) = match value.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, value),
    };
    let mut parts = value.splitn(2, |byte| *byte == b'.');
    let seconds = i64::try_from(number(parts.next()?)?).ok()?;
    let fraction = parts.next().unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let nanoseconds = fraction
        .iter()
        .copied()
        .chain(std::iter::repeat(b'0'))
        .take(9)
        .fold(0_u32, |sum, byte| sum * 10 + u32::from(byte - b'0'));
    Some(match (negative, nanoseconds) {
        (false, nanoseconds) => Time {
            seconds,
            nanoseconds,
        },
        (true, 0) => Time {
            seconds: -seconds,
            nanoseconds: 0,
        },
        (true, nanoseconds) => Time {
            seconds: -seconds - 1,
            nanoseconds: 1_000_000_000 - nanoseconds,
        },
    })
}

#[cfg(test)]
mod tests;
