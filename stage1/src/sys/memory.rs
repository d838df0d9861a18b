//! Giving memory back that only the start needed.

use std::ffi::{c_int, c_void};
use std::ptr;

use rustix::mm::{Advice, madvise};

/// Whole pages of a file mapping that is never written.
#[derive(Debug, Clone, Copy)]
struct Part {
    start: *mut c_void,
    length: usize,
}

/// The memory that the program's code and constants take up in this process.
#[derive(Debug, Default)]
pub struct ProgramMemory(Vec<Part>);

impl ProgramMemory {
    /// That of this program.
    pub fn find() -> Self {
        let mut found = Self::default();
        // SAFETY: the callback matches the signature, is only called during this call, and gets what is passed here.
        unsafe { libc::dl_iterate_phdr(Some(add_segments), (&raw mut found).cast()) };
        found
    }

    /// Gives it back: it stays in the page cache, and what is still needed is mapped again when it is touched. So little
    /// should run before the next wait. This is in its caller's code, and makes its system calls without the C library.
    ///
    /// For a process that has done much at its start and now waits: of the megabyte that starting a pod touches, waiting
    /// for its end needs a fraction.
    #[inline(always)]
    pub fn release(&self) {
        for part in &self.0 {
            // SAFETY: whole pages of a file mapping that was never written: the kernel maps the same bytes again on the
            // next access.
            let _ = unsafe { madvise(part.start, part.length, Advice::LinuxDontNeed) };
        }
    }
}

extern "C" fn add_segments(
    info: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    found: *mut c_void,
) -> c_int {
    const PAGE: u64 = 4096;
    // SAFETY: dl_iterate_phdr passes a valid structure, whose table has that many entries, and what find passed to it.
    let (base, segments, found) = unsafe {
        let info = &*info;
        (
            info.dlpi_addr,
            std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()),
            &mut *found.cast::<ProgramMemory>(),
        )
    };
    for segment in segments {
        let untouched = segment.p_type == libc::PT_LOAD && segment.p_flags & libc::PF_W == 0;
        let start = (base + segment.p_vaddr).next_multiple_of(PAGE);
        let end = (base + segment.p_vaddr + segment.p_filesz) / PAGE * PAGE;
        if untouched && start < end {
            found.0.push(Part {
                start: ptr::with_exposed_provenance_mut(start as usize),
                length: (end - start) as usize,
            });
        }
    }
    0
}
