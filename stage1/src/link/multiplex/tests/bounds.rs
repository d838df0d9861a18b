//! Bounds, to the byte.

use super::*;
use crate::link::frames::HEADER;

/// So much credit that only other bounds count.
const WIDE: Limits = Limits {
    window: 1 << 20,
    ..SMALL
};

#[test]
fn all_that_is_held_is_counted_once() {
    let (mut monitor, mut init) = pair(SMALL);
    assert_eq!((monitor.bytes_held(), init.bytes_held()), (0, 0));
    let stream = monitor.open(StreamKind::ToPod).unwrap();
    exchange(&mut monitor, &mut init);
    // What waits to go out: messages and data.
    monitor.send_message(b"message").unwrap();
    assert_eq!(monitor.bytes_held(), HEADER + 7);
    monitor.send(stream, b"data!");
    assert_eq!(monitor.bytes_held(), 2 * HEADER + 12);
    let first = monitor.to_send().to_vec();
    assert_eq!(
        monitor.bytes_held(),
        2 * HEADER + 12,
        "it is still on its way"
    );
    monitor.sent(first.len());
    assert_eq!(monitor.to_send().len(), HEADER + 5);
    assert_eq!(monitor.bytes_held(), HEADER + 5);

    // What came: a message, data, the part of a message and the part of a frame.
    init.receive(&first).unwrap();
    assert_eq!(init.bytes_held(), 7);
    init.receive(&bytes(&[
        data(1, 20),
        open(2, StreamKind::ToPod),
        data(2, 30),
    ]))
    .unwrap();
    assert_eq!(init.bytes_held(), 57);
    let part = Frame::Message {
        part: vec![0; 100],
        last: false,
    };
    init.receive(&bytes(&[part])).unwrap();
    assert_eq!(init.bytes_held(), 157);
    init.receive(&bytes(&[data(1, 3)])[..HEADER + 1]).unwrap();
    assert_eq!(init.bytes_held(), 157 + HEADER + 1);
    init.take(id(1), 20);
    init.take(id(2), 30);
    assert_eq!(init.next_message().unwrap(), b"message");
    assert_eq!(init.bytes_held(), 100 + HEADER + 1);
}

#[test]
fn messages_wait_to_be_read_up_to_their_bound() {
    let each = size_of::<Vec<u8>>();
    // Thirty of these fill it, whatever they hold.
    let length = SMALL.messages / 30 - each;
    let mut init = alone(Side::PodInit);
    let mut message = Vec::new();
    write_message(&mut message, &vec![0; length]);
    for _ in 0..30 {
        assert!(init.wants_input());
        init.receive(&message).unwrap();
    }
    assert!(!init.wants_input());
    init.next_message().unwrap();
    assert!(init.wants_input());
    init.receive(&message).unwrap();
    assert!(!init.wants_input());
    for _ in 0..30 {
        init.next_message().unwrap();
    }
    assert!(init.wants_input() && init.next_message().is_none());
}

#[test]
fn messages_wait_to_be_sent_up_to_their_bound() {
    let mut monitor = alone(Side::Monitor);
    let room = SMALL.messages - 2 * (HEADER + 1000);
    for _ in 0..2 {
        monitor.send_message(&[0; 1000]).unwrap();
    }
    let beyond = monitor.send_message(&vec![0; room + 1]);
    assert_eq!(beyond, Err(MultiplexError::DoesNotRead));
    monitor.send_message(&vec![0; room]).unwrap();
    assert_eq!(monitor.send_message(&[]), Err(MultiplexError::DoesNotRead));
}

#[test]
fn a_message_in_parts_is_as_long_as_one_may_be_and_no_longer() {
    let part = |length, last| Frame::Message {
        part: vec![0; length],
        last,
    };
    let mut init = alone(Side::PodInit);
    init.receive(&bytes(&[part(400, false), part(600, true)]))
        .unwrap();
    assert_eq!(init.next_message().unwrap().len(), 1000);
    // The next one is counted anew.
    init.receive(&bytes(&[part(1000, true)])).unwrap();
    assert_eq!(init.next_message().unwrap().len(), 1000);
    let more = init.receive(&bytes(&[part(400, false), part(601, true)]));
    assert_eq!(more, Err(MultiplexError::MessageTooLong(1000)));
}

#[test]
fn data_waits_up_to_its_bound() {
    let (mut monitor, mut init) = pair(WIDE);
    let stream = monitor.open(StreamKind::ToPod).unwrap();
    exchange(&mut monitor, &mut init);
    let filled_to = |monitor: &mut Multiplexer, length: usize| {
        while monitor.data.len() < length {
            let missing = length - monitor.data.len();
            let bytes = missing.saturating_sub(HEADER).clamp(1, PAYLOAD_MAX);
            monitor.send(stream, &vec![0; bytes]);
        }
        assert_eq!(monitor.data.len(), length);
    };
    filled_to(&mut monitor, DATA_WAITING_MAX - 1);
    assert!(monitor.room(stream) > 0);
    while monitor.has_to_send() {
        let count = monitor.to_send().len();
        monitor.sent(count);
    }
    filled_to(&mut monitor, DATA_WAITING_MAX);
    assert_eq!(monitor.room(stream), 0);
}

#[test]
fn the_other_side_opens_as_many_streams_as_there_may_be() {
    let mut init = alone(Side::PodInit);
    let opened: Vec<_> = (1..=4)
        .map(|number| open(number, StreamKind::ToPod))
        .collect();
    init.receive(&bytes(&opened)).unwrap();
    let again = init.receive(&bytes(&[open(4, StreamKind::ToPod)]));
    assert_eq!(again, Err(MultiplexError::OpenedBefore(4)));
    let mut init = alone(Side::PodInit);
    init.receive(&bytes(&opened)).unwrap();
    let more = init.receive(&bytes(&[open(5, StreamKind::ToPod)]));
    assert_eq!(more, Err(MultiplexError::TooManyStreams(4)));
    let mut monitor = alone(Side::Monitor);
    let refused = monitor.receive(&bytes(&[open(1, StreamKind::ToPod)]));
    assert_eq!(refused, Err(MultiplexError::NotTheOpener(1)));
}

#[test]
fn what_is_held_at_most_is_the_sum_of_its_parts() {
    let limits = Limits {
        streams: 3,
        window: 1000,
        message: 70_000,
        messages: 500_000,
    };
    let streams = 3 * (1000 + 64);
    let data = 2 * ((64 << 10) + PAYLOAD_MAX + 8);
    let messages = 1_500_000 + 70_000;
    let expected = streams + data + messages + PAYLOAD_MAX + 7;
    assert_eq!(limits.most_held(7), expected);
}
