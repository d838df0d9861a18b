//! Versions of the protocol, and how they are named.

use crate::websocket::Encoding;

/// What is spoken over SPDY.
pub const SPDY_PROTOCOLS: [&str; 4] = [
    "v4.channel.k8s.io",
    "v3.channel.k8s.io",
    "v2.channel.k8s.io",
    "channel.k8s.io",
];

/// What is spoken over WebSocket. Clients that name nothing speak the first version.
pub const WEBSOCKET_PROTOCOLS: [&str; 6] = [
    "",
    "channel.k8s.io",
    "base64.channel.k8s.io",
    "v4.channel.k8s.io",
    "v4.base64.channel.k8s.io",
    "v5.channel.k8s.io",
];

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// The end is told as text, and only if it is a failure.
    V1,
    /// As the first; over SPDY, the client ends its input itself.
    V2,
    /// The terminal can be resized.
    V3,
    /// The end is told as a `Status` in JSON.
    V4,
    /// Over WebSocket, the client can end its input.
    V5,
}

impl Version {
    /// The version and the encoding of messages that a protocol's name stands for.
    #[must_use]
    pub fn of(protocol: &str) -> (Self, Encoding) {
        let version = match protocol.split_once('.').map(|(first, _)| first) {
            Some("v2") => Self::V2,
            Some("v3") => Self::V3,
            Some("v4") => Self::V4,
            Some("v5") => Self::V5,
            _ => Self::V1,
        };
        match protocol.split('.').any(|part| part == "base64") {
            true => (version, Encoding::Base64),
            false => (version, Encoding::Binary),
        }
    }

    /// Whether clients open a stream of sizes over SPDY.
    pub(super) fn has_resize(self) -> bool {
        self >= Self::V3
    }

    /// Whether the end is told as JSON.
    pub(super) fn has_status(self) -> bool {
        self >= Self::V4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_version_and_encoding() {
        for (name, version, encoding) in [
            ("", Version::V1, Encoding::Binary),
            ("channel.k8s.io", Version::V1, Encoding::Binary),
            ("base64.channel.k8s.io", Version::V1, Encoding::Base64),
            ("v2.channel.k8s.io", Version::V2, Encoding::Binary),
            ("v3.channel.k8s.io", Version::V3, Encoding::Binary),
            ("v4.channel.k8s.io", Version::V4, Encoding::Binary),
            ("v4.base64.channel.k8s.io", Version::V4, Encoding::Base64),
            ("v5.channel.k8s.io", Version::V5, Encoding::Binary),
        ] {
            assert_eq!(Version::of(name), (version, encoding), "{name}");
        }
    }
}
