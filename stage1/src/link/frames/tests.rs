use super::*;
use proptest::prelude::*;

fn id(number: u32) -> StreamId {
    StreamId::new(NonZeroU32::new(number).unwrap())
}

fn bytes(frames: &[Frame]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in frames {
        frame.write(&mut bytes);
    }
    bytes
}

fn parse_all(parser: &mut Parser, mut piece: &[u8]) -> Result<Vec<Frame>, FrameError> {
    let mut frames = Vec::new();
    while let Some(frame) = parser.next(&mut piece)? {
        frames.push(frame);
    }
    assert!(piece.is_empty(), "all was taken");
    Ok(frames)
}

fn parse(bytes: &[u8]) -> Result<Vec<Frame>, FrameError> {
    parse_all(&mut Parser::default(), bytes)
}

/// A header by its fields.
fn raw(length: u32, kind: u8, stream: u32) -> Vec<u8> {
    let mut header = length.to_le_bytes()[..3].to_vec();
    header.push(kind);
    header.extend_from_slice(&stream.to_le_bytes());
    header
}

fn one_of_each() -> Vec<Frame> {
    let stream = id(0x0102_0304);
    let open = |kind| Frame::Open { stream, kind };
    vec![
        Frame::Hello(Hello {
            own: [1; 16],
            heard: [2; 16],
        }),
        Frame::Message {
            part: b"part".to_vec(),
            last: false,
        },
        Frame::Message {
            part: Vec::new(),
            last: true,
        },
        open(StreamKind::ToPod),
        open(StreamKind::FromPod),
        open(StreamKind::Terminal),
        Frame::Data {
            stream,
            bytes: vec![7; PAYLOAD_MAX],
        },
        Frame::Finish { stream },
        Frame::Stop { stream },
        Frame::Credit {
            stream,
            bytes: NonZeroU32::new(0x0a0b_0c0d).unwrap(),
        },
        Frame::End,
    ]
}

#[test]
fn what_is_written_is_read() {
    let frames = one_of_each();
    assert_eq!(parse(&bytes(&frames)).unwrap(), frames);
}

#[test]
fn the_bytes_are_those_of_the_table() {
    let written = |frame: &Frame| bytes(std::slice::from_ref(frame));
    let stream = id(0x0102_0304);
    let credit = Frame::Credit {
        stream,
        bytes: NonZeroU32::new(0x0a0b_0c0d).unwrap(),
    };
    assert_eq!(
        written(&credit),
        [4, 0, 0, 8, 4, 3, 2, 1, 0x0d, 0x0c, 0x0b, 0x0a]
    );
    let kind = StreamKind::FromPod;
    assert_eq!(
        written(&Frame::Open { stream, kind }),
        [1, 0, 0, 4, 4, 3, 2, 1, 2]
    );
    let data = Frame::Data {
        stream,
        bytes: vec![9; 0x0123],
    };
    assert_eq!(written(&data)[..9], [0x23, 1, 0, 5, 4, 3, 2, 1, 9]);
    assert_eq!(written(&Frame::End), [0, 0, 0, 9, 0, 0, 0, 0]);
    let hello = written(&Frame::Hello(Hello {
        own: [1; 16],
        heard: [2; 16],
    }));
    assert!(hello.starts_with(&HELLO_START));
    assert_eq!(hello[..8], [42, 0, 0, 1, 0, 0, 0, 0]);
    assert_eq!(hello.len(), 50);
}

#[test]
fn long_messages_come_in_parts() {
    for length in [0, 1, PAYLOAD_MAX, PAYLOAD_MAX + 1, 3 * PAYLOAD_MAX] {
        let message: Vec<u8> = (0..length).map(|at| at as u8).collect();
        let mut written = Vec::new();
        write_message(&mut written, &message);
        let frames = parse(&written).unwrap();
        assert_eq!(
            frames.len(),
            length.div_ceil(PAYLOAD_MAX).max(1),
            "{length}"
        );
        let mut whole = Vec::new();
        for (number, frame) in frames.iter().enumerate() {
            let Frame::Message { part, last } = frame else {
                panic!("{frame:?}")
            };
            assert_eq!(*last, number + 1 == frames.len());
            whole.extend_from_slice(part);
        }
        assert_eq!(whole, message);
    }
}

#[test]
fn headers_of_no_frame_are_refused_before_anything_is_held() {
    let most = u32::try_from(PAYLOAD_MAX).unwrap();
    let (length, longest) = (PAYLOAD_MAX + 1, 0xff_ffff);
    let cases = [
        (raw(most + 1, 5, 1), FrameError::TooLong { length }),
        (
            raw(longest, 2, 0),
            FrameError::TooLong {
                length: longest as usize,
            },
        ),
        (raw(0, 0, 0), FrameError::UnknownKind(0)),
        (raw(0, 10, 1), FrameError::UnknownKind(10)),
        (raw(0, 255, 0), FrameError::UnknownKind(255)),
        (
            raw(41, 1, 0),
            FrameError::WrongLength {
                kind: 1,
                length: 41,
            },
        ),
        (raw(0, 2, 0), FrameError::WrongLength { kind: 2, length: 0 }),
        (raw(0, 4, 1), FrameError::WrongLength { kind: 4, length: 0 }),
        (raw(2, 4, 1), FrameError::WrongLength { kind: 4, length: 2 }),
        (raw(0, 5, 1), FrameError::WrongLength { kind: 5, length: 0 }),
        (raw(1, 6, 1), FrameError::WrongLength { kind: 6, length: 1 }),
        (raw(1, 7, 1), FrameError::WrongLength { kind: 7, length: 1 }),
        (raw(3, 8, 1), FrameError::WrongLength { kind: 8, length: 3 }),
        (raw(1, 9, 0), FrameError::WrongLength { kind: 9, length: 1 }),
        (
            raw(42, 1, 3),
            FrameError::WrongStream { kind: 1, stream: 3 },
        ),
        (raw(1, 3, 3), FrameError::WrongStream { kind: 3, stream: 3 }),
        (raw(0, 9, 3), FrameError::WrongStream { kind: 9, stream: 3 }),
        (raw(1, 4, 0), FrameError::WrongStream { kind: 4, stream: 0 }),
        (raw(1, 5, 0), FrameError::WrongStream { kind: 5, stream: 0 }),
        (raw(4, 8, 0), FrameError::WrongStream { kind: 8, stream: 0 }),
    ];
    for (header, expected) in cases {
        let mut parser = Parser::default();
        assert_eq!(parse_all(&mut parser, &header).unwrap_err(), expected);
        assert!(parser.held() <= HEADER);
    }
}

#[test]
fn payloads_of_no_frame_are_refused() {
    let mut hello = bytes(&one_of_each()[..1]);
    hello[HEADER] ^= 1;
    assert_eq!(parse(&hello), Err(FrameError::NoMagic));
    for kind in [0, 4, 255] {
        let open = [raw(1, 4, 1), vec![kind]].concat();
        assert_eq!(parse(&open), Err(FrameError::UnknownStreamKind(kind)));
    }
    let credit = [raw(4, 8, 1), vec![0; 4]].concat();
    assert_eq!(parse(&credit), Err(FrameError::NoCredit));
}

#[test]
fn nothing_of_a_frame_is_held_once_it_is_whole() {
    let data = Frame::Data {
        stream: id(1),
        bytes: vec![7; 100],
    };
    let written = bytes(std::slice::from_ref(&data));
    let mut parser = Parser::default();
    let mut start = &written[..50];
    assert_eq!(parser.next(&mut start), Ok(None));
    assert_eq!(parser.held(), 50);
    let mut rest = &written[50..];
    assert_eq!(parser.next(&mut rest), Ok(Some(data)));
    assert_eq!(parser.held(), 0);
}

#[test]
fn only_a_whole_hello_is_one() {
    let hello = Hello {
        own: [1; 16],
        heard: [2; 16],
    };
    let written = bytes(&[Frame::Hello(hello)]);
    assert_eq!(Hello::read(&written[..written.len() - 1]), None);
    assert_eq!(Hello::read(&written), Some(hello));
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let stream = (1..=u32::MAX).prop_map(id);
    let kind = prop_oneof![
        Just(StreamKind::ToPod),
        Just(StreamKind::FromPod),
        Just(StreamKind::Terminal)
    ];
    let bytes = |least| prop::collection::vec(any::<u8>(), least..300);
    prop_oneof![
        (any::<Nonce>(), any::<Nonce>())
            .prop_map(|(own, heard)| Frame::Hello(Hello { own, heard })),
        bytes(1).prop_map(|part| Frame::Message { part, last: false }),
        bytes(0).prop_map(|part| Frame::Message { part, last: true }),
        (stream.clone(), kind).prop_map(|(stream, kind)| Frame::Open { stream, kind }),
        (stream.clone(), bytes(1)).prop_map(|(stream, bytes)| Frame::Data { stream, bytes }),
        stream.clone().prop_map(|stream| Frame::Finish { stream }),
        stream.clone().prop_map(|stream| Frame::Stop { stream }),
        (stream, 1..=u32::MAX).prop_map(|(stream, bytes)| Frame::Credit {
            stream,
            bytes: NonZeroU32::new(bytes).unwrap()
        }),
        Just(Frame::End),
    ]
}

proptest! {
    #[test]
    fn frames_are_read_as_written_however_they_are_cut(
        frames in prop::collection::vec(any_frame(), 0..20),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
    ) {
        let written = bytes(&frames);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(written.len() + 1)).collect();
        cuts.extend([0, written.len()]);
        cuts.sort_unstable();
        let mut parser = Parser::default();
        let mut read = Vec::new();
        for piece in cuts.windows(2) {
            read.extend(parse_all(&mut parser, &written[piece[0]..piece[1]]).unwrap());
            prop_assert!(parser.held() < HEADER + PAYLOAD_MAX);
        }
        prop_assert_eq!(read, frames);
    }

    #[test]
    fn any_bytes_are_read_alike_however_they_are_cut(
        noise in prop::collection::vec(prop_oneof![0_u8..10, any::<u8>()], 0..200),
        size in 1_usize..20,
    ) {
        let read = |size: usize| {
            let mut parser = Parser::default();
            let mut frames = Vec::new();
            for mut piece in noise.chunks(size) {
                loop {
                    match parser.next(&mut piece) {
                        Ok(Some(frame)) => frames.push(frame),
                        Ok(None) => break,
                        Err(error) => return (frames, Some(error)),
                    }
                }
            }
            (frames, None)
        };
        prop_assert_eq!(read(size), read(noise.len().max(1)));
    }
}
