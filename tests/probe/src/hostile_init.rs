//! A pod init that means ill: what a machine whose kernel has been taken over may say to its monitor.
//!
//! It is put in the place of the real one, with `attack=NAME` behind its last byte.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::time::Duration;

use crate::sys::mount_devices;

/// What precedes the name of the attack.
const MARK: &[u8] = b"attack=";
/// A frame's header: three bytes of length, the kind, four bytes of stream.
const HELLO: [u8; 18] = *b"\x2a\0\0\x01\0\0\0\0\xf1fairing\x01\0";
const OWN: [u8; 16] = *b"a hostile machin";

/// Plays the attack that is named at this program's end, and doesn't come back unless it has no name.
pub(crate) fn play() -> io::Result<()> {
    let own = fs::read("/init")?;
    let Some(at) = own.windows(MARK.len()).rposition(|bytes| bytes == MARK) else {
        return Ok(());
    };
    let attack = own.get(at + MARK.len()..).unwrap_or_default();
    load_modules()?;
    mount_devices()?;
    let mut port = open_port();
    match attack {
        b"noise" => {
            let noise: Vec<u8> = (0..65_537_u32)
                .flat_map(|n| (n.wrapping_mul(n) ^ n).to_le_bytes())
                .collect();
            repeat(&mut port, &noise)
        }
        b"started-again-and-again" => {
            greet(&mut port)?;
            repeat(&mut port, &message(br#"{"type":"started"}"#).repeat(1000))
        }
        b"a-million-streams" => {
            greet(&mut port)?;
            let open = |number: u32| [&[1, 0, 0, 4][..], &number.to_le_bytes(), &[1]].concat();
            let all: Vec<u8> = (1..=1_000_000).flat_map(open).collect();
            repeat(&mut port, &all)
        }
        _ => Ok(()),
    }?;
    loop {
        std::thread::sleep(Duration::from_secs(1000));
    }
}

fn repeat(port: &mut File, bytes: &[u8]) -> io::Result<()> {
    loop {
        port.write_all(bytes)?;
    }
}

/// Says hello, hears the monitor's, and answers it.
fn greet(port: &mut File) -> io::Result<()> {
    port.write_all(&[&HELLO[..], &OWN, &[0; 16]].concat())?;
    let mut heard = [0; 50];
    loop {
        port.read_exact(&mut heard)?;
        if heard.starts_with(&HELLO) {
            break;
        }
    }
    let theirs = heard.get(18..34).unwrap_or_default();
    port.write_all(&[&HELLO[..], &OWN, theirs].concat())
}

/// A whole message.
fn message(json: &[u8]) -> Vec<u8> {
    let length = u32::try_from(json.len()).unwrap_or(0).to_le_bytes();
    let [a, b, c, _] = length;
    [&[a, b, c, 3, 0, 0, 0, 0][..], json].concat()
}

fn load_modules() -> io::Result<()> {
    let entries = fs::read_dir("/modules/machine")?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let file = File::open(&path)?;
        crate::sys::load_module(file.as_raw_fd());
    }
    Ok(())
}

/// The port that leads to the monitor, once it is there.
fn open_port() -> File {
    loop {
        let entries = fs::read_dir("/dev").into_iter().flatten().flatten();
        let mut ports =
            entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("vport"));
        let port = ports
            .next()
            .map(|entry| OpenOptions::new().read(true).write(true).open(entry.path()));
        if let Some(Ok(port)) = port {
            return port;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
