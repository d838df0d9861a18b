mod bounds;
mod hostile;
mod properties;

use super::*;
use std::collections::HashMap;

const SMALL: Limits = Limits {
    streams: 4,
    window: 100,
    message: 1000,
    messages: 3000,
};

fn id(number: u32) -> StreamId {
    StreamId::new(NonZeroU32::new(number).unwrap())
}

/// Moves up to `count` bytes.
fn carry(from: &mut Multiplexer, to: &mut Multiplexer, count: usize) -> usize {
    let bytes = from.to_send();
    let bytes = bytes[..bytes.len().min(count)].to_vec();
    from.sent(bytes.len());
    to.receive(&bytes).unwrap();
    bytes.len()
}

/// Moves all that each has to say. Somebody knows of each stream at once.
fn exchange(a: &mut Multiplexer, b: &mut Multiplexer) {
    while carry(a, b, usize::MAX) + carry(b, a, usize::MAX) > 0 {
        claim_all(a);
        claim_all(b);
    }
}

fn claim_all(side: &mut Multiplexer) {
    for id in side.streams() {
        side.claim(id);
    }
}

/// Two sides that have begun.
fn pair(limits: Limits) -> (Multiplexer, Multiplexer) {
    let mut monitor = Multiplexer::new(Side::Monitor, limits, [1; 16]);
    let mut init = Multiplexer::new(Side::PodInit, limits, [2; 16]);
    exchange(&mut monitor, &mut init);
    assert!(monitor.has_begun() && init.has_begun());
    assert!(!monitor.has_to_send() && !init.has_to_send());
    (monitor, init)
}

/// A side that has begun, for frames that its other side would not send.
fn alone(side: Side) -> Multiplexer {
    let (monitor, init) = pair(SMALL);
    match side {
        Side::Monitor => monitor,
        Side::PodInit => init,
    }
}

fn bytes(frames: &[Frame]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in frames {
        frame.write(&mut bytes);
    }
    bytes
}

fn open(number: u32, kind: StreamKind) -> Frame {
    let stream = id(number);
    Frame::Open { stream, kind }
}

fn data(number: u32, count: usize) -> Frame {
    Frame::Data {
        stream: id(number),
        bytes: vec![7; count],
    }
}

fn credit(number: u32, bytes: u32) -> Frame {
    Frame::Credit {
        stream: id(number),
        bytes: NonZeroU32::new(bytes).unwrap(),
    }
}

fn finish(number: u32) -> Frame {
    Frame::Finish { stream: id(number) }
}

fn stop(number: u32) -> Frame {
    Frame::Stop { stream: id(number) }
}

/// What is said, as frames.
fn said(side: &mut Multiplexer) -> Vec<Frame> {
    let mut all = Vec::new();
    while side.has_to_send() {
        let bytes = side.to_send().to_vec();
        side.sent(bytes.len());
        all.extend(bytes);
    }
    let (mut parser, mut rest, mut frames) = (Parser::default(), all.as_slice(), Vec::new());
    while let Some(frame) = parser.next(&mut rest).unwrap() {
        frames.push(frame);
    }
    assert_eq!(parser.held(), 0);
    frames
}

#[test]
fn what_is_said_before_the_connection_has_begun_is_heard_after() {
    let mut monitor = Multiplexer::new(Side::Monitor, SMALL, [1; 16]);
    monitor.send_message(b"setup").unwrap();
    let input = monitor.open(StreamKind::ToPod).unwrap();
    monitor.send(input, b"typed ahead");
    let mut init = Multiplexer::new(Side::PodInit, SMALL, [2; 16]);
    // A serial port may carry the rest of an earlier connection.
    init.receive(b"the end of something else").unwrap();
    assert_eq!(init.next_message(), None);
    exchange(&mut monitor, &mut init);
    assert_eq!(init.next_message().unwrap(), b"setup");
    assert_eq!(init.next_message(), None);
    assert_eq!(init.held(input), b"typed ahead");
}

#[test]
fn the_beginning_may_come_in_any_pieces_with_what_follows() {
    for size in [1, 2, 49, 50, 51, 1000] {
        let mut monitor = Multiplexer::new(Side::Monitor, SMALL, [1; 16]);
        let mut init = Multiplexer::new(Side::PodInit, SMALL, [2; 16]);
        monitor.send_message(b"one").unwrap();
        init.send_message(b"two").unwrap();
        while carry(&mut monitor, &mut init, size) + carry(&mut init, &mut monitor, size) > 0 {}
        assert_eq!(init.next_message().unwrap(), b"one");
        assert_eq!(monitor.next_message().unwrap(), b"two");
    }
}

#[test]
fn messages_of_all_lengths_arrive_in_order() {
    let limits = Limits::default();
    let (mut monitor, mut init) = pair(limits);
    let lengths = [0, 1, PAYLOAD_MAX, PAYLOAD_MAX + 1, limits.message];
    for length in lengths {
        monitor.send_message(&vec![length as u8; length]).unwrap();
    }
    exchange(&mut monitor, &mut init);
    for length in lengths {
        assert_eq!(init.next_message().unwrap(), vec![length as u8; length]);
    }
    assert_eq!(init.next_message(), None);
    let long = vec![0; limits.message + 1];
    assert_eq!(
        monitor.send_message(&long),
        Err(MultiplexError::MessageTooLong(8 << 20))
    );
}

#[test]
fn streams_go_the_way_of_their_kind() {
    let (mut monitor, mut init) = pair(SMALL);
    let to = monitor.open(StreamKind::ToPod).unwrap();
    let from = monitor.open(StreamKind::FromPod).unwrap();
    let both = monitor.open(StreamKind::Terminal).unwrap();
    exchange(&mut monitor, &mut init);
    let ids = [to, from, both];
    assert_eq!(ids.map(|id| monitor.room(id)), [100, 0, 100]);
    assert_eq!(ids.map(|id| init.room(id)), [0, 100, 100]);
    for (number, id) in ids.into_iter().enumerate() {
        monitor.send(id, &[number as u8]);
        init.send(id, &[number as u8 + 10]);
    }
    exchange(&mut monitor, &mut init);
    assert_eq!(
        ids.map(|id| init.held(id).to_vec()),
        [vec![0], vec![], vec![2]]
    );
    assert_eq!(
        ids.map(|id| monitor.held(id).to_vec()),
        [vec![], vec![11], vec![12]]
    );
    let refused = init.open(StreamKind::ToPod);
    assert!(matches!(refused, Err(MultiplexError::NotTheOpener(_))));
}

#[test]
fn each_direction_ends_by_itself() {
    let (mut monitor, mut init) = pair(SMALL);
    let id = monitor.open(StreamKind::Terminal).unwrap();
    monitor.send(id, b"last");
    monitor.finish(id);
    monitor.finish(id);
    assert!(!monitor.may_send(id));
    monitor.send(id, b"nothing goes after the end");
    exchange(&mut monitor, &mut init);
    assert!(!init.is_over(id), "it was not read yet");
    assert_eq!(init.held(id), b"last");
    init.take(id, 4);
    assert!(init.is_over(id) && init.may_send(id));
    init.send(id, b"answer");
    init.finish(id);
    init.finish(id);
    assert_eq!(init.streams().len(), 0, "nothing of it is kept");
    exchange(&mut monitor, &mut init);
    assert_eq!(monitor.held(id), b"answer");
    assert_eq!(monitor.streams().len(), 1);
    monitor.take(id, 6);
    assert_eq!(monitor.streams().len(), 0);
}

#[test]
fn who_never_sends_says_when_it_has_taken_all() {
    let (mut monitor, mut init) = pair(SMALL);
    let to = monitor.open(StreamKind::ToPod).unwrap();
    let from = monitor.open(StreamKind::FromPod).unwrap();
    monitor.send(to, b"in");
    monitor.finish(to);
    exchange(&mut monitor, &mut init);
    init.send(from, b"out");
    init.finish(from);
    exchange(&mut monitor, &mut init);
    assert_eq!((monitor.streams().len(), init.streams().len()), (2, 2));
    init.take(to, 2);
    monitor.take(from, 3);
    assert_eq!((monitor.streams().len(), init.streams().len()), (1, 1));
    exchange(&mut monitor, &mut init);
    assert_eq!((monitor.streams().len(), init.streams().len()), (0, 0));
}

#[test]
fn a_stream_that_ends_before_anybody_knows_of_it_is_there_until_then() {
    let (mut monitor, mut init) = pair(SMALL);
    let input = monitor.open(StreamKind::ToPod).unwrap();
    let output = monitor.open(StreamKind::FromPod).unwrap();
    monitor.finish(input);
    monitor.stop(output);
    while carry(&mut monitor, &mut init, usize::MAX) > 0 {}
    assert_eq!(init.streams(), [input, output]);
    assert!(init.is_unclaimed(input) && init.is_unclaimed(output));
    assert!(init.was_stopped(output) && !init.was_stopped(input));
    assert!(!init.has_to_send());
    assert_eq!(init.claim(input), Some(StreamKind::ToPod));
    assert!(!init.is_unclaimed(input));
    assert_eq!(said(&mut init), [finish(1)]);
    assert_eq!(init.claim(output), Some(StreamKind::FromPod));
    assert_eq!(init.claim(output), None, "claimed once");
    assert_eq!(init.kind(output), Some(StreamKind::FromPod));
    init.finish(output);
    assert!(!init.was_stopped(output));
    assert_eq!((init.kind(input), init.claim(input)), (None, None));
    assert_eq!(
        (monitor.claim(input), monitor.is_unclaimed(input)),
        (None, false)
    );
    assert_eq!(
        (monitor.side(), init.side()),
        (Side::Monitor, Side::PodInit)
    );
}

#[test]
fn a_terminal_that_pod_init_has_closed_takes_no_input() {
    let (mut monitor, mut init) = pair(SMALL);
    let id = monitor.open(StreamKind::Terminal).unwrap();
    monitor.send(id, b"typed");
    exchange(&mut monitor, &mut init);
    init.send(id, b"bye");
    init.finish(id);
    exchange(&mut monitor, &mut init);
    assert!(!monitor.may_send(id));
    assert_eq!(monitor.held(id), b"bye");
    monitor.take(id, 3);
    assert!(monitor.is_over(id));
    monitor.finish(id);
    exchange(&mut monitor, &mut init);
    assert_eq!((monitor.streams().len(), init.streams().len()), (0, 0));
}

#[test]
fn a_stream_that_nobody_reads_holds_up_neither_messages_nor_other_streams() {
    let (mut monitor, mut init) = pair(SMALL);
    let stuck = monitor.open(StreamKind::FromPod).unwrap();
    let other = monitor.open(StreamKind::FromPod).unwrap();
    exchange(&mut monitor, &mut init);
    let mut written = 0;
    for _ in 0..100 {
        let room = init.room(stuck);
        init.send(stuck, &vec![1; room]);
        written += room;
        exchange(&mut monitor, &mut init);
    }
    assert_eq!((written, monitor.held(stuck).len()), (100, 100));
    init.send(other, b"hello");
    init.send_message(b"message").unwrap();
    exchange(&mut monitor, &mut init);
    assert_eq!(monitor.held(other), b"hello");
    assert_eq!(monitor.next_message().unwrap(), b"message");
    // It goes on when somebody reads.
    monitor.take(stuck, 50);
    exchange(&mut monitor, &mut init);
    assert_eq!(init.room(stuck), 50);
}

#[test]
fn messages_go_ahead_of_data_but_not_of_the_frame_that_is_being_sent() {
    let (mut monitor, mut init) = pair(Limits::default());
    let id = monitor.open(StreamKind::ToPod).unwrap();
    exchange(&mut monitor, &mut init);
    monitor.send(id, b"first");
    let begun = monitor.to_send()[..3].to_vec();
    monitor.sent(3);
    monitor.send(id, b"second");
    monitor.finish(id);
    monitor.send_message(b"message").unwrap();
    init.receive(&begun).unwrap();
    let rest = said_bytes(&mut monitor);
    init.receive(&rest).unwrap();
    let message = Frame::Message {
        part: b"message".to_vec(),
        last: true,
    };
    let position = |part: &[u8]| rest.windows(part.len()).position(|w| w == part).unwrap();
    assert!(position(b"first") < position(&bytes(std::slice::from_ref(&message))));
    assert!(position(b"message") < position(b"second"));
    assert_eq!(init.held(id), b"firstsecond");
}

fn said_bytes(side: &mut Multiplexer) -> Vec<u8> {
    let mut all = Vec::new();
    while side.has_to_send() {
        let bytes = side.to_send().to_vec();
        side.sent(bytes.len());
        all.extend(bytes);
    }
    all
}

#[test]
fn streams_take_turns() {
    // So large a window that the order alone decides.
    let limits = Limits {
        window: 1 << 20,
        ..Limits::default()
    };
    let (mut monitor, mut init) = pair(limits);
    let ids = [(); 3].map(|()| monitor.open(StreamKind::FromPod).unwrap());
    exchange(&mut monitor, &mut init);
    assert_eq!(init.streams(), ids);
    init.send(ids[0], b"x");
    assert_eq!(init.streams(), [ids[1], ids[2], ids[0]]);
    init.send(ids[1], b"x");
    assert_eq!(init.streams(), [ids[2], ids[0], ids[1]]);
    init.send(ids[2], b"x");
    assert_eq!(init.streams(), ids);
    // All have more to send than goes out at once, over a slow connection.
    let mut arrived = HashMap::new();
    for _ in 0..300 {
        for id in init.streams() {
            let room = init.room(id);
            init.send(id, &vec![0; room]);
        }
        carry(&mut init, &mut monitor, 40 << 10);
        carry(&mut monitor, &mut init, usize::MAX);
        for id in ids {
            let held = monitor.held(id).len();
            monitor.take(id, held);
            *arrived.entry(id).or_insert(0) += held;
        }
    }
    let (least, most) = (
        arrived.values().min().unwrap(),
        arrived.values().max().unwrap(),
    );
    assert!(most - least <= 2 * (64 << 10), "{arrived:?}");
    assert!(*least > 2_000_000, "{arrived:?}");
}

#[test]
fn who_wants_no_more_says_so_once_and_drops_what_is_on_the_way() {
    let (mut monitor, mut init) = pair(SMALL);
    let id = monitor.open(StreamKind::FromPod).unwrap();
    exchange(&mut monitor, &mut init);
    init.send(id, &[1; 60]);
    monitor.stop(id);
    monitor.stop(id);
    carry(&mut init, &mut monitor, usize::MAX);
    assert_eq!(monitor.held(id), b"");
    assert_eq!(said(&mut monitor), [stop(1)]);
    init.receive(&bytes(&[stop(1)])).unwrap();
    assert!(!init.may_send(id));
    init.send(id, b"nobody wants this");
    assert_eq!(init.room(id), 0);
    init.finish(id);
    exchange(&mut init, &mut monitor);
    assert_eq!((monitor.streams().len(), init.streams().len()), (0, 0));
}

#[test]
fn what_answers_a_stream_that_is_over_is_let_pass() {
    let (mut monitor, mut init) = pair(SMALL);
    let id = monitor.open(StreamKind::Terminal).unwrap();
    monitor.finish(id);
    monitor.receive(&bytes(&[stop(1), credit(1, 1)])).unwrap();
    assert!(!monitor.may_send(id));
    exchange(&mut monitor, &mut init);
    monitor.receive(&bytes(&[finish(1)])).unwrap();
    assert_eq!(monitor.streams().len(), 0, "a stop undoes no finish");
    monitor.receive(&bytes(&[credit(1, 50), stop(1)])).unwrap();
    let more = monitor.receive(&bytes(&[data(1, 1)]));
    assert_eq!(more, Err(MultiplexError::AfterFinish(1)));
}

#[test]
fn nobody_gets_credit_for_what_has_ended() {
    let (mut monitor, mut init) = pair(SMALL);
    let id = monitor.open(StreamKind::ToPod).unwrap();
    monitor.send(id, &[1; 60]);
    monitor.finish(id);
    exchange(&mut monitor, &mut init);
    init.take(id, 60);
    assert_eq!(said(&mut init), [finish(1)]);
}

#[test]
fn streams_are_counted_until_the_other_side_knows_that_they_are_over() {
    let (mut monitor, mut init) = pair(SMALL);
    let ids = [(); 4].map(|()| monitor.open(StreamKind::Terminal).unwrap());
    let full = Err(MultiplexError::TooManyStreams(4));
    assert_eq!(monitor.open(StreamKind::ToPod), full);
    exchange(&mut monitor, &mut init);
    init.finish(ids[2]);
    exchange(&mut monitor, &mut init);
    assert_eq!(monitor.open(StreamKind::ToPod), full);
    monitor.finish(ids[2]);
    // A new stream would be heard of before the end of the old one.
    assert_eq!(monitor.open(StreamKind::ToPod), full);
    monitor.to_send();
    let next = monitor.open(StreamKind::ToPod).unwrap();
    assert!(ids.iter().all(|id| *id < next), "no number comes again");
    exchange(&mut monitor, &mut init);
    assert_eq!(init.streams().len(), 4);
}

#[test]
fn an_end_is_answered_when_all_before_it_was_read() {
    let (mut monitor, mut init) = pair(SMALL);
    let output = monitor.open(StreamKind::FromPod).unwrap();
    let input = monitor.open(StreamKind::ToPod).unwrap();
    exchange(&mut monitor, &mut init);
    init.send(output, b"last words");
    init.send_message(b"finished").unwrap();
    init.end();
    init.end();
    assert_eq!(init.room(output), 0);
    init.send_message(b"never").unwrap();
    init.stop(input);
    init.finish(output);
    assert!(!init.other_has_ended());
    let words = said(&mut init);
    assert_eq!(words.last(), Some(&Frame::End));
    assert_eq!(words.len(), 3, "{words:?}");
    monitor.send(input, b"on its way");
    monitor.receive(&bytes(&words)).unwrap();
    assert!(monitor.other_has_ended());
    assert_eq!(monitor.next_message().unwrap(), b"finished");
    assert_eq!(monitor.held(output), b"last words");
    assert!(!monitor.is_over(output));
    monitor.take(output, 10);
    assert!(monitor.is_over(output) && !monitor.may_send(input));
    let answer = said(&mut monitor);
    assert_eq!(answer.last(), Some(&Frame::End));
    init.receive(&bytes(&answer)).unwrap();
    assert!(init.other_has_ended());
    assert!(!init.has_to_send() && !monitor.has_to_send());
    let after = monitor.receive(&bytes(&[credit(2, 1)]));
    assert_eq!(after, Err(MultiplexError::AfterEnd));
}

#[test]
fn what_came_before_the_other_side_was_gone_is_there() {
    let (mut monitor, mut init) = pair(SMALL);
    let output = monitor.open(StreamKind::FromPod).unwrap();
    let input = monitor.open(StreamKind::ToPod).unwrap();
    exchange(&mut monitor, &mut init);
    init.send(output, b"half a li");
    carry(&mut init, &mut monitor, usize::MAX);
    monitor.cut_off();
    assert_eq!(monitor.held(output), b"half a li");
    assert!(!monitor.may_send(input) && !monitor.is_over(output));
    monitor.take(output, 9);
    assert!(monitor.is_over(output));
}
