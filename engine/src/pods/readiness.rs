//! What an isolator reports of a pod in the background: that it is up, or why not.

use pod::stage1::Readiness;

use crate::error::{Error, MonitorError};

/// Longest report of an isolator, in bytes.
pub const READINESS_MAX: usize = 64 << 10;

/// Understands a report, which is over.
///
/// # Errors
/// Why the pod is not up.
pub fn parse(bytes: &[u8]) -> Result<(), Error> {
    match serde_json::from_slice(bytes) {
        Ok(Readiness::Started) => Ok(()),
        Ok(Readiness::Failed { kind, message }) => Err(Error::Refusing { kind, message }),
        Err(_) if bytes.is_empty() => Err(MonitorError::NoReport.into()),
        Err(error) => Err(MonitorError::Report(error.to_string()).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pod::exit::FailureKind;

    #[test]
    fn the_isolators_report_decides() {
        assert!(parse(br#"{"type":"started"}"#).is_ok());
        let failed = br#"{"type":"failed","kind":"not-found","message":"no /bin/x"}"#;
        let Err(Error::Refusing { kind, message }) = parse(failed) else {
            panic!("it failed");
        };
        assert_eq!((kind, &*message), (FailureKind::NotFound, "no /bin/x"));
        for nothing in [&b""[..], b"{"] {
            assert!(matches!(parse(nothing), Err(Error::Monitor(_))));
        }
    }
}
