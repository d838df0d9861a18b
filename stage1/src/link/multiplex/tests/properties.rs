//! Whatever happens in whatever order.

use super::*;
use proptest::prelude::*;

/// What may happen in any order.
#[derive(Debug, Clone)]
enum Event {
    Open(StreamKind),
    Send(bool, prop::sample::Index, usize),
    Take(bool, prop::sample::Index, usize),
    Finish(bool, prop::sample::Index),
    Stop(bool, prop::sample::Index),
    Message(bool, usize),
    Carry(bool, usize),
}

fn any_event() -> impl Strategy<Value = Event> {
    let kind = prop_oneof![
        Just(StreamKind::ToPod),
        Just(StreamKind::FromPod),
        Just(StreamKind::Terminal)
    ];
    let index = any::<prop::sample::Index>;
    prop_oneof![
        2 => kind.prop_map(Event::Open),
        6 => (any::<bool>(), index(), 1_usize..150).prop_map(|(s, i, n)| Event::Send(s, i, n)),
        6 => (any::<bool>(), index(), 1_usize..150).prop_map(|(s, i, n)| Event::Take(s, i, n)),
        1 => (any::<bool>(), index()).prop_map(|(s, i)| Event::Finish(s, i)),
        1 => (any::<bool>(), index()).prop_map(|(s, i)| Event::Stop(s, i)),
        2 => (any::<bool>(), 0_usize..900).prop_map(|(s, n)| Event::Message(s, n)),
        8 => (any::<bool>(), 1_usize..200).prop_map(|(s, n)| Event::Carry(s, n)),
    ]
}

/// One direction of one stream, as its two users see it.
#[derive(Debug, Default)]
struct Expected {
    sent: Vec<u8>,
    taken: usize,
    stopped: bool,
    finished: bool,
}

proptest! {
    #[test]
    fn whatever_the_order_all_arrives_whole_and_in_order(
        events in prop::collection::vec(any_event(), 0..150),
    ) {
        let (mut monitor, mut init) = pair(SMALL);
        let mut opened: Vec<(StreamId, StreamKind)> = Vec::new();
        let mut streams: HashMap<(StreamId, bool), Expected> = HashMap::new();
        let mut messages: [VecDeque<Vec<u8>>; 2] = Default::default();
        let mut next = 0_u8;
        let rest = [(); 40].map(|()| [Event::Carry(true, 1000), Event::Carry(false, 1000)]);
        for (number, event) in events.into_iter().chain(rest.into_iter().flatten()).enumerate() {
            let any = |index: prop::sample::Index| match opened.len() {
                0 => None,
                count => Some(opened[index.index(count)]),
            };
            let chosen = |index| any(index).map(|(id, _)| id);
            match event {
                Event::Open(kind) => opened.extend(monitor.open(kind).ok().map(|id| (id, kind))),
                Event::Send(by_monitor, index, count) => {
                    let Some(id) = chosen(index) else { continue };
                    let side = if by_monitor { &mut monitor } else { &mut init };
                    let count = count.min(side.room(id));
                    let bytes: Vec<u8> = (0..count).map(|at| next.wrapping_add(at as u8)).collect();
                    next = next.wrapping_add(31);
                    side.send(id, &bytes);
                    streams.entry((id, by_monitor)).or_default().sent.extend(bytes);
                }
                Event::Take(by_monitor, index, count) => {
                    let Some(id) = chosen(index) else { continue };
                    let side = if by_monitor { &mut monitor } else { &mut init };
                    let held = side.held(id).to_vec();
                    let count = count.min(held.len());
                    let expected = streams.entry((id, !by_monitor)).or_default();
                    let sent = &expected.sent[expected.taken.min(expected.sent.len())..];
                    prop_assert!(sent.starts_with(&held), "{:?} is no start of {:?}", held, sent);
                    expected.taken += count;
                    side.take(id, count);
                }
                Event::Finish(by_monitor, index) => {
                    let Some((id, kind)) = any(index) else { continue };
                    let side = if by_monitor { &mut monitor } else { &mut init };
                    let known = side.streams().contains(&id);
                    side.finish(id);
                    let silent = match by_monitor {
                        true => StreamKind::FromPod,
                        false => StreamKind::ToPod,
                    };
                    let finished = known && kind != silent;
                    streams.entry((id, by_monitor)).or_default().finished |= finished;
                    // Closing a terminal stops it, too.
                    let closed = !by_monitor && known && kind == StreamKind::Terminal;
                    streams.entry((id, !by_monitor)).or_default().stopped |= closed;
                }
                Event::Stop(by_monitor, index) => {
                    let Some(id) = chosen(index) else { continue };
                    let side = if by_monitor { &mut monitor } else { &mut init };
                    let known = side.streams().contains(&id);
                    side.stop(id);
                    streams.entry((id, !by_monitor)).or_default().stopped |= known;
                }
                Event::Message(by_monitor, count) => {
                    let side = if by_monitor { &mut monitor } else { &mut init };
                    let message = vec![next; count];
                    if side.send_message(&message).is_ok() {
                        messages[usize::from(by_monitor)].push_back(message);
                    }
                }
                Event::Carry(by_monitor, count) => {
                    let (from, to) = match by_monitor {
                        true => (&mut monitor, &mut init),
                        false => (&mut init, &mut monitor),
                    };
                    carry(from, to, count);
                    claim_all(to);
                    while let Some(message) = to.next_message() {
                        let expected = messages[usize::from(by_monitor)].pop_front();
                        prop_assert_eq!(Some(message), expected);
                    }
                }
            }
            let most = SMALL.most_held(1000);
            prop_assert!(monitor.bytes_held() <= most && init.bytes_held() <= most, "{}", number);
        }
        // Nobody waits for what will not come: what was sent is there to be taken, and ends are seen.
        prop_assert!(!monitor.has_to_send() && !init.has_to_send());
        for ((id, by_monitor), expected) in streams {
            let side = if by_monitor { &mut init } else { &mut monitor };
            if !expected.stopped {
                let mut rest = Vec::new();
                while !side.held(id).is_empty() {
                    let held = side.held(id).to_vec();
                    side.take(id, held.len());
                    rest.extend(held);
                }
                prop_assert_eq!(&rest[..], &expected.sent[expected.taken..]);
            }
            if expected.finished {
                prop_assert!(side.is_over(id), "{:?}", id);
            }
        }
        prop_assert!(messages.iter().all(VecDeque::is_empty));
    }

    #[test]
    fn whoever_sends_what_never_makes_it_hold_more_than_its_limits(
        noise in prop::collection::vec(prop_oneof![
            (1_u32..6).prop_map(|n| open(n, StreamKind::Terminal)),
            (1_u32..6, 1_usize..60).prop_map(|(n, count)| data(n, count)),
            (1_u32..6).prop_map(finish),
            (1_u32..6).prop_map(stop),
            (1_u32..6, 1_u32..60).prop_map(|(n, bytes)| credit(n, bytes)),
            (1_usize..600, any::<bool>()).prop_map(|(count, last)| Frame::Message {
                part: vec![0; count],
                last,
            }),
        ], 0..200),
    ) {
        let mut init = alone(Side::PodInit);
        for frame in noise {
            if !init.wants_input() {
                init.next_message();
            }
            let before = init.bytes_held();
            if init.receive(&bytes(&[frame])).is_err() {
                break;
            }
            let most = SMALL.most_held(1000);
            prop_assert!(init.bytes_held() <= most, "{} after {}", init.bytes_held(), before);
        }
    }
}
