//! Memory for zstd: a decoder keeps a window of what came, as large as the sender says. Layers
//! that are inflated at once share one budget, so that memory stays within bounds whatever an image
//! says.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The largest window that is taken, as a power of two. Encoders use 8 MiB or less unless they are
/// asked for their utmost, and 32 MiB then.
const LARGE: u32 = 25;

/// The window that every decoder may have.
const SMALL: u32 = 23;

/// Bytes for all windows together.
const BUDGET: u64 = 1 << LARGE;

/// The memory for the windows of all zstd layers that are inflated at once: 32 MiB, which clones
/// share. Without enough of it, a layer waits for others to end.
#[derive(Clone, Debug, Default)]
pub struct WindowMemory(Arc<Budget>);

#[derive(Debug, Default)]
struct Budget {
    used: Mutex<u64>,
    freed: Condvar,
}

/// The right to a window of this size, given back when this is dropped.
#[derive(Debug)]
pub(super) struct Window {
    log: u32,
    memory: WindowMemory,
}

impl WindowMemory {
    /// Whether both are one memory, for tests of who shares it.
    #[cfg(any(test, feature = "fixture"))]
    #[must_use]
    pub fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Waits until there is memory for a window of `size` bytes. Whoever waits must not hold another.
    pub(super) fn reserve(&self, size: u64) -> Window {
        let log = if size <= 1 << SMALL { SMALL } else { LARGE };
        let Budget { used, freed } = &*self.0;
        let mut used = used.lock().unwrap_or_else(PoisonError::into_inner);
        while *used + (1 << log) > BUDGET {
            used = freed.wait(used).unwrap_or_else(PoisonError::into_inner);
        }
        *used += 1 << log;
        Window {
            log,
            memory: self.clone(),
        }
    }
}

impl Window {
    /// What the decoder may use, as a power of two.
    pub(super) fn log(&self) -> u32 {
        self.log
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let Budget { used, freed } = &*self.memory.0;
        let mut used = used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = used.saturating_sub(1 << self.log);
        freed.notify_all();
    }
}

/// The window in bytes that the first frame asks for (RFC 8878, 3.1.1.1); the largest where a
/// skippable frame comes first.
pub(super) fn declared(head: &[u8]) -> Result<u64, String> {
    let largest = 1_u64 << LARGE;
    let (Some([0x28, 0xb5, 0x2f, 0xfd]), Some(descriptor)) = (head.first_chunk(), head.get(4))
    else {
        return Ok(largest);
    };
    let rest = head.get(5..).unwrap_or_default();
    let size = if descriptor & 0x20 == 0 {
        let Some(window) = rest.first() else {
            return Ok(largest);
        };
        let base = 1_u64 << (10 + (window >> 3));
        base + base / 8 * u64::from(window & 7)
    } else {
        // One segment: the window is the content, whose size comes after the dictionary's number.
        let start = [0, 1, 2, 4].get(usize::from(descriptor & 3)).copied();
        let length = 1_usize << (descriptor >> 6);
        let Some(field) = rest
            .get(start.unwrap_or(0)..)
            .and_then(|rest| rest.get(..length))
        else {
            return Ok(largest);
        };
        let mut bytes = [0; 8];
        bytes
            .iter_mut()
            .zip(field)
            .for_each(|(to, from)| *to = *from);
        let size = u64::from_le_bytes(bytes);
        size + if length == 2 { 256 } else { 0 }
    };
    if size > largest {
        return Err(format!(
            "it needs a window of {size} bytes; the limit is {largest}"
        ));
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compressed(log: u32, length: usize, size_known: bool) -> Vec<u8> {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(log).unwrap();
        if size_known {
            encoder.set_pledged_src_size(Some(length as u64)).unwrap();
        }
        std::io::copy(
            &mut std::io::Read::take(std::io::repeat(7), length as u64),
            &mut encoder,
        )
        .unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_window_is_what_the_frame_says() {
        assert_eq!(declared(&compressed(20, 3 << 20, false)).unwrap(), 1 << 20);
        assert_eq!(declared(&compressed(23, 9 << 20, false)).unwrap(), 8 << 20);
        assert_eq!(declared(&compressed(23, 300, true)).unwrap(), 300);
        assert_eq!(declared(&compressed(23, 100, true)).unwrap(), 100);
        assert_eq!(declared(&compressed(23, 70_000, true)).unwrap(), 70_000);
        assert_eq!(declared(b"\x50\x2a\x4d\x18\0\0\0\0").unwrap(), 32 << 20);
        assert_eq!(declared(b"\x28\xb5\x2f\xfd").unwrap(), 32 << 20);
        let error = declared(&compressed(27, 200 << 20, false)).unwrap_err();
        assert!(error.contains("134217728"), "{error}");
    }

    #[test]
    fn one_large_window_at_a_time() {
        let memory = WindowMemory::default();
        let large = memory.reserve(9 << 20);
        let others = memory.clone();
        let (reserved, other) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let _small = others.reserve(1);
                reserved.send(()).unwrap();
            });
            assert_eq!(other.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty));
            drop(large);
            other.recv().unwrap();
        });
        let _both = (memory.reserve(1), memory.reserve(8 << 20));
    }

    #[test]
    fn who_has_memory_of_its_own_waits_for_nobody() {
        let (one, other) = (WindowMemory::default(), WindowMemory::default());
        let _all = one.reserve(32 << 20);
        let _all_of_the_other = other.reserve(32 << 20);
    }

    #[test]
    fn a_header_says_its_window_in_one_of_several_ways() {
        let of = |rest: &[u8]| declared(&[&[0x28, 0xb5, 0x2f, 0xfd], rest].concat());
        let largest = Ok(32 << 20);
        // An exponent and eighths of it.
        assert_eq!(of(&[0, 0]), Ok(1 << 10));
        assert_eq!(of(&[0, 0x51]), Ok((1 << 20) + (1 << 17)));
        assert_eq!(of(&[0, 0x57]), Ok((1 << 20) + 7 * (1 << 17)));
        assert_eq!(of(&[0, 15 << 3]), largest);
        assert!(of(&[0, 15 << 3 | 1]).is_err());
        // One segment: a size of one, two, four or eight bytes, behind the number of a dictionary.
        assert_eq!(of(&[0x20, 7]), Ok(7));
        assert_eq!(of(&[0x60, 1, 2]), Ok(0x201 + 256));
        assert_eq!(of(&[0xa0, 1, 2, 3, 0]), Ok(0x030201));
        assert_eq!(of(&[0xe0, 1, 2, 3, 0, 0, 0, 0, 0]), Ok(0x030201));
        assert_eq!(of(&[0x21, 9, 7]), Ok(7));
        assert_eq!(of(&[0x22, 9, 9, 7]), Ok(7));
        assert_eq!(of(&[0x23, 9, 9, 9, 9, 7]), Ok(7));
        assert!(of(&[0xa0, 0, 0, 0, 3]).is_err());
        // What is not all there may be anything.
        for short in [
            &[][..],
            &[0],
            &[0x20],
            &[0x60, 1],
            &[0xa0, 1, 2, 3],
            &[0x23, 9, 9, 9, 9],
        ] {
            assert_eq!(of(short), largest, "{short:?}");
        }
    }

    #[test]
    fn a_window_is_small_up_to_what_every_decoder_may_have() {
        let memory = WindowMemory::default();
        let log = |size| memory.reserve(size).log();
        assert_eq!((log(1), log(8 << 20)), (23, 23));
        assert_eq!((log((8 << 20) + 1), log(32 << 20)), (25, 25));
        let four: Vec<_> = (0..4).map(|_| memory.reserve(1)).collect();
        assert_eq!(*memory.0.used.lock().unwrap(), BUDGET);
        drop(four);
        assert_eq!(*memory.0.used.lock().unwrap(), 0);
    }
}
