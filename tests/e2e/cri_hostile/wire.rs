//! Below requests: bytes that are none, and connections that nothing comes of.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use cri_shim::api::{ListPodSandboxRequest, PodSandboxFilter, VersionRequest};
use tonic::Code;

use super::{PATIENCE, Victim};

/// What an HTTP/2 client begins with.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame of HTTP/2.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A frame that says that it is longer than it is.
fn lying(kind: u8, length: u32) -> Vec<u8> {
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, 0, 0, 0, 0, 1]);
    frame
}

pub(super) fn connect(victim: &Victim) -> UnixStream {
    let stream = UnixStream::connect(victim.cri.socket()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// That the shim answers somebody who means well.
#[track_caller]
fn answers(victim: &Victim) {
    let mut client = victim.cri.runtime();
    let version = client.version(VersionRequest::default());
    victim.answer("version", version).unwrap();
}

#[test]
fn rubbish_ends_its_connection_and_no_other() {
    let victim = Victim::new();
    let settings = frame(4, 0, 0, &[]);
    let begun = [PREFACE, &settings].concat();
    let after = |rubbish: Vec<u8>| [begun.clone(), rubbish].concat();
    let rubbish: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        vec![0; 100_000],
        vec![0xff; 100_000],
        (0..100_000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect(),
        [&PREFACE[..20], &[0; 4]].concat(),
        // Frames that are too long, of no kind, on no stream, without an end.
        after(lying(0, 0x00ff_ffff)),
        after(frame(0, 0, 1, b"data of no stream")),
        after(frame(1, 4, 0, b"")),
        after(frame(1, 4, 1, &[0xff; 64])),
        after(frame(1, 4, 2, &[0x82])),
        after(frame(4, 0, 1, &[0; 6])),
        after(frame(4, 0, 0, &[0; 5])),
        after(frame(8, 0, 0, &[0; 4])),
        after(frame(9, 0, 1, &[0; 4])),
        after(vec![frame(4, 0, 0, &[]); 50_000].concat()),
        after(vec![frame(6, 0, 0, &[0; 8]); 50_000].concat()),
        after(vec![frame(3, 0, 1, &[0; 4]); 50_000].concat()),
    ];
    for (number, bytes) in rubbish.iter().enumerate() {
        let mut stream = connect(&victim);
        let mut reading = stream.try_clone().unwrap();
        let reader = std::thread::spawn(move || {
            let mut answer = Vec::new();
            reading
                .read_to_end(&mut answer)
                .err()
                .map(|error| error.kind())
        });
        // It may hang up in the midst of it.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let ended = reader.join().unwrap();
        assert_ne!(ended, Some(ErrorKind::WouldBlock), "{number} hangs");
        answers(&victim);
    }
    victim.is_well();
}

#[test]
fn messages_that_are_too_long_or_none_are_refused() {
    let victim = Victim::new();
    let filter = PodSandboxFilter {
        id: "x".repeat(17 << 20),
        ..PodSandboxFilter::default()
    };
    let mut client = victim.cri.runtime();
    let request = ListPodSandboxRequest {
        filter: Some(filter),
    };
    let call = client.list_pod_sandbox(request);
    let answer = victim
        .cri
        .wait(async { tokio::time::timeout(PATIENCE, call).await });
    let refused = answer.expect("an answer").unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
    answers(&victim);
    victim.is_well();
}

#[test]
fn a_thousand_connections_that_nothing_comes_of_keep_nobody_waiting() {
    let victim = Victim::new();
    // Of half of them not even the first word is said.
    let open: Vec<UnixStream> = (0..1000)
        .map(|number| {
            let mut stream = connect(&victim);
            let said = [PREFACE, &frame(4, 0, 0, &[])].concat();
            if number % 2 == 0 {
                stream.write_all(&said[..number % said.len()]).unwrap();
            }
            stream
        })
        .collect();
    answers(&victim);
    let mut more = connect(&victim);
    more.write_all(&[PREFACE, &frame(4, 0, 0, &[])].concat())
        .unwrap();
    let mut first = [0; 9];
    more.read_exact(&mut first).unwrap();
    assert_eq!(first[3], 4, "settings");
    assert_eq!(open.len(), 1000);
    victim.is_well();
    drop(open);
    let descriptors = format!("/proc/{}/fd", victim.pid);
    harness::wait_until("they are let go of", Duration::from_secs(20), || {
        (std::fs::read_dir(&descriptors).unwrap().count() < 100).then_some(())
    });
    answers(&victim);
}
