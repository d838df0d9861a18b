//! Writing to the disk while there is other work to do.

use std::fs::File;
use std::num::NonZero;
use std::ops::Range;

use rustix::fs::{Advice, fadvise};

/// Begins to bring this part of a file to the disk. What is written while there is other work to do
/// is not waited for at the end, when there is none.
pub(crate) fn start_writing(file: &File, part: Range<u64>) {
    let length = NonZero::new(part.end.saturating_sub(part.start));
    // The advice begins to write what is dirty, and gives up the memory of what was written before. It
    // is a hint: what is not written now is written by the sync that whoever unpacks ends with.
    fadvise(file, part.start, length, Advice::DontNeed).unwrap_or_default();
}
