//! Opening files on which somebody may hold a lease (fcntl(2), `F_SETLEASE`), as file servers do.

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;

/// How long a holder has to give up its lease, once it has been asked. Those that mean well need milliseconds; the kernel
/// itself would wait for most of a minute, for each file.
const PATIENCE: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(5);

/// Opens a file by `open`, which does not wait and so is refused while there is a lease.
///
/// # Errors
/// What `open` answers; [`Errno::AGAIN`] if the lease is not given up in time.
pub(crate) fn open_leased(
    name: &CStr,
    open: impl Fn(&CStr) -> Result<OwnedFd, Errno>,
) -> Result<OwnedFd, Errno> {
    let mut deadline = None;
    loop {
        match open(name) {
            Err(Errno::AGAIN) => {
                let now = Instant::now();
                if now > *deadline.get_or_insert(now + PATIENCE) {
                    return Err(Errno::AGAIN);
                }
                std::thread::sleep(STEP);
            }
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs::File;

    use super::*;

    #[test]
    fn a_lease_is_waited_for_and_not_for_ever() {
        let tries = Cell::new(0);
        let file = || OwnedFd::from(File::open("/dev/null").unwrap());
        let until = |enough: u32| {
            tries.set(0);
            open_leased(c"file", |name| {
                assert_eq!(name, c"file");
                tries.set(tries.get() + 1);
                match tries.get() < enough {
                    true => Err(Errno::AGAIN),
                    false => Ok(file()),
                }
            })
        };
        until(1).unwrap();
        assert_eq!(tries.get(), 1);
        until(10).unwrap();
        let begun = Instant::now();
        assert_eq!(until(u32::MAX).unwrap_err(), Errno::AGAIN);
        assert!(begun.elapsed() >= PATIENCE);
        assert_eq!(
            open_leased(c"file", |_| Err(Errno::NOENT)).unwrap_err(),
            Errno::NOENT
        );
    }
}
