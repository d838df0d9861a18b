//! A GET request of a probe, and what the answer to it says.

use std::net::SocketAddr;

use pod::manifest::HttpGetAction;

use super::outcome::failed;
use crate::protocol::ProbeOutcome;

const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// The bytes of a request.
pub(super) fn request(action: &HttpGetAction) -> Vec<u8> {
    let path = match action.path.strip_prefix('/') {
        Some(path) => path,
        None => &action.path,
    };
    let mut text = format!("GET /{} HTTP/1.1\r\n", one_line(path));
    let is_given = |name: &str| {
        let mut headers = action.headers.iter();
        headers.any(|header| header.name.eq_ignore_ascii_case(name))
    };
    let host = match action.host {
        None => format!("localhost:{}", action.port),
        Some(address) => SocketAddr::new(address, action.port).to_string(),
    };
    let usual = [
        ("Host", host),
        (
            "User-Agent",
            concat!("fairing-probe/", env!("CARGO_PKG_VERSION")).to_owned(),
        ),
        ("Accept", "*/*".to_owned()),
        ("Connection", "close".to_owned()),
    ];
    let usual = usual.into_iter().filter(|(name, _)| !is_given(name));
    for (name, value) in usual {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    for header in &action.headers {
        let (name, value) = (one_line(&header.name), one_line(&header.value));
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// What is written into a line must not end it.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// What an answer says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Outcome(ProbeOutcome),
    /// The answer is elsewhere.
    Redirect(String),
}

/// What an answer says, if so much of it has come.
pub(super) fn judge(answer: &[u8]) -> Option<Said> {
    let mut rest = answer;
    loop {
        let end = rest
            .windows(END_OF_HEAD.len())
            .position(|some| some == END_OF_HEAD)?;
        let (head, body) = rest.split_at_checked(end)?;
        return Some(match status(rest) {
            // There is more to come.
            Some(100..=199) => {
                rest = body.get(END_OF_HEAD.len()..)?;
                continue;
            }
            Some(301 | 302 | 303 | 307 | 308) => match location(head) {
                Some(location) => Said::Redirect(location),
                None => Said::Outcome(ProbeOutcome::Passed),
            },
            Some(200..=399) => Said::Outcome(ProbeOutcome::Passed),
            Some(status) => Said::Outcome(failed(format!("the status is {status}"))),
            None => Said::Outcome(failed("the answer is none of HTTP")),
        });
    }
}

/// Where an answer says that it is.
fn location(head: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(head);
    let mut fields = text.split("\r\n").filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(name, _)| name.eq_ignore_ascii_case("location"))?;
    Some(value.trim().to_owned())
}

fn status(head: &[u8]) -> Option<u16> {
    let rest = head
        .strip_prefix(b"HTTP/1.")?
        .get(1..)?
        .strip_prefix(b" ")?;
    let digits = rest.get(..3)?;
    let ends = rest.get(3).is_some_and(|next| matches!(next, b' ' | b'\r'));
    let all = digits.iter().all(u8::is_ascii_digit) && ends;
    all.then(|| std::str::from_utf8(digits).ok()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use pod::manifest::{Header, Scheme};

    use super::*;

    #[test]
    fn statuses_from_200_to_399_are_well() {
        let passes =
            |answer: &[u8]| judge(answer).map(|said| said == Said::Outcome(ProbeOutcome::Passed));
        for (answer, expected) in [
            (&b"HTTP/1.1 200 OK\r\n\r\n"[..], Some(true)),
            (b"HTTP/1.0 399\r\nA: b\r\n\r\nbody", Some(true)),
            (b"HTTP/1.1 400 Bad\r\n\r\n", Some(false)),
            (b"HTTP/1.1 500 Bad\r\n\r\n", Some(false)),
            (b"HTTP/1.1 100 Continue\r\n\r\n", None),
            (
                b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
                Some(true),
            ),
            (b"HTTP/1.1 200 OK\r\n", None),
            (b"HTTP/1.1 2000 OK\r\n\r\n", Some(false)),
            (b"HTTP/2 200\r\n\r\n", Some(false)),
            (b"SSH-2.0\r\n\r\n", Some(false)),
            (b"\r\n\r\n", Some(false)),
            (b"", None),
        ] {
            assert_eq!(passes(answer), expected, "{}", answer.escape_ascii());
        }
    }

    #[test]
    fn given_headers_replace_the_usual_ones_and_end_no_line() {
        let action = HttpGetAction {
            port: 80,
            path: "a b?c\r\nX: y".to_owned(),
            host: None,
            scheme: Scheme::Http,
            headers: vec![Header {
                name: "host".to_owned(),
                value: "x.lan\r\nEvil: 1".to_owned(),
            }],
        };
        let text = String::from_utf8(request(&action)).unwrap();
        assert!(text.starts_with("GET /a b?cX: y HTTP/1.1\r\n"), "{text}");
        assert!(text.contains("\r\nhost: x.lanEvil: 1\r\n"), "{text}");
        assert!(!text.contains("Host: localhost"), "{text}");
        assert!(text.ends_with("\r\n\r\n"), "{text}");
    }
}
