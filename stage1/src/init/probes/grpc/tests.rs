//! Calls, and servers that answer them in every way.

use super::*;

/// What a server says.
#[derive(Default)]
struct Said(Vec<u8>);

impl Said {
    fn begin() -> Self {
        Self::default().frame(frames::SETTINGS, 0, 0, b"")
    }

    fn frame(mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Self {
        frames::write(&mut self.0, kind, flags, stream, payload);
        self
    }

    fn headers(self) -> Self {
        self.frame(frames::HEADERS, frames::END_HEADERS, 1, b"\x88")
    }

    fn status(self, status: u8) -> Self {
        self.frame(frames::DATA, 0, 1, &[0, 0, 0, 0, 2, 8, status])
    }

    fn trailers(self, status: &str) -> Self {
        let mut block = b"\x00\x0bgrpc-status".to_vec();
        add_text(&mut block, status);
        let flags = frames::END_HEADERS | frames::END_STREAM;
        self.frame(frames::HEADERS, flags, 1, &block)
    }

    /// What it comes to, however it is cut into pieces.
    fn heard(&self) -> Option<ProbeOutcome> {
        let whole = hear(self.0.chunks(usize::MAX));
        assert_eq!(whole, hear(self.0.chunks(1)));
        assert_eq!(whole, hear(self.0.chunks(7)));
        whole
    }

    fn reason(&self) -> String {
        match self.heard() {
            Some(ProbeOutcome::Failed { reason }) => reason,
            other => panic!("{other:?}"),
        }
    }
}

fn hear<'a>(mut pieces: impl Iterator<Item = &'a [u8]>) -> Option<ProbeOutcome> {
    let (mut call, _) = Call::new(80, "web").unwrap();
    pieces.find_map(|piece| call.hear(piece, &mut Vec::new()))
}

#[test]
fn a_server_that_serves_is_well() {
    let said = Said::begin().headers().status(1).trailers("0");
    assert_eq!(said.heard(), Some(ProbeOutcome::Passed));
    // It may say more than that.
    let said = Said::default()
        .frame(frames::SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100])
        .frame(frames::SETTINGS, frames::ACK, 0, b"")
        .frame(8, 0, 0, &[0, 1, 0, 0])
        .frame(frames::HEADERS, 8 | 32, 1, b"\x0112345\x88\x00")
        .frame(frames::CONTINUATION, 0, 1, b"\x00\x01a")
        .frame(frames::CONTINUATION, frames::END_HEADERS, 1, b"\x01b")
        .frame(0xbe, 7, 3, b"of a later time")
        .frame(frames::GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0])
        .frame(frames::DATA, 8, 1, &[1, 0, 0, 0, 0, 2, 8, 9])
        .frame(frames::DATA, frames::END_STREAM, 1, &[1]);
    assert_eq!(said.heard(), Some(ProbeOutcome::Passed));
}

#[test]
fn an_answer_that_comes_in_parts_is_put_together() {
    let said = Said::begin()
        .headers()
        .frame(frames::DATA, 0, 1, &[0, 0, 0, 0])
        .frame(frames::DATA, 0, 1, &[2, 8])
        .frame(frames::DATA, frames::END_STREAM, 1, &[1]);
    assert_eq!(said.heard(), Some(ProbeOutcome::Passed));
    let unfinished = Said::begin().headers().status(1);
    assert_eq!(unfinished.heard(), None);
}

#[test]
fn what_else_a_server_says_is_told() {
    for (said, reason) in [
        (
            Said::begin().headers().status(2).trailers("0"),
            "the server says NOT_SERVING",
        ),
        (
            Said::begin().headers().status(0).trailers("0"),
            "the server says UNKNOWN",
        ),
        (
            Said::begin()
                .headers()
                .frame(frames::DATA, 0, 1, &[0, 0, 0, 0, 0])
                .trailers("0"),
            "the server says UNKNOWN",
        ),
        (
            Said::begin().headers().status(3).trailers("0"),
            "the server says SERVICE_UNKNOWN",
        ),
        // It takes back what it has said.
        (
            Said::begin().headers().status(1).trailers("14"),
            "the status of gRPC is 14",
        ),
        (
            Said::begin().trailers("12"),
            "the server has no health service",
        ),
        (
            Said::begin().trailers("5"),
            "the server knows no service \"web\"",
        ),
        (
            Said::begin().frame(frames::HEADERS, frames::END_HEADERS, 1, b"\x8d"),
            "the status of HTTP is 404",
        ),
        (
            Said::begin().headers().trailers("0"),
            "the answer is none of the health service",
        ),
        (
            Said::begin().frame(frames::RST_STREAM, 0, 1, &[0, 0, 0, 7]),
            "the server has refused the call with error 7 of HTTP/2",
        ),
        (
            Said::begin().frame(frames::GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 11]),
            "the server has ended the connection with error 11 of HTTP/2",
        ),
    ] {
        assert_eq!(said.reason(), reason);
    }
}

#[test]
fn what_is_not_http2_is_told_from_it() {
    for said in [
        Said(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        Said(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        // It does not begin as servers do.
        Said::default().headers(),
        Said::begin().frame(frames::PUSH_PROMISE, 0, 1, b""),
        Said::begin().frame(frames::DATA, 0, 3, b"of nobody's"),
        Said::begin().frame(frames::CONTINUATION, frames::END_HEADERS, 1, b"\x88"),
        Said::begin()
            .frame(frames::HEADERS, 0, 1, b"\x88")
            .frame(frames::PING, 0, 0, &[0; 8]),
        Said::begin().frame(frames::HEADERS, 8, 1, b"\x09"),
        Said::begin().frame(frames::HEADERS, frames::END_HEADERS, 1, b"\x80"),
    ] {
        assert_eq!(said.reason(), "the answer is none of HTTP/2");
    }
}

#[test]
fn a_server_that_never_comes_to_an_end_is_not_listened_to_for_long() {
    for (kind, flags, payload) in [
        (frames::PING, 0, &[0; 8][..]),
        (frames::SETTINGS, 0, &[]),
        (frames::DATA, 0, &[0; 64]),
        (0xbe, 0, &[0; 4096]),
    ] {
        let mut said = Said::begin().headers();
        let mut out = Vec::new();
        let (mut call, _) = Call::new(80, "").unwrap();
        let mut outcome = call.hear(&said.0, &mut out);
        let mut told = said.0.len();
        while outcome.is_none() {
            said = Said::default().frame(kind, flags, u32::from(kind == frames::DATA), payload);
            told += said.0.len();
            assert!(told < 2 * HEARD_MAX);
            outcome = call.hear(&said.0, &mut out);
        }
        assert!(matches!(outcome, Some(ProbeOutcome::Failed { .. })));
        assert!(out.len() <= told, "it says more than it hears");
    }
    // Nor is a header block kept that never ends.
    let (mut call, _) = Call::new(80, "").unwrap();
    let begun = Said::begin().frame(frames::HEADERS, 0, 1, b"\x88");
    assert_eq!(call.hear(&begun.0, &mut Vec::new()), None);
    let more = Said::default().frame(frames::CONTINUATION, 0, 1, &[0; 16 << 10]);
    let heard = (0..8).find_map(|_| call.hear(&more.0, &mut Vec::new()));
    assert!(matches!(heard, Some(ProbeOutcome::Failed { .. })));
}

#[test]
fn servers_are_asked_as_they_expect_it() {
    let (_, sent) = Call::new(8080, "web").unwrap();
    let rest = sent.strip_prefix(PREFACE).unwrap();
    let (settings, length) = Frame::read(rest).unwrap().unwrap();
    assert_eq!((settings.kind, settings.stream), (frames::SETTINGS, 0));
    let rest = &rest[length..];
    let (headers, length) = Frame::read(rest).unwrap().unwrap();
    assert_eq!((headers.kind, headers.flags), (frames::HEADERS, 4));
    let text = String::from_utf8_lossy(headers.payload).into_owned();
    for part in [
        "/grpc.health.v1.Health/Check",
        "localhost:8080",
        "application/grpc",
        "fairing-probe/",
        "trailers",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let (data, length_of_data) = Frame::read(&rest[length..]).unwrap().unwrap();
    assert_eq!((data.kind, data.flags), (frames::DATA, frames::END_STREAM));
    assert_eq!(data.payload, b"\0\0\0\0\x05\x0a\x03web");
    assert_eq!(rest.len(), length + length_of_data);
    let (_, sent) = Call::new(80, "").unwrap();
    assert!(sent.ends_with(b"\0\0\0\0\0"));
    let (_, sent) = Call::new(80, &"x".repeat(300)).unwrap();
    let text = String::from_utf8_lossy(&sent).into_owned();
    assert!(text.ends_with(&"x".repeat(300)));
    assert!(Call::new(80, &"x".repeat(SERVICE_MAX + 1)).is_none());
}

#[test]
fn a_server_is_answered_where_it_asks() {
    let (mut call, _) = Call::new(80, "").unwrap();
    let mut out = Vec::new();
    let said = Said::begin().frame(frames::PING, 0, 0, b"12345678");
    assert_eq!(call.hear(&said.0, &mut out), None);
    let expected = Said::default()
        .frame(frames::SETTINGS, frames::ACK, 0, b"")
        .frame(frames::PING, frames::ACK, 0, b"12345678");
    assert_eq!(out, expected.0);
}
