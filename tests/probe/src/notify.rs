//! An app that says something of itself by the protocol of sd_notify(3), as it should or as it should not.

use std::io::{self, PipeReader, Read};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use crate::sys;

fn socket() -> io::Result<UnixDatagram> {
    let path = std::env::var_os("NOTIFY_SOCKET").ok_or(io::ErrorKind::NotFound)?;
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    Ok(socket)
}

/// Sends these lines in one datagram.
pub(crate) fn say(lines: &[String]) -> io::Result<()> {
    socket()?.send(lines.join("\n").as_bytes()).map(drop)
}

/// Waits until all that was said before has been heard.
pub(crate) fn barrier() -> io::Result<()> {
    let (mut reader, writer): (PipeReader, _) = io::pipe()?;
    let socket = socket()?;
    sys::send_descriptor(socket.as_raw_fd(), b"BARRIER=1", writer.as_raw_fd())?;
    drop(writer);
    reader.read_to_end(&mut Vec::new()).map(drop)
}

/// Says as much as it can for some seconds: long messages, with descriptors, that are not for an app to say. The result is
/// how many.
pub(crate) fn flood(seconds: u64) -> io::Result<u64> {
    let socket = socket()?;
    socket.set_nonblocking(true)?;
    let file = std::fs::File::open("/proc/self/exe")?;
    let short = b"STATUS=flood\nREADY=1\nMAINPID=1\nFDSTORE=1".to_vec();
    let long = [b"RELOADING=1\nSTATUS=".as_slice(), &vec![b'x'; 60_000]].concat();
    let begun = Instant::now();
    let mut said = 0;
    while begun.elapsed() < Duration::from_secs(seconds) {
        for text in [&short, &long] {
            said +=
                u64::from(sys::send_descriptor(socket.as_raw_fd(), text, file.as_raw_fd()).is_ok());
        }
    }
    Ok(said)
}
