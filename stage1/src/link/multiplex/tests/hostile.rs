//! What the other side may not do, what it may just do, and what is held at most.

use super::*;
use crate::link::frames::FrameError;
use crate::link::greeting::NoHello;

#[test]
fn the_other_side_can_only_end_the_connection() {
    use MultiplexError as E;
    let to = |number| open(number, StreamKind::ToPod);
    let from = |number| open(number, StreamKind::FromPod);
    let hello = Frame::Hello(crate::link::frames::Hello {
        own: [3; 16],
        heard: [1; 16],
    });
    let message = |count, last| Frame::Message {
        part: vec![0; count],
        last,
    };
    let cases: Vec<(Vec<Frame>, MultiplexError)> = vec![
        (vec![hello.clone()], E::BeganAnew),
        (vec![to(5), to(5)], E::OpenedBefore(5)),
        (vec![to(5), to(4)], E::OpenedBefore(4)),
        ((1..=5).map(to).collect(), E::TooManyStreams(4)),
        (vec![data(1, 1)], E::UnknownStream(1)),
        (vec![to(1), finish(2)], E::UnknownStream(2)),
        (vec![to(1), stop(2)], E::UnknownStream(2)),
        (vec![to(1), credit(2, 1)], E::UnknownStream(2)),
        (vec![to(1), data(1, 101)], E::BeyondWindow(1)),
        (vec![to(1), data(1, 100), data(1, 1)], E::BeyondWindow(1)),
        (vec![to(1), finish(1), data(1, 1)], E::AfterFinish(1)),
        (vec![to(1), finish(1), finish(1)], E::AfterFinish(1)),
        (vec![to(1), credit(1, 1)], E::TooMuchCredit(1)),
        (vec![from(1), data(1, 1)], E::BeyondWindow(1)),
        (vec![from(1), finish(1), finish(1)], E::AfterFinish(1)),
        (vec![from(1), credit(1, 1)], E::TooMuchCredit(1)),
        (
            vec![message(500, false), message(501, true)],
            E::MessageTooLong(1000),
        ),
        (vec![Frame::End, to(1)], E::AfterEnd),
        (vec![Frame::End, Frame::End], E::AfterEnd),
    ];
    for (frames, expected) in cases {
        let mut init = alone(Side::PodInit);
        assert_eq!(init.receive(&bytes(&frames)), Err(expected), "{frames:?}");
    }
    let mut init = alone(Side::PodInit);
    let error = init.receive(&[255; 8]).unwrap_err();
    assert_eq!(error, E::Frame(FrameError::UnknownKind(255)));
    let mut monitor = alone(Side::Monitor);
    assert_eq!(monitor.receive(&bytes(&[to(1)])), Err(E::NotTheOpener(1)));
    let mut init = Multiplexer::new(Side::PodInit, SMALL, [2; 16]);
    let noise = vec![0; 2 << 20];
    assert_eq!(init.receive(&noise), Err(E::NoHello(NoHello)));
}

#[test]
fn what_is_just_allowed_is_taken() {
    let mut init = alone(Side::PodInit);
    let message = |count, last| Frame::Message {
        part: vec![0; count],
        last,
    };
    let frames = [
        open(1, StreamKind::ToPod),
        open(7, StreamKind::FromPod),
        open(8, StreamKind::Terminal),
        open(9, StreamKind::ToPod),
        data(1, 100),
        data(8, 100),
        finish(8),
        message(500, false),
        message(500, true),
        message(1000, true),
    ];
    init.receive(&bytes(&frames)).unwrap();
    assert_eq!(init.next_message().unwrap().len(), 1000);
    init.send(id(7), &[0; 30]);
    init.receive(&bytes(&[credit(7, 30)])).unwrap();
    assert_eq!(init.room(id(7)), 100);
    let more = init.receive(&bytes(&[credit(7, 1)]));
    assert_eq!(more, Err(MultiplexError::TooMuchCredit(7)));
}

#[test]
fn who_does_not_read_is_not_told_more_and_more() {
    let mut monitor = alone(Side::Monitor);
    for _ in 0..2 {
        monitor.send_message(&[0; 1000]).unwrap();
    }
    let third = monitor.send_message(&[0; 1000]);
    assert_eq!(third, Err(MultiplexError::DoesNotRead));
    assert!(monitor.bytes_held() < SMALL.messages);
    said(&mut monitor);
    monitor.send_message(&[0; 1000]).unwrap();
    // Nor does it get credit, however much it sends.
    let mut init = alone(Side::PodInit);
    init.receive(&bytes(&[open(1, StreamKind::ToPod)])).unwrap();
    init.send_message(b"stuck").unwrap();
    init.to_send();
    init.sent(1);
    for _ in 0..2 {
        init.receive(&bytes(&[data(1, 50)])).unwrap();
        init.take(id(1), 50);
    }
    assert!(init.bytes_held() < 100);
    let more = init.receive(&bytes(&[data(1, 1)]));
    assert_eq!(more, Err(MultiplexError::BeyondWindow(1)));
}

#[test]
fn messages_that_nobody_reads_stop_the_connection_for_a_while() {
    let mut init = alone(Side::PodInit);
    let mut message = Vec::new();
    write_message(&mut message, &[0; 999]);
    for _ in 0..3 {
        assert!(init.wants_input());
        init.receive(&message).unwrap();
    }
    assert!(!init.wants_input());
    init.next_message().unwrap();
    assert!(init.wants_input());
    // Empty ones take room, too.
    let mut init = alone(Side::PodInit);
    let mut empty = Vec::new();
    write_message(&mut empty, &[]);
    init.receive(&empty.repeat(1000)).unwrap();
    assert!(!init.wants_input());
}

#[test]
fn data_that_waits_is_bounded_whatever_credit_there_is() {
    let limits = Limits {
        streams: 100,
        ..Limits::default()
    };
    let (mut monitor, mut init) = pair(limits);
    for _ in 0..100 {
        let id = monitor.open(StreamKind::ToPod).unwrap();
        let room = monitor.room(id);
        monitor.send(id, &vec![0; room]);
    }
    assert!(
        monitor.bytes_held() < 2 * DATA_WAITING_MAX,
        "{}",
        monitor.bytes_held()
    );
    exchange(&mut monitor, &mut init);
    assert_eq!(monitor.bytes_held(), 0);
    assert_eq!(monitor.room(id(100)), PAYLOAD_MAX);
}

#[test]
fn no_more_is_sent_than_there_is_room_for() {
    let (mut monitor, mut init) = pair(SMALL);
    let id = monitor.open(StreamKind::ToPod).unwrap();
    monitor.send(id, &[1; 1000]);
    assert_eq!(monitor.room(id), 0);
    monitor.send(id, b"nothing");
    exchange(&mut monitor, &mut init);
    assert_eq!(init.held(id), [1; 100]);
    init.take(id, 49);
    assert!(!init.has_to_send());
    init.take(id, 1);
    assert!(init.has_to_send());
    assert_eq!(said(&mut init), [credit(1, 50)]);
}
