//! Scopes, asked for of somebody who answers as systemd does, or doesn't.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::Duration;

use super::message::{self, Received, Value, Writer};
use super::scope::{ScopeRequest, make_scope_at};

const REQUEST: ScopeRequest<'_> = ScopeRequest {
    name: "fairing-1.scope",
    description: "a pod",
    slice: "a.slice",
    pid: 77,
};

/// A message of `kind` that answers call 1, with these texts after an optional number.
fn answer(kind: u8, fields: &[(u8, &str, &str)], number: Option<u32>, texts: &[&str]) -> Vec<u8> {
    let mut body = Writer::default();
    let mut signature = String::new();
    if let Some(number) = number {
        body.u32(number);
        signature.push('u');
    }
    for text in texts {
        body.string(text);
        signature.push('s');
    }
    let body = body.into_bytes();
    let mut message = Writer::default();
    for byte in [b'l', kind, 0, 1] {
        message.byte(byte);
    }
    message.u32(body.len() as u32);
    message.u32(9);
    message.array(8, |all| {
        all.structure();
        all.byte(5);
        all.signature("u");
        all.u32(1);
        for (field, kind, text) in fields {
            all.structure();
            all.byte(*field);
            all.signature(kind);
            all.string(text);
        }
        all.structure();
        all.byte(8);
        all.signature("g");
        all.signature(&signature);
    });
    message.structure();
    let mut bytes = message.into_bytes();
    bytes.extend(body);
    bytes
}

fn removed(unit: &str, result: &str) -> Vec<u8> {
    let fields = [(3, "s", "JobRemoved"), (1, "o", "/x")];
    answer(4, &fields, Some(5), &["/job/5", unit, result])
}

fn returned() -> Vec<u8> {
    answer(2, &[], None, &["/job/5"])
}

/// What becomes of the request where these bytes are the answer; and what was asked, after the greeting.
fn asked(answers: Vec<Vec<u8>>) -> (Result<(), String>, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("private");
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        expect(&mut stream, b"\0AUTH EXTERNAL ");
        let mut byte = [0];
        while byte != [b'\n'] {
            stream.read_exact(&mut byte).unwrap();
        }
        stream.write_all(b"OK 0123\r\n").unwrap();
        expect(&mut stream, b"BEGIN\r\n");
        let mut begin = [0; message::FIXED];
        stream.read_exact(&mut begin).unwrap();
        let mut call = begin.to_vec();
        call.resize(message::length(&begin).unwrap(), 0);
        stream.read_exact(&mut call[message::FIXED..]).unwrap();
        for answer in answers {
            // Whoever has heard enough may be gone.
            let _ = stream.write_all(&answer);
        }
        call
    });
    let result = make_scope_at(&path, REQUEST, Duration::from_secs(5));
    (result.map_err(|e| e.to_string()), server.join().unwrap())
}

fn expect(stream: &mut UnixStream, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    stream.read_exact(&mut read).unwrap();
    assert_eq!(read, bytes);
}

#[test]
fn a_scope_is_there_when_its_job_is_done() {
    let (made, call) = asked(vec![
        removed("other.scope", "failed"),
        returned(),
        removed(REQUEST.name, "done"),
    ]);
    assert_eq!(made, Ok(()));
    let text = String::from_utf8_lossy(&call).into_owned();
    for word in [
        "StartTransientUnit",
        "fairing-1.scope",
        "a.slice",
        "Delegate",
        "PIDs",
    ] {
        assert!(text.contains(word), "{word}");
    }
    // The job may be done before the call has returned.
    let (made, _) = asked(vec![removed(REQUEST.name, "done"), returned()]);
    assert_eq!(made, Ok(()));
}

#[test]
fn a_refusal_is_told_with_systemd_s_words() {
    let fields = [(4, "s", "org.freedesktop.systemd1.UnitExists")];
    let (made, _) = asked(vec![answer(3, &fields, None, &["Unit is there."])]);
    let told = "systemd does not make the scope fairing-1.scope: Unit is there.";
    assert_eq!(made, Err(told.to_owned()));
    let (made, _) = asked(vec![returned(), removed(REQUEST.name, "failed")]);
    assert!(made.unwrap_err().ends_with("its job is failed"));
}

#[test]
fn what_makes_no_sense_ends_the_conversation() {
    let senseless = "systemd's answer can't be understood";
    let mut endless = returned();
    endless[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    for bytes in [vec![b'B'; 64], endless, answer(2, &[], Some(1), &[])] {
        let (made, _) = asked(vec![bytes]);
        assert_eq!(made, Err(senseless.to_owned()));
    }
    let (made, _) = asked(Vec::new());
    assert!(made.unwrap_err().starts_with("cannot talk to systemd: "));
}

#[test]
fn who_says_nothing_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("private");
    let _listener = UnixListener::bind(&path).unwrap();
    let error = make_scope_at(&path, REQUEST, Duration::from_millis(50)).unwrap_err();
    assert_eq!(error.to_string(), "cannot talk to systemd: timed out");
    let nobody = dir.path().join("none");
    let error = make_scope_at(&nobody, REQUEST, Duration::from_millis(50)).unwrap_err();
    assert!(error.to_string().starts_with("cannot connect to systemd: "));
}

proptest::proptest! {
    #[test]
    fn no_bytes_are_too_much(bytes: Vec<u8>) {
        let _ = message::parse(&bytes);
        let mut whole = returned();
        for (place, byte) in whole.iter_mut().zip(&bytes) {
            *place ^= byte;
        }
        let _ = message::parse(&whole);
    }
}

#[test]
fn values_of_a_body_are_read_up_to_what_is_not_known() {
    let parsed = message::parse(&removed("u", "done")).unwrap();
    let texts = ["/job/5", "u", "done"].map(|text| Value::Text(text.to_owned()));
    let mut values = vec![Value::Number(5)];
    values.extend(texts);
    let member = "JobRemoved".to_owned();
    assert_eq!(parsed, Received::Signal { member, values });
}
