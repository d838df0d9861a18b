//! The head of a request.

use super::refusal::Refusal;

/// The most bytes that a head may have.
pub const LARGEST_HEAD: usize = 16 << 10;
/// The most headers.
const MOST: usize = 64;

/// What clients may ask with. Both mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// As WebSocket asks.
    Get,
    /// As Kubernetes' clients of SPDY ask.
    Post,
}

/// A request, but for its body, which it must not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// How it asks.
    pub method: Method,
    /// For what: the target without its query.
    pub path: String,
    headers: Vec<(String, String)>,
}

impl Request {
    /// Reads a head from the bytes that have come in so far, and how many of them it is. `None`:
    /// more have to come.
    ///
    /// # Errors
    /// What it is to be answered with, if it can't become one that is served.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Refusal> {
        let mut headers = [httparse::EMPTY_HEADER; MOST];
        let mut parsed = httparse::Request::new(&mut headers);
        let length = match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(length)) if length <= LARGEST_HEAD => length,
            Ok(httparse::Status::Partial) if bytes.len() < LARGEST_HEAD => return Ok(None),
            Ok(_) | Err(httparse::Error::TooManyHeaders) => {
                let text = format!("more than {MOST} headers, or {LARGEST_HEAD} bytes of them");
                return Err(Refusal::new(431, text));
            }
            Err(error) => {
                return Err(Refusal::new(
                    400,
                    format!("no request of HTTP/1.1: {error}"),
                ));
            }
        };
        if parsed.version != Some(1) {
            return Err(Refusal::new(400, "only HTTP/1.1 has upgrades"));
        }
        let method = match parsed.method {
            Some("GET") => Method::Get,
            Some("POST") => Method::Post,
            _ => {
                let headers = vec![("Allow", "GET, POST".to_owned())];
                let text = "only GET and POST are served".to_owned();
                return Err(Refusal {
                    status: 405,
                    text,
                    headers,
                });
            }
        };
        let path = parsed.path.unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default().to_owned();
        let headers = parsed.headers.iter().map(|header| {
            // What Kubernetes compares is ASCII; what isn't equals nothing.
            (
                header.name.to_owned(),
                String::from_utf8_lossy(header.value).trim().to_owned(),
            )
        });
        let request = Self {
            method,
            path,
            headers: headers.collect(),
        };
        request.without_body()?;
        Ok(Some((request, length)))
    }

    /// The values of a header, those of its lines one after the other, separated at commas.
    pub fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        let lines = self.headers.iter();
        let lines = lines.filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        let values = lines.flat_map(|(_, value)| value.split(','));
        values.map(str::trim).filter(|value| !value.is_empty())
    }

    /// The value of a header that has one.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut lines = self.headers.iter();
        let found = lines.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// What follows the head belongs to the protocol that is upgraded to. A body would be taken for
    /// it.
    fn without_body(&self) -> Result<(), Refusal> {
        let empty = self.list("content-length").all(|length| length == "0");
        if empty && self.value("transfer-encoding").is_none() {
            return Ok(());
        }
        Err(Refusal::new(
            400,
            "a request for an upgrade can have no body",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EXEC: &[u8] = b"POST /exec/abc?x=1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
        Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\
        X-Stream-Protocol-Version: v3.channel.k8s.io, channel.k8s.io\r\n\
        Content-Length: 0\r\n\r\nrest";

    #[test]
    fn a_request_is_read_and_what_follows_it_is_left() {
        let (request, length) = Request::parse(EXEC).unwrap().unwrap();
        assert_eq!(&EXEC[length..], b"rest");
        assert_eq!(
            (request.method, request.path.as_str()),
            (Method::Post, "/exec/abc")
        );
        let versions: Vec<_> = request.list("x-stream-protocol-version").collect();
        assert_eq!(
            versions,
            ["v4.channel.k8s.io", "v3.channel.k8s.io", "channel.k8s.io"]
        );
        assert_eq!(request.value("UPGRADE"), Some("SPDY/3.1"));
    }

    #[test]
    fn a_part_of_a_head_is_waited_on() {
        for end in 0..EXEC.len() - 4 {
            assert_eq!(Request::parse(&EXEC[..end]), Ok(None), "{end}");
        }
    }

    #[test]
    fn what_can_not_be_served_is_refused_with_its_status() {
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(LARGEST_HEAD));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(MOST + 1));
        for (text, status) in [
            ("GET / HTTP/1.0\r\n\r\n", 400),
            ("PUT / HTTP/1.1\r\n\r\n", 405),
            ("\x16\x03\x01\x02\0\x01\0", 400),
            ("GET / HTTP/1.1\r\na b: c\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 400),
            ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            (long.as_str(), 431),
            (many.as_str(), 431),
        ] {
            let refusal = Request::parse(text.as_bytes()).unwrap_err();
            assert_eq!(refusal.status, status, "{text:.40}: {refusal}");
            let answer = String::from_utf8(refusal.to_bytes()).unwrap();
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{answer}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_more_than_a_refusal(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            if let Ok(Some((_, length))) = Request::parse(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
