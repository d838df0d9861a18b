//! New inputs from old ones, by a generator of numbers that always starts alike.

/// Longest input that is made, in bytes.
const LONGEST: usize = 64 << 10;

/// Makes inputs.
pub(crate) struct Mutator<'a> {
    seeds: &'a [&'a [u8]],
    state: u64,
    input: Vec<u8>,
}

/// What parsers trip over.
const WORDS: [&[u8]; 20] = [
    b"\0",
    b"\xff",
    b"\x80",
    b"/",
    b"..",
    b"../",
    b".wh.",
    b".wh..wh..opq",
    b"\"",
    b"\\",
    b"=",
    b",",
    b" ",
    b"\n",
    b"-1",
    b"99999999999999999999",
    b"18446744073709551615",
    b"4294967295",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"ustar\x0000",
];

impl<'a> Mutator<'a> {
    pub(crate) fn new(name: &str, start: u64, seeds: &'a [&'a [u8]]) -> Self {
        // FNV-1a, so that targets with like seeds see other inputs.
        let state = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325 ^ start, |state, byte| {
                (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        Self {
            seeds,
            state,
            input: Vec::new(),
        }
    }

    pub(crate) fn next(&mut self) -> &[u8] {
        let seed = self.seed();
        self.input.clear();
        self.input.extend_from_slice(seed);
        for _ in 0..=self.below(6) {
            self.mutate();
        }
        self.input.truncate(LONGEST);
        &self.input
    }

    fn seed(&mut self) -> &'a [u8] {
        let at = self.below(self.seeds.len());
        self.seeds.get(at).copied().unwrap_or_default()
    }

    /// A number below `limit`, or zero (splitmix64).
    fn below(&mut self, limit: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % limit.max(1) as u64).unwrap_or_default()
    }

    fn mutate(&mut self) {
        let length = self.input.len();
        let at = self.below(length + 1);
        match self.below(9) {
            0 => {
                let bit = self.below(8);
                if let Some(byte) = self.input.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            1 => {
                let value = self.below(256).to_le_bytes()[0];
                if let Some(byte) = self.input.get_mut(at) {
                    *byte = value;
                }
            }
            2 => self.input.truncate(at),
            3 => {
                let end = at + self.below(length - at + 1).min(1024);
                self.input.drain(at..end);
            }
            4 => {
                let word = WORDS
                    .get(self.below(WORDS.len()))
                    .copied()
                    .unwrap_or_default();
                self.input.splice(at..at, word.iter().copied());
            }
            5 => {
                let word = WORDS
                    .get(self.below(WORDS.len()))
                    .copied()
                    .unwrap_or_default();
                for (byte, new) in self.input.iter_mut().skip(at).zip(word) {
                    *byte = *new;
                }
            }
            // A piece again, elsewhere.
            6 => {
                let end = at + self.below(length - at + 1).min(1024);
                let piece = self.input.get(at..end).unwrap_or_default().to_vec();
                let to = self.below(length + 1);
                self.input.splice(to..to, piece);
            }
            // A block of a tar again, elsewhere.
            7 => {
                let from = at / 512 * 512;
                let block = self.input.get(from..).unwrap_or_default();
                let block = block.get(..512).unwrap_or(block).to_vec();
                let to = self.below(length + 1) / 512 * 512;
                self.input.splice(to..to, block);
            }
            // The end of another seed.
            _ => {
                let other = self.seed();
                let from = self.below(other.len() + 1);
                self.input.truncate(at);
                self.input
                    .extend_from_slice(other.get(from..).unwrap_or_default());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(name: &str, start: u64) -> Vec<Vec<u8>> {
        let seeds: [&[u8]; 3] = [b"", b"seed", &[7; 2000]];
        let mut mutator = Mutator::new(name, start, &seeds);
        (0..500).map(|_| mutator.next().to_vec()).collect()
    }

    #[test]
    fn inputs_come_again_and_differ() {
        // What a failure's report says of them holds on any machine, and after this program has changed.
        let first = inputs("a", 0);
        let first: Vec<_> = first.iter().filter(|input| input.len() < 20).collect();
        let first: Vec<_> = first
            .iter()
            .take(4)
            .map(|i| i.escape_ascii().to_string())
            .collect();
        assert_eq!(first, ["se\\x00e\\x00", "", "\\xff\\xef", "=seed"]);
        assert_ne!(inputs("a", 0), inputs("b", 0));
        assert_ne!(inputs("a", 0), inputs("a", 1));
        let mut all = inputs("a", 0);
        all.sort();
        all.dedup();
        assert!(all.len() > 300, "{}", all.len());
        assert!(all.iter().all(|input| input.len() <= LONGEST));
    }
}
