//! How long a caller waits, as it says itself (gRPC over HTTP/2: `grpc-timeout`).

use std::future::Future;
use std::time::Duration;

use image_store::Interrupt;
use tonic::metadata::MetadataMap;
use tonic::{Response, Status};

use crate::error::CriError;

/// So much sooner than the caller gives up it is told: after that, it would be told that it has cancelled the call.
const SOONER: Duration = Duration::from_millis(5);

/// How long the caller waits; for ever if it doesn't say, or says what can't be understood.
pub(super) fn of(metadata: &MetadataMap) -> Option<Duration> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (value, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let value: u64 = value.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(value.checked_mul(3600)?),
        "M" => Duration::from_secs(value.checked_mul(60)?),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}

/// Waits for work until the time is up, or the caller is gone: then the work is stopped.
///
/// # Errors
/// What the work says; `DEADLINE_EXCEEDED`.
pub(super) async fn within<A>(
    limit: Option<Duration>,
    what: String,
    interrupt: Interrupt,
    work: impl Future<Output = Result<Response<A>, Status>>,
) -> Result<Response<A>, Status> {
    let _stop = Stop(interrupt);
    let Some(limit) = limit else {
        return work.await;
    };
    let done = tokio::time::timeout(limit.saturating_sub(SOONER), work).await;
    done.unwrap_or_else(|_| Err(CriError::Deadline { what, after: limit }.into()))
}

/// Stops what nobody waits for any more.
struct Stop(Interrupt);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.set();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_says_how_long_it_waits() {
        let said = |text: &str| {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-timeout", text.parse().unwrap());
            of(&metadata)
        };
        assert_eq!(of(&MetadataMap::new()), None);
        for (text, expected) in [
            ("2H", Some(Duration::from_secs(7200))),
            ("3M", Some(Duration::from_secs(180))),
            ("4S", Some(Duration::from_secs(4))),
            ("5m", Some(Duration::from_millis(5))),
            ("6u", Some(Duration::from_micros(6))),
            ("7n", Some(Duration::from_nanos(7))),
            ("", None),
            ("S", None),
            ("5", None),
            ("-5S", None),
            ("99999999999999999999S", None),
            ("18446744073709551615H", None),
        ] {
            assert_eq!(said(text), expected, "{text}");
        }
    }
}
