//! The socket that clients come to.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use pod::activation::ActivationSockets;

use crate::error::CriError;

/// How long an address is waited for that somebody listens on: it may be the shim's before this one, which has been killed.
const TAKEN_PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries. Nobody tells when an address is free again.
const TAKEN_INTERVAL: Duration = Duration::from_millis(50);

/// Begins to listen, also on an address that whoever was killed has not let go of yet.
///
/// # Errors
/// What `begin` says, in the end.
pub(crate) fn patiently<T, E>(
    is_taken: impl Fn(&E) -> bool,
    mut begin: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    let deadline = Instant::now() + TAKEN_PATIENCE;
    loop {
        match begin() {
            Err(error) if is_taken(&error) && Instant::now() < deadline => {
                thread::sleep(TAKEN_INTERVAL);
            }
            other => return other,
        }
    }
}

/// Listens on the socket that a service manager has handed over, or on one at this path.
///
/// # Errors
/// If there is no such socket, and none can be made.
pub(crate) fn begin(path: &Path) -> Result<UnixListener, CriError> {
    match handed_over()? {
        Some(listener) => Ok(listener),
        None => make(path),
    }
}

/// The socket that a service manager has handed over, if it has.
fn handed_over() -> Result<Option<UnixListener>, CriError> {
    let sockets = ActivationSockets::from_environment()
        .map_err(|error| CriError::invalid("LISTEN_FDS", error))?;
    let mut sockets = sockets.iter();
    let (first, more) = (sockets.next(), sockets.next());
    match (first, more) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(CriError::invalid(
            "LISTEN_FDS",
            "more than one socket is handed over",
        )),
        (Some(socket), None) => {
            let failed = || CriError::io("take over the socket of the service manager");
            let listener = socket.fd.try_clone().map_err(failed())?;
            let listener = UnixListener::from(listener);
            listener.local_addr().map_err(failed())?;
            listener.set_nonblocking(true).map_err(failed())?;
            Ok(Some(listener))
        }
    }
}

/// Makes a socket, in the place of that of one that was killed.
fn make(path: &Path) -> Result<UnixListener, CriError> {
    let failed = |what: &str| CriError::io(format!("{what} {}", path.display()));
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(failed("make the directory of"))?;
    }
    match fs::symlink_metadata(path) {
        Ok(there) if there.file_type().is_socket() => {
            if UnixStream::connect(path).is_ok() {
                let taken = io::Error::other("somebody listens there already");
                return Err(failed("listen on")(taken));
            }
            fs::remove_file(path).map_err(failed("remove"))?;
        }
        Ok(_) => {
            let other = io::Error::other("there is something else than a socket");
            return Err(failed("listen on")(other));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed("look at")(error)),
    }
    let listener = UnixListener::bind(path).map_err(failed("listen on"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed("protect"))?;
    listener
        .set_nonblocking(true)
        .map_err(failed("listen on"))?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_waited_for_until_it_is_free() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let mut taken = Some(taken);
        let mut tries = 0;
        let is_taken = |error: &io::Error| error.kind() == io::ErrorKind::AddrInUse;
        let listening = patiently(is_taken, || {
            tries += 1;
            // Whoever has it goes after a while.
            taken.take_if(|_| tries == 3);
            std::net::TcpListener::bind(address)
        });
        listening.unwrap();
        assert_eq!(tries, 3);
        let failed = patiently(is_taken, || {
            tries += 1;
            Err::<(), _>(io::ErrorKind::PermissionDenied.into())
        });
        failed.unwrap_err();
        assert_eq!(tries, 4);
    }

    #[test]
    fn a_socket_that_nobody_listens_on_is_taken_over_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("below/cri.sock");
        let first = make(&path).unwrap();
        let refused = make(&path).unwrap_err().to_string();
        assert!(
            refused.contains("somebody listens there already"),
            "{refused}"
        );
        drop(first);
        drop(make(&path).unwrap());
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let file = dir.path().join("file");
        fs::write(&file, "kept").unwrap();
        let refused = make(&file).unwrap_err().to_string();
        assert!(
            refused.contains("something else than a socket"),
            "{refused}"
        );
        assert_eq!(fs::read(&file).unwrap(), b"kept");
    }
}
