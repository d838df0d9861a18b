//! The seeds of the corpora: each is a form that a target has to know.
//!
//! `FAIRING_BLESS=1 cargo nextest run -p fairing-cri-streaming fuzzing` writes them to
//! `fuzz/corpus/`.

use replay::Seed;

use crate::spdy::{Connection, Headers, Limits, ResetReason, Role};
use crate::websocket::{self, Encoding, write_channel};

pub(super) fn of(target: &str) -> Vec<Seed> {
    match target {
        "stream_request" => requests(),
        "spdy_frames" => vec![
            ("session", with(7, spdy(&EXEC))),
            ("pairs", with(1, spdy(&PAIRS))),
        ],
        "websocket_frames" => frames(),
        "exec_channels" => exec(),
        "forward_pairs" => pairs(),
        other => panic!("{other} has no seeds"),
    }
}

fn with(first: u8, mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.insert(0, first);
    bytes
}

fn requests() -> Vec<Seed> {
    let spdy = "POST /exec/AAAAAAAAAAAAAAAAAAAAAA?x=1 HTTP/1.1\r\nHost: 127.0.0.1:10010\r\n\
        User-Agent: kubectl\r\nContent-Length: 0\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\
        X-Stream-Protocol-Version: v5.channel.k8s.io\r\n\
        X-Stream-Protocol-Version: v4.channel.k8s.io, channel.k8s.io\r\n\r\n";
    let websocket = "GET /attach/AAAAAAAAAAAAAAAAAAAAAA HTTP/1.1\r\nHost: a\r\n\
        Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Protocol: v5.channel.k8s.io,v4.channel.k8s.io\r\n\r\nrest";
    let refused = spdy.replace("channel.k8s.io", "example");
    vec![
        ("spdy", spdy.into()),
        ("websocket", websocket.into()),
        ("refused", refused.into_bytes()),
    ]
}

/// The headers of a stream, and what is sent on it.
type Stream = (&'static [(&'static str, &'static str)], &'static [u8]);

const EXEC: [Stream; 5] = [
    (&[("streamType", "error")], b""),
    (&[("streamType", "stdin")], b"hello"),
    (&[("streamType", "stdout")], b""),
    (&[("streamType", "stderr")], b""),
    (&[("streamType", "resize")], b"{\"Width\":80,\"Height\":24}"),
];

const PAIRS: [Stream; 4] = [
    (
        &[("streamType", "error"), ("port", "80"), ("requestID", "0")],
        b"",
    ),
    (
        &[("streamType", "data"), ("port", "80"), ("requestID", "0")],
        b"hello",
    ),
    (&[("streamType", "error"), ("port", "81")], b""),
    (&[("streamType", "data"), ("port", "81")], b"world"),
];

/// A client that opens these streams, and does everything else once.
fn spdy(streams: &[Stream]) -> Vec<u8> {
    let mut client = Connection::new(Role::Client, Limits { streams: 9 });
    for (headers, data) in streams {
        let stream = client.open(&Headers::new(headers)).unwrap();
        client.send(stream, data);
        if !data.is_empty() {
            client.end(stream);
        }
    }
    client.reset(1, ResetReason::Cancel);
    client.ping(1);
    client.go_away(false);
    client.output().clone()
}

fn websocket(messages: &[(bool, Vec<u8>)]) -> Vec<u8> {
    let mut client = websocket::Connection::new(websocket::Role::Client);
    for (text, message) in messages {
        client.send(*text, &[message]);
    }
    client.ping();
    client.close(1000, "");
    // Seeds are the same each time, and so are their masks.
    unmasked(client.output())
}

/// The same frames with a mask that changes nothing.
fn unmasked(frames: &[u8]) -> Vec<u8> {
    let mut server = websocket::Connection::new(websocket::Role::Server);
    server.receive(frames).unwrap();
    let mut plain = Vec::new();
    while let Some(event) = server.event() {
        let (opcode, body) = match event {
            websocket::Event::Part { bytes, .. } => (0x82, bytes),
            websocket::Event::Closed(code) => (0x88, code.unwrap().to_be_bytes().to_vec()),
        };
        if body.len() < 126 {
            plain.extend([opcode, 0x80 | body.len() as u8, 0, 0, 0, 0]);
        } else {
            plain.extend([opcode, 0xfe]);
            plain.extend((body.len() as u16).to_be_bytes());
            plain.extend([0; 4]);
        }
        plain.extend(body);
    }
    plain
}

fn frames() -> Vec<Seed> {
    let parts = [
        &[0x01, 0x83, 1, 2, 3, 4, 0x49, 0x67, 0x6f][..],
        &[0x89, 0x80, 0, 0, 0, 0],
        &[0x80, 0x82, 0, 0, 0, 0, 0x6c, 0x6f],
    ];
    let long = websocket(&[(false, vec![7; 300])]);
    vec![
        ("parts", with(3, parts.concat())),
        ("long", with(100, long)),
    ]
}

/// Messages on channels, in one encoding.
fn channels(encoding: Encoding, messages: &[(u8, &[u8])]) -> Vec<u8> {
    let messages = messages.iter().map(|(channel, bytes)| {
        let (first, rest) = write_channel(encoding, *channel, bytes);
        (false, [&[first][..], &rest].concat())
    });
    websocket(&messages.collect::<Vec<_>>())
}

/// The first byte: twice the number of the protocol, and one more with a terminal.
fn exec() -> Vec<Seed> {
    let size: &[u8] = b"{\"Width\":80,\"Height\":24}";
    let messages: [(u8, &[u8]); 4] = [(0, b"hello"), (4, size), (255, &[0]), (9, b"x")];
    let base64: [(u8, &[u8]); 2] = [(0, b"hello"), (4, size)];
    vec![
        ("spdy_v4", with(1, spdy(&EXEC))),
        ("spdy_v1", with(6, spdy(&EXEC))),
        (
            "websocket_v1",
            with(8, channels(Encoding::Binary, &messages)),
        ),
        (
            "websocket_base64",
            with(17, channels(Encoding::Base64, &base64)),
        ),
        (
            "websocket_v5",
            with(19, channels(Encoding::Binary, &messages)),
        ),
    ]
}

/// The first byte: the number of the protocol.
fn pairs() -> Vec<Seed> {
    let messages: [(u8, &[u8]); 3] = [(0, b"hello"), (2, b"world"), (9, b"x")];
    let tunnelled = spdy(&PAIRS)
        .chunks(50)
        .map(|part| (false, part.to_vec()))
        .collect::<Vec<_>>();
    vec![
        ("spdy", with(0, spdy(&PAIRS))),
        ("channels", with(2, channels(Encoding::Binary, &messages))),
        (
            "base64",
            with(3, channels(Encoding::Base64, &messages[..2])),
        ),
        ("tunnel", with(4, websocket(&tunnelled))),
    ]
}
