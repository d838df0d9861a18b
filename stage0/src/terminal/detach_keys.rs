//! The keys that leave an app to itself, as docker and podman write them: `ctrl-p,ctrl-q`.

use std::str::FromStr;

/// A sequence of keys, and how much of it has been typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DetachKeys {
    keys: Vec<u8>,
    typed: usize,
}

/// What they are where nothing is said.
pub(crate) const USUAL: &str = "ctrl-p,ctrl-q";

impl DetachKeys {
    /// Gives what of this goes on to the app. What begins the sequence waits for what follows it.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut passed = Vec::with_capacity(bytes.len());
        for byte in bytes {
            if self.have_come() {
                break;
            }
            if self.keys.get(self.typed) == Some(byte) {
                self.typed += 1;
                continue;
            }
            // What waited goes on. It may end with the beginning of another one.
            let mut waited: Vec<u8> = self.keys.iter().take(self.typed).copied().collect();
            waited.push(*byte);
            let begins = |from: &usize| {
                let rest = waited.get(*from..).unwrap_or_default();
                self.keys.starts_with(rest)
            };
            let from = (1..waited.len()).find(begins).unwrap_or(waited.len());
            passed.extend(waited.iter().take(from));
            self.typed = waited.len() - from;
        }
        passed
    }

    /// Whether all of them have been typed.
    pub(crate) fn have_come(&self) -> bool {
        self.typed >= self.keys.len()
    }
}

impl FromStr for DetachKeys {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let key = |word: &str| match word.as_bytes() {
            [key] => Some(*key),
            [b'c', b't', b'r', b'l', b'-', key] => match key {
                b'@' => Some(0),
                b'a'..=b'z' | b'[' | b'\\' | b']' | b'^' | b'_' => Some(key & 0x1f),
                _ => None,
            },
            _ => None,
        };
        let keys: Option<Vec<u8>> = text.split(',').map(key).collect();
        match keys {
            Some(keys) => Ok(Self { keys, typed: 0 }),
            None => Err("write keys as ctrl-p,ctrl-q: characters, and ctrl- with one".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_as_elsewhere() {
        let keys = |text: &str| text.parse::<DetachKeys>().map(|keys| keys.keys);
        assert_eq!(keys(USUAL), Ok(vec![16, 17]));
        assert_eq!(keys("ctrl-@,x,ctrl-\\"), Ok(vec![0, b'x', 28]));
        for bad in ["", "ctrl-", "ctrl-P", "alt-x", "ctrl-p,", "xy"] {
            keys(bad).unwrap_err();
        }
    }

    #[test]
    fn what_only_looks_like_them_goes_on_and_is_no_less() {
        let mut keys: DetachKeys = "a,b,a,c".parse().unwrap();
        let mut passed = Vec::new();
        for byte in b"xababac-later" {
            passed.extend(keys.take(&[*byte]));
        }
        assert!(keys.have_come());
        assert_eq!(passed, b"xab");
        let mut keys: DetachKeys = USUAL.parse().unwrap();
        assert_eq!(keys.take(b"\x10x\x10\x10"), b"\x10x\x10");
        assert!(!keys.have_come());
        assert_eq!(keys.take(b"\x11rest"), b"");
        assert!(keys.have_come());
    }
}
