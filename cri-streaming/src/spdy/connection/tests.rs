use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

fn pair(streams: usize) -> (Connection, Connection) {
    let client = Connection::new(Role::Client, Limits { streams: 1 << 20 });
    (client, Connection::new(Role::Server, Limits { streams }))
}

/// Hands one side what the other has to say, in pieces.
fn deliver(from: &mut Connection, to: &mut Connection, cut: usize) -> Vec<Event> {
    let bytes = std::mem::take(from.output());
    for piece in bytes.chunks(cut.max(1)) {
        to.receive(piece).unwrap();
    }
    std::iter::from_fn(|| to.event()).collect()
}

fn headers(kind: &str) -> Headers {
    Headers::new(&[("streamType", kind)])
}

/// Data that came on a stream, put together.
fn data(events: &[Event], wanted: StreamId) -> Vec<u8> {
    let parts = events.iter().filter_map(|event| match event {
        Event::Data(stream, bytes) if *stream == wanted => Some(bytes.as_slice()),
        _ => None,
    });
    parts.collect::<Vec<_>>().concat()
}

#[test]
fn a_stream_opens_is_answered_and_ends_both_ways() {
    let (mut client, mut server) = pair(8);
    let stream = client.open(&headers("stdin")).unwrap();
    let headers = headers("stdin");
    assert_eq!(
        deliver(&mut client, &mut server, 1),
        [Event::Opened { stream, headers }]
    );
    server.reply(stream);
    server.send(stream, b"out");
    server.end(stream);
    let told = [
        Event::Replied(stream),
        Event::Data(stream, b"out".into()),
        Event::Ended(stream),
    ];
    assert_eq!(deliver(&mut server, &mut client, 1000), told);
    client.send(stream, b"in");
    client.end(stream);
    client.send(stream, b"late");
    let told = [Event::Data(stream, b"in".into()), Event::Ended(stream)];
    assert_eq!(deliver(&mut client, &mut server, 1000), told);
    assert!(server.streams.is_empty() && client.streams.is_empty());
}

proptest! {
    #[test]
    fn data_arrives_on_its_stream_however_it_is_cut(
        sent in vec((0..4usize, vec(any::<u8>(), 0..500)), 0..12), cut in 1..60usize
    ) {
        let (mut client, mut server) = pair(8);
        let streams: Vec<_> = (0..4).map(|_| client.open(&headers("data")).unwrap()).collect();
        for (stream, bytes) in &sent {
            client.send(streams[*stream], bytes);
        }
        let events = deliver(&mut client, &mut server, cut);
        for (number, stream) in streams.iter().enumerate() {
            let expected = sent.iter().filter(|(to, _)| *to == number);
            let expected: Vec<u8> = expected.flat_map(|(_, bytes)| bytes.clone()).collect();
            prop_assert_eq!(data(&events, *stream), expected);
        }
    }

    #[test]
    fn no_bytes_make_it_panic_or_hold_more_than_it_was_given(bytes in vec(any::<u8>(), 0..400)) {
        let (_, mut server) = pair(8);
        let _ = server.receive(&bytes);
        prop_assert!(server.partial.len() <= bytes.len());
    }
}

#[test]
fn streams_beyond_the_limit_are_refused_one_by_one() {
    let (mut client, mut server) = pair(8);
    let streams: Vec<_> = (0..10_000)
        .map(|_| client.open(&headers("x")).unwrap())
        .collect();
    let events = deliver(&mut client, &mut server, 4096);
    assert_eq!((events.len(), server.streams.len()), (8, 8));
    let told = deliver(&mut server, &mut client, 4096);
    let refused: Vec<_> = streams[8..]
        .iter()
        .map(|stream| Event::Reset(*stream))
        .collect();
    assert_eq!(told, refused);
    // The compression of headers has gone on, and so can the connection.
    client.reset(streams[0], ResetReason::Cancel);
    let stream = client.open(&headers("next")).unwrap();
    let headers = headers("next");
    let told = [Event::Reset(streams[0]), Event::Opened { stream, headers }];
    assert_eq!(deliver(&mut client, &mut server, 4096), told);
}

#[test]
fn what_ends_a_connection_is_named() {
    let control = |kind: u8, length: u8, body: &[u8]| {
        [&[0x80, 3, 0, kind, 0, 0, 0, length][..], body].concat()
    };
    let mut client = pair(8).0;
    client.open(&headers("x")).unwrap();
    let open = client.output().clone();
    for (bytes, violation) in [
        (vec![0x80, 2, 0, 1, 0, 0, 0, 0], Violation::Version(2)),
        (vec![0, 0, 0, 0, 0, 0, 0, 0], Violation::StreamZero(0)),
        (control(1, 10, &[0; 10]), Violation::StreamZero(1)),
        (control(3, 8, &[0; 8]), Violation::StreamZero(3)),
        (control(3, 4, &[0, 0, 0, 1]), Violation::Truncated(3)),
        (control(1, 5, &[0, 0, 0, 1, 0]), Violation::Truncated(1)),
        (control(6, 0, &[]), Violation::Truncated(6)),
        (
            vec![0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff],
            Violation::FrameSize {
                kind: 1,
                length: 0xff_ffff,
                most: frame::LARGEST_CONTROL,
            },
        ),
        (
            control(1, 14, &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
            Violation::Compression,
        ),
        (
            [open.clone(), open.clone()].concat(),
            // The second block doesn't continue the first.
            Violation::Compression,
        ),
    ] {
        assert_eq!(pair(8).1.receive(&bytes), Err(violation), "{bytes:?}");
    }
    // A client can't begin streams with a server's numbers, nor one twice.
    let (mut other, mut server) = pair(8);
    other.next_here = 2;
    other.open(&headers("x")).unwrap();
    assert_eq!(
        server.receive(other.output()),
        Err(Violation::StreamNumber(2))
    );
    let (mut client, mut server) = pair(8);
    client.open(&headers("x")).unwrap();
    client.next_here = 1;
    client.open(&headers("x")).unwrap();
    assert_eq!(
        server.receive(client.output()),
        Err(Violation::StreamNumber(1))
    );
}

#[test]
fn pings_are_answered_and_what_is_not_known_is_passed_over() {
    let (mut client, mut server) = pair(8);
    client.ping(7);
    // SETTINGS, WINDOW_UPDATE, and a type that there isn't.
    for kind in [4, 9, 200] {
        frame::put_control(client.output(), kind, 0, &[&[0; 8]]);
    }
    client.go_away(false);
    assert_eq!(deliver(&mut client, &mut server, 3), [Event::GoAway]);
    assert_eq!(deliver(&mut server, &mut client, 3), [Event::Pong(7)]);
}

#[test]
fn data_for_a_stream_that_was_reset_is_nobodys() {
    let (mut client, mut server) = pair(8);
    let stream = client.open(&headers("x")).unwrap();
    deliver(&mut client, &mut server, 100);
    server.reset(stream, ResetReason::Refused);
    client.send(stream, b"late");
    client.end(stream);
    assert_eq!(deliver(&mut client, &mut server, 100), []);
    // A frame of the largest length costs what has come of it.
    server
        .receive(&[0, 0, 0, 1, 0, 0xff, 0xff, 0xff, 1, 2, 3])
        .unwrap();
    assert!(server.partial.is_empty() && server.event().is_none());
}
