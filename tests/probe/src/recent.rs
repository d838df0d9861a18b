//! System calls that are younger than many filters, with arguments that do nothing.

use crate::attempt::shown;
use crate::sys::{call, in_child};

/// Each and its answer, which says whether the kernel has been asked.
pub(crate) fn recent_calls() -> Vec<String> {
    [
        ("cachestat", 451),
        ("fchmodat2", 452),
        ("map_shadow_stack", 453),
        ("futex_wake", 454),
        ("futex_wait", 455),
        ("futex_requeue", 456),
        ("statmount", 457),
        ("listmount", 458),
        ("mseal", 462),
        ("setxattrat", 463),
        ("getxattrat", 464),
        ("listxattrat", 465),
        ("removexattrat", 466),
        ("name_to_handle_at", libc::SYS_name_to_handle_at),
        ("adjtimex", libc::SYS_adjtimex),
        ("pidfd_getfd", libc::SYS_pidfd_getfd),
    ]
    .map(|(name, number)| {
        // No call has a use for these.
        let outcome = in_child(|| call(number, [-1, -1, -1, -1, -1, -1]));
        format!("{name} = {}", shown(&outcome))
    })
    .into()
}
