//! What an app of a pod may say in the protocol of sd_notify(3).
//!
//! These words are understood, and no others: an app can't say who the service's main process is (`MAINPID`), leave
//! descriptors with the manager (`FDSTORE`), change who else may speak (`NOTIFYACCESS`), or give itself more time.

/// Longest datagram of an app, in bytes: as much as systemd takes from services.
pub const MESSAGE_MAX: usize = 4096;

/// What an app says of its state, the last of it if it says several things at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is ready.
    Ready,
    /// It reads its configuration again, and says when it is ready.
    Reloading,
    /// It begins to end.
    Stopping,
}

/// What an app says of whether it is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alive {
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// What an app says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppMessage {
    /// What has become of it.
    pub change: Option<Change>,
    /// When it began to read its configuration again, in microseconds of `CLOCK_MONOTONIC`.
    pub monotonic_usec: Option<u64>,
    /// What it does, for people.
    pub status: Option<String>,
    /// Whether it is alive.
    pub alive: Option<Alive>,
    /// Why it ends, as a number of errno(3).
    pub errno: Option<i32>,
}

impl AppMessage {
    /// Reads a datagram. What is not understood is left out.
    pub fn parse(datagram: &[u8]) -> Self {
        let mut message = Self::default();
        if datagram.len() > MESSAGE_MAX {
            return message;
        }
        for line in datagram.split(|byte| *byte == b'\n') {
            let Some(place) = line.iter().position(|byte| *byte == b'=') else {
                continue;
            };
            let (name, rest) = line.split_at(place);
            message.take(name, rest.get(1..).unwrap_or_default());
        }
        message
    }

    fn take(&mut self, name: &[u8], value: &[u8]) {
        let text = || std::str::from_utf8(value).ok();
        match (name, value) {
            (b"READY", b"1") => self.change = Some(Change::Ready),
            (b"RELOADING", b"1") => self.change = Some(Change::Reloading),
            (b"STOPPING", b"1") => self.change = Some(Change::Stopping),
            (b"WATCHDOG", b"1") => self.alive = Some(Alive::Yes),
            (b"WATCHDOG", b"trigger") => self.alive = Some(Alive::No),
            (b"STATUS", _) => self.status = Some(String::from_utf8_lossy(value).into_owned()),
            (b"ERRNO", _) => self.errno = text().and_then(|text| text.parse().ok()),
            (b"MONOTONIC_USEC", _) => {
                self.monotonic_usec = text().and_then(|text| text.parse().ok());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_that_are_allowed_are_understood() {
        let message = AppMessage::parse(b"READY=1\nSTATUS=up and well\nERRNO=2\nWATCHDOG=1\n");
        assert_eq!(
            message,
            AppMessage {
                change: Some(Change::Ready),
                status: Some("up and well".to_owned()),
                errno: Some(2),
                alive: Some(Alive::Yes),
                monotonic_usec: None,
            }
        );
        let message = AppMessage::parse(b"RELOADING=1\nMONOTONIC_USEC=17");
        assert_eq!(message.change, Some(Change::Reloading));
        assert_eq!(message.monotonic_usec, Some(17));
        let message = AppMessage::parse(b"STOPPING=1\nWATCHDOG=trigger");
        assert_eq!(
            (message.change, message.alive),
            (Some(Change::Stopping), Some(Alive::No))
        );
    }

    #[test]
    fn no_other_word_says_anything() {
        for text in [
            "MAINPID=1",
            "FDSTORE=1\nFDNAME=x",
            "FDSTOREREMOVE=1\nFDNAME=x",
            "NOTIFYACCESS=all",
            "EXTEND_TIMEOUT_USEC=99999999999",
            "WATCHDOG_USEC=1",
            "BARRIER=1",
            "READY=2",
            "READY",
            "=1",
            " READY=1",
            "ready=1",
            "",
        ] {
            assert_eq!(
                AppMessage::parse(text.as_bytes()),
                AppMessage::default(),
                "{text}"
            );
        }
        let long = [b"READY=1\n".as_slice(), &[b'x'; MESSAGE_MAX]].concat();
        assert_eq!(AppMessage::parse(&long), AppMessage::default());
    }

    #[test]
    fn what_was_said_last_counts() {
        let message = AppMessage::parse(b"RELOADING=1\nREADY=1\nSTATUS=a\nSTATUS=b");
        assert_eq!(message.change, Some(Change::Ready));
        assert_eq!(message.status.as_deref(), Some("b"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..6000)) {
            let message = AppMessage::parse(&bytes);
            prop_assert!(message.status.is_none_or(|status| status.len() <= 3 * MESSAGE_MAX));
        }
    }
}
