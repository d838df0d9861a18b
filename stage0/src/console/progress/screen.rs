//! What a transfer looks like on a terminal of some size.

use std::time::{Duration, Instant};

use image_name::Digest;

use crate::console::table::size;

/// Time over which a rate is taken.
const SPAN: Duration = Duration::from_secs(1);

/// Digits of a digest that are shown.
const DIGITS: usize = 12;

/// How far a layer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// In the store before.
    Present,
    /// Its turn has not come.
    Waiting,
    /// Another command works on it.
    Elsewhere,
    /// On its way.
    Coming,
    /// Checked, and in place.
    Done,
}

/// A layer.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) state: State,
    bytes: u64,
    /// When the rate was last taken, and the bytes at that time.
    mark: Option<(Instant, u64)>,
    /// Bytes in a second.
    rate: Option<u64>,
}

impl Layer {
    pub(super) fn new(digest: Digest, size: u64, state: State) -> Self {
        Self {
            digest,
            size,
            state,
            bytes: 0,
            mark: None,
            rate: None,
        }
    }

    /// Whether there is something to come.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.state, State::Present | State::Done)
    }

    /// So many bytes have come.
    pub(super) fn received(&mut self, bytes: u64, now: Instant) {
        self.state = State::Coming;
        self.bytes = bytes;
        let (since, before) = *self.mark.get_or_insert((now, bytes));
        let elapsed = now.saturating_duration_since(since);
        // The first rate is told soon, and the others stand for a while.
        if elapsed >= SPAN || (self.rate.is_none() && elapsed >= SPAN / 4) {
            let rate = u128::from(bytes.saturating_sub(before)) * 1000 / elapsed.as_millis().max(1);
            self.rate = u64::try_from(rate).ok();
            self.mark = Some((now, bytes));
        }
    }

    fn line(&self, finishing: &str) -> String {
        let name: String = self.digest.hex().chars().take(DIGITS).collect();
        let state = match self.state {
            State::Present => "is there".to_owned(),
            State::Waiting => "waiting".to_owned(),
            State::Elsewhere => "waiting for another command that fetches it".to_owned(),
            State::Coming if self.bytes >= self.size => finishing.to_owned(),
            State::Coming => {
                let so_far = format!("{} of {}", size(self.bytes), size(self.size));
                match self.rate {
                    Some(rate) => format!("{so_far}, {}/s", size(rate)),
                    None => so_far,
                }
            }
            State::Done => format!("done, {}", size(self.size)),
        };
        format!("  {name}  {state}")
    }
}

/// How much of what has to come has come, in bytes.
pub(super) fn amounts(layers: &[Layer]) -> (u64, u64) {
    let coming = layers.iter().filter(|layer| layer.state != State::Present);
    coming.fold((0_u64, 0_u64), |(bytes, all), layer| {
        let so_far = if layer.is_open() {
            layer.bytes
        } else {
            layer.size
        };
        (bytes.saturating_add(so_far), all.saturating_add(layer.size))
    })
}

/// The lines to be shown in `(rows, columns)`: a sum, and as many layers as there is room for, those first
/// at which something happens.
pub(super) fn lines(
    name: &str,
    layers: &[Layer],
    finishing: &str,
    (rows, columns): (usize, usize),
) -> Vec<String> {
    // The last row is the cursor's, and a character in the last column would begin a new line.
    let (room, width) = (rows.saturating_sub(2), columns.saturating_sub(1));
    let done = layers.iter().filter(|layer| !layer.is_open()).count();
    let (bytes, all) = amounts(layers);
    let sum = format!(
        "{name}: {} of {}, {done} of {} layers",
        size(bytes),
        size(all),
        layers.len()
    );
    let mut shown: Vec<usize> = (0..layers.len()).collect();
    if layers.len() > room {
        let rank = |index: &usize| match layers.get(*index).map(|layer| layer.state) {
            Some(State::Coming) => 0,
            Some(State::Elsewhere) => 1,
            Some(State::Waiting) => 2,
            _ => 3,
        };
        shown.sort_by_key(rank);
        shown.truncate(room);
        shown.sort_unstable();
    }
    let layers = shown.into_iter().filter_map(|index| layers.get(index));
    std::iter::once(sum)
        .chain(layers.map(|layer| layer.line(finishing)))
        .map(|line| line.chars().take(width).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(digit: char, state: State) -> Layer {
        let digest = format!("sha256:{}", String::from(digit).repeat(64));
        Layer::new(digest.parse().unwrap(), 4 << 20, state)
    }

    fn shown(layers: &[Layer], size: (usize, usize)) -> Vec<String> {
        lines("a.io/b:1", layers, "extracting", size)
    }

    #[test]
    fn each_layer_tells_its_state() {
        let start = Instant::now();
        let mut coming = layer('d', State::Waiting);
        coming.received(1 << 20, start);
        let mut measured = layer('e', State::Waiting);
        measured.received(0, start);
        measured.received(3 << 20, start + Duration::from_secs(2));
        let mut whole = layer('f', State::Waiting);
        whole.received(4 << 20, start);
        let layers = [
            layer('a', State::Present),
            layer('b', State::Waiting),
            layer('c', State::Elsewhere),
            coming,
            measured,
            whole,
            layer('0', State::Done),
        ];
        assert_eq!(
            shown(&layers, (24, 80)),
            [
                "a.io/b:1: 12.0 MiB of 24.0 MiB, 2 of 7 layers",
                "  aaaaaaaaaaaa  is there",
                "  bbbbbbbbbbbb  waiting",
                "  cccccccccccc  waiting for another command that fetches it",
                "  dddddddddddd  1.0 MiB of 4.0 MiB",
                "  eeeeeeeeeeee  3.0 MiB of 4.0 MiB, 1.5 MiB/s",
                "  ffffffffffff  extracting",
                "  000000000000  done, 4.0 MiB",
            ]
        );
    }

    #[test]
    fn small_windows_show_what_matters() {
        let layers = [
            layer('a', State::Done),
            layer('b', State::Waiting),
            layer('c', State::Coming),
            layer('d', State::Elsewhere),
        ];
        assert_eq!(
            shown(&layers, (4, 20)),
            [
                "a.io/b:1: 4.0 MiB o",
                "  cccccccccccc  0 B",
                "  dddddddddddd  wai"
            ]
        );
        assert_eq!(shown(&layers, (1, 1)), [""]);
    }
}
