//! Serves metrics to Prometheus: one path, one request for each connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::exposition::text;
use super::listed::of_all;
use crate::error::CriError;
use crate::journal::{self, Priority};
use crate::listen::patiently;
use crate::shim::Shim;

/// How long a client may be silent.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of a request that are read.
const REQUEST_MAX: u64 = 16 << 10;
/// Most clients at once; more are closed.
const CLIENTS_MAX: usize = 8;

/// Serves `/metrics` at this address from now on.
///
/// # Errors
/// If nobody can listen there.
pub(crate) fn serve(shim: &Arc<Shim>, address: SocketAddr) -> Result<(), CriError> {
    let is_taken = |error: &io::Error| error.kind() == io::ErrorKind::AddrInUse;
    let listener = patiently(is_taken, || TcpListener::bind(address))
        .map_err(CriError::io(format!("serve metrics at {address}")))?;
    let shim = Arc::clone(shim);
    let thread = thread::Builder::new().name("metrics".to_owned());
    thread
        .spawn(move || accept(&shim, &listener))
        .map_err(CriError::io("start a thread"))?;
    Ok(())
}

fn accept(shim: &Arc<Shim>, listener: &TcpListener) {
    let clients = Arc::new(AtomicUsize::new(0));
    for client in listener.incoming() {
        let client = match client {
            Ok(client) => client,
            Err(error) => {
                journal::line(Priority::Warning, &format!("metrics: {error}"));
                // As many descriptors as there are, are open: some will be closed.
                thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        if clients.fetch_add(1, Ordering::Relaxed) >= CLIENTS_MAX {
            clients.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (shim, count) = (Arc::clone(shim), Arc::clone(&clients));
        let served = thread::Builder::new().spawn(move || {
            // Who goes away needs no answer.
            let _ = answer(&shim, &client);
            count.fetch_sub(1, Ordering::Relaxed);
        });
        if served.is_err() {
            clients.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn answer(shim: &Shim, mut client: &TcpStream) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(client.take(REQUEST_MAX));
    let mut request = String::new();
    reader.read_line(&mut request)?;
    // To its end: else the answer could be lost with what was not read.
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let (status, body) = match wanted(&request) {
        Wanted::Metrics => match of_all(shim) {
            Ok(all) => {
                let all: Vec<_> = all
                    .into_iter()
                    .flat_map(|(_, sandbox, containers)| std::iter::once(sandbox).chain(containers))
                    .collect();
                ("200 OK", text(&all))
            }
            Err(error) => ("500 Internal Server Error", format!("{error}\n")),
        },
        Wanted::Elsewhere => ("404 Not Found", "only /metrics is here\n".to_owned()),
        Wanted::Unknown => ("400 Bad Request", "only GET is known\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes())?;
    client.write_all(body.as_bytes())
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Metrics,
    Elsewhere,
    Unknown,
}

/// What the first line of a request wants.
fn wanted(line: &str) -> Wanted {
    let mut words = line.split_ascii_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some("GET"), Some(path), Some(version)) if version.starts_with("HTTP/1.") => {
            match path.split('?').next() {
                Some("/metrics") => Wanted::Metrics,
                _ => Wanted::Elsewhere,
            }
        }
        _ => Wanted::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_path_is_served() {
        assert_eq!(wanted("GET /metrics HTTP/1.1\r\n"), Wanted::Metrics);
        assert_eq!(wanted("GET /metrics?x=1 HTTP/1.0\r\n"), Wanted::Metrics);
        assert_eq!(wanted("GET / HTTP/1.1\r\n"), Wanted::Elsewhere);
        for other in [
            "",
            "\r\n",
            "POST /metrics HTTP/1.1",
            "GET /metrics",
            "\u{0}",
        ] {
            assert_eq!(wanted(other), Wanted::Unknown, "{other:?}");
        }
    }
}
