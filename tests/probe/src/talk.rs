//! Apps that say much, at a steady rate, or answer who asks.

use std::io::Write;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// Writes lines of so many bytes, several of them at once so that each write is about as long as `chunk`, for some seconds
/// and so many bytes in each.
pub(crate) fn talk(rate: u64, line: usize, chunk: usize, seconds: u64) -> std::io::Result<()> {
    let mut text = vec![b'x'; line.max(1)];
    if let Some(last) = text.last_mut() {
        *last = b'\n';
    }
    let bytes = text.repeat((chunk / text.len()).max(1));
    let mut out = std::io::stdout().lock();
    let begun = Instant::now();
    let end = Duration::from_secs(seconds);
    let mut written = 0_u64;
    loop {
        let elapsed = begun.elapsed();
        if elapsed >= end {
            return Ok(());
        }
        let due = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX) * rate / 1_000_000;
        if written > due {
            // As programs do that have something to write a thousand times a second.
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }
        out.write_all(&bytes)?;
        out.flush()?;
        written += bytes.len() as u64;
    }
}

/// Answers each datagram that comes to a port, by either family of addresses.
pub(crate) fn answer(port: u16) -> std::io::Result<()> {
    let socket = UdpSocket::bind(("::", port))?;
    let mut question = [0; 512];
    loop {
        let (length, from) = socket.recv_from(&mut question)?;
        let mut answer = question.iter().copied().take(length).collect::<Vec<_>>();
        answer.extend(b", too");
        socket.send_to(&answer, from)?;
    }
}
