//! Names of devices: `vendor.com/class=name`.

use std::fmt;
use std::str::FromStr;

/// The name of a device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceName {
    /// `vendor.com/class`.
    kind: String,
    device: String,
}

/// Not the name of a device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a device, such as vendor.com/class=name")]
pub struct NotAName(String);

/// The longest name.
const LONGEST: usize = 512;

impl DeviceName {
    /// What it is a device of.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Which of them.
    pub fn device(&self) -> &str {
        &self.device
    }
}

impl FromStr for DeviceName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let refused = || NotAName(text.chars().take(80).collect());
        let (kind, device) = text.split_once('=').ok_or_else(refused)?;
        match text.len() <= LONGEST && is_kind(kind) && is_device(device) {
            true => Ok(Self {
                kind: kind.to_owned(),
                device: device.to_owned(),
            }),
            false => Err(refused()),
        }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.kind, self.device)
    }
}

/// A vendor, whose name looks like a domain's, and a class.
pub(super) fn is_kind(text: &str) -> bool {
    text.split_once('/').is_some_and(|(vendor, class)| {
        is_word(vendor, "_-.", u8::is_ascii_alphabetic)
            && is_word(class, "_-", u8::is_ascii_alphabetic)
    })
}

pub(super) fn is_device(text: &str) -> bool {
    is_word(text, "_-.:", u8::is_ascii_alphanumeric)
}

/// Letters, digits and some signs; the last is none of these, and the first is as told.
fn is_word(text: &str, signs: &str, first: fn(&u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    let is_of_it = |c: &u8| c.is_ascii_alphanumeric() || signs.as_bytes().contains(c);
    bytes.first().is_some_and(first)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(is_of_it)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_have_a_vendor_a_class_and_a_device() {
        for good in ["nvidia.com/gpu=all", "a/b=0", "v-1.x_y/c-d=1:0.g_h"] {
            let name: DeviceName = good.parse().unwrap();
            assert_eq!(name.to_string(), good);
        }
        for bad in [
            "", "a/b", "a=b", "/b=c", "a/=c", "a/b=", "1a/b=c", "a/b.c=d", "a./b=c", "a/b=-c",
            "a/b=c=d", "a/b/c=d", "a/b=c/d", "../b=c",
        ] {
            assert!(bad.parse::<DeviceName>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_as_it_was(text in ".{0,40}") {
            if let Ok(name) = text.parse::<DeviceName>() {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
