use super::*;
use proptest::prelude::*;

fn server() -> Connection {
    Connection::new(Role::Server)
}

fn events(connection: &mut Connection) -> Vec<Event> {
    std::iter::from_fn(|| connection.event()).collect()
}

/// Whole messages, put together of their parts.
fn messages(events: Vec<Event>) -> Vec<Vec<u8>> {
    let mut messages: Vec<Vec<u8>> = Vec::new();
    for event in events {
        if let Event::Part { first, bytes, .. } = event {
            if first {
                messages.push(Vec::new());
            }
            messages.last_mut().unwrap().extend(bytes);
        }
    }
    messages
}

proptest! {
    #[test]
    fn messages_arrive_however_they_are_cut(
        sent in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..6),
        cut in 1..50usize,
        from_client: bool,
    ) {
        let (sender, receiver) = match from_client {
            true => (Role::Client, Role::Server),
            false => (Role::Server, Role::Client),
        };
        let (mut sender, mut receiver) = (Connection::new(sender), Connection::new(receiver));
        for message in &sent {
            sender.send(false, &[message]);
        }
        for piece in sender.output().chunks(cut) {
            receiver.receive(piece).unwrap();
        }
        prop_assert_eq!(messages(events(&mut receiver)), sent);
    }
}

#[test]
fn the_examples_of_the_specification_are_read() {
    // RFC 6455, 5.7: "Hello" masked, and in two parts with a ping between them.
    let masked = [
        0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
    ];
    let mut connection = server();
    connection.receive(&masked).unwrap();
    assert_eq!(messages(events(&mut connection)), [b"Hello"]);
    let mut connection = Connection::new(Role::Client);
    connection.receive(&[0x01, 0x03, 0x48, 0x65, 0x6c]).unwrap();
    connection
        .receive(&[0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f])
        .unwrap();
    assert_eq!(connection.output()[..2], [0x8a, 0x85]);
    connection.receive(&[0x80, 0x02, 0x6c, 0x6f]).unwrap();
    assert_eq!(messages(events(&mut connection)), [b"Hello"]);
}

#[test]
fn what_breaks_the_order_or_is_not_masked_is_refused() {
    let mask = [0; 4];
    let frame = |first: u8| [&[first, 0x80][..], &mask].concat();
    for (frames, violation) in [
        (vec![vec![0x82, 0]], Violation::Mask),
        (vec![frame(0x80)], Violation::Order),
        (vec![frame(0x02), frame(0x82)], Violation::Order),
        (
            vec![frame(0x02), frame(0x80), frame(0x80)],
            Violation::Order,
        ),
    ] {
        let bytes = frames.concat();
        assert_eq!(server().receive(&bytes), Err(violation), "{bytes:?}");
    }
}

#[test]
fn a_close_is_answered_and_nothing_counts_after_it() {
    let (mut client, mut connection) = (Connection::new(Role::Client), server());
    client.close(1000, "done");
    client.closed_here = false;
    client.send(true, &[b"late"]);
    connection.receive(client.output()).unwrap();
    assert_eq!(events(&mut connection), [Event::Closed(Some(1000))]);
    assert_eq!(connection.output(), &[0x88, 2, 0x03, 0xe8]);
    connection.send(true, &[b"late"]);
    assert_eq!(connection.output().len(), 4);
}

#[test]
fn a_frame_of_any_length_costs_what_has_come_of_it() {
    let mut connection = server();
    let head = [
        0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0,
    ];
    connection.receive(&head).unwrap();
    connection.receive(b"abc").unwrap();
    let bytes = b"abc".to_vec();
    assert_eq!(
        events(&mut connection),
        [Event::Part {
            first: true,
            last: false,
            bytes
        }]
    );
}
