//! A client of any kind: for the fuzz targets.

use std::time::{Duration, Instant};

use super::pair::{Ending, Incoming};
use super::pairs::Pairs;
use crate::http::Upgrade;

/// Takes what a client sends, and answers as ports would. What was taken in is no more than what
/// was sent, and each pair is connected once.
pub(crate) fn fuzz(upgrade: &Upgrade, data: &[u8], now: Instant) {
    let Ok(mut pairs) = Pairs::new(upgrade, &[80, 81]) else {
        return;
    };
    let (mut taken, mut connected) = (0, Vec::new());
    for piece in data.chunks(50) {
        let result = pairs.receive(piece, now);
        while let Some(incoming) = pairs.incoming() {
            match incoming {
                Incoming::Connect(pair, port) => {
                    assert!(port > 0 && !connected.contains(&pair));
                    connected.push(pair);
                }
                Incoming::Data(pair, bytes) => {
                    assert!(connected.contains(&pair));
                    taken += bytes.len();
                    pairs.send(pair, &bytes);
                }
                Incoming::End(pair) => pairs.end(pair),
                Incoming::Reset(pair) => pairs.finish(pair, Ending::Done),
                Incoming::Gone => break,
            }
        }
        pairs.output().clear();
        if let Err(violation) = result {
            pairs.refuse(&violation);
            break;
        }
    }
    assert!(taken <= data.len());
    assert_eq!(pairs.expire(now + Duration::from_secs(1)), None);
    for pair in connected {
        pairs.finish(pair, Ending::Failed("refused"));
    }
}
