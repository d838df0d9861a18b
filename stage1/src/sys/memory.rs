//! Giving memory back that only the start needed.

use std::ffi::c_int;
use std::ptr;

/// Gives back the memory that the program's code and constants take up in this process: they stay in the page
/// cache, and what is still needed is mapped again when it is touched.
///
/// For a process that has done much at its start and now waits: of the megabyte that starting a pod touches, waiting
/// for its end needs a fraction.
pub fn release_program_memory() {
    // SAFETY: the callback matches the signature and is only called during this call.
    unsafe { libc::dl_iterate_phdr(Some(release_segments), ptr::null_mut()) };
}

extern "C" fn release_segments(
    info: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    _data: *mut libc::c_void,
) -> c_int {
    const PAGE: u64 = 4096;
    // SAFETY: dl_iterate_phdr passes a valid structure, whose table has that many entries.
    let (base, segments) = unsafe {
        let info = &*info;
        (
            info.dlpi_addr,
            std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()),
        )
    };
    for segment in segments {
        let untouched = segment.p_type == libc::PT_LOAD && segment.p_flags & libc::PF_W == 0;
        let start = (base + segment.p_vaddr).next_multiple_of(PAGE);
        let end = (base + segment.p_vaddr + segment.p_filesz) / PAGE * PAGE;
        if untouched && start < end {
            // SAFETY: whole pages of a file mapping that was never written: the kernel maps the same
            // bytes again on the next access.
            unsafe {
                libc::madvise(
                    ptr::with_exposed_provenance_mut(start as usize),
                    (end - start) as usize,
                    libc::MADV_DONTNEED,
                )
            };
        }
    }
    0
}
