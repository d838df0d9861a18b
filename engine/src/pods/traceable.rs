//! Whether the kernel lets others look into a process that has just become another user.

use crate::observer::{Observer, Warning};

/// What is then left of the borders between apps of one user is in SECURITY.
const SETTING: &str = "/proc/sys/fs/suid_dumpable";

/// Says so where it does.
pub(super) fn warn_where_it_is(observer: &dyn Observer) {
    if std::fs::read(SETTING).is_ok_and(|text| is_traceable(&text)) {
        observer.warning(Warning::Traceable);
    }
}

/// At 2, only root may look.
fn is_traceable(text: &[u8]) -> bool {
    text.trim_ascii() == b"1"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_of_the_three_settings_is_warned_of() {
        let warned = [b"0\n", b"1\n", b"2\n"].map(|text| is_traceable(text));
        assert_eq!(warned, [false, true, false]);
    }
}
