//! A DNS server that knows one name.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use harness::Computer;

/// Answers until it is dropped.
pub(crate) struct DnsServer {
    asked: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl DnsServer {
    /// Listens on a computer; says that `name` is at `address`, and that there is no other.
    pub(crate) fn new(on: &Computer, listen: &str, name: &str, address: Ipv4Addr) -> Self {
        let socket = on.within(|| UdpSocket::bind(listen).expect("bind"));
        socket
            .set_read_timeout(Some(Duration::from_millis(50)))
            .expect("a timeout");
        let (asked, stop) = (
            Arc::<Mutex<Vec<_>>>::default(),
            Arc::<AtomicBool>::default(),
        );
        let (seen, stopped, name) = (asked.clone(), stop.clone(), name.to_owned());
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 1500];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let (question, wanted, is_a) = parse(&buffer[..length]);
                seen.lock().unwrap().push(wanted.clone());
                let answer = answer(
                    question,
                    (wanted == name).then_some(is_a.then_some(address)),
                );
                let _ = socket.send_to(&answer, from);
            }
        });
        Self {
            asked,
            stop,
            thread: Some(thread),
        }
    }

    /// The names that it was asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().unwrap();
        assert!(thread.join().is_ok() || std::thread::panicking());
    }
}

/// The message up to the end of its question, the name, and whether an IPv4 address is asked for.
fn parse(message: &[u8]) -> (&[u8], String, bool) {
    let (mut at, mut labels) = (12, Vec::new());
    while message[at] > 0 {
        let end = at + 1 + usize::from(message[at]);
        labels.push(String::from_utf8_lossy(&message[at + 1..end]).into_owned());
        at = end;
    }
    let end = at + 5;
    (
        &message[..end],
        labels.join("."),
        message[at + 1..at + 3] == [0, 1],
    )
}

/// `None` if there is no such name, `Some(None)` if it has no address of that kind.
fn answer(question: &[u8], found: Option<Option<Ipv4Addr>>) -> Vec<u8> {
    let mut answer = question.to_vec();
    let code = if found.is_some() { 0x80 } else { 0x83 };
    answer[2..4].copy_from_slice(&[0x85, code]);
    // One question; no more of what came than that.
    answer[4..12].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
    if let Some(Some(address)) = found {
        answer[7] = 1;
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(address.octets());
    }
    answer
}
