use rustix::fs::{CWD, Mode, openat};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};

use super::*;

fn connection(socket: OwnedFd) -> Connection {
    Connection::new(socket, Side::PodInit, Limits::default()).unwrap()
}

fn sockets() -> (OwnedFd, OwnedFd) {
    let flags = SocketFlags::CLOEXEC;
    socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap()
}

#[test]
fn a_port_with_nobody_at_its_other_end_yet_is_no_end() {
    // As a serial port before the monitor opens it, it has nothing to be read.
    let port = openat(CWD, "/dev/null", OFlags::RDWR, Mode::empty()).unwrap();
    let mut of_port = connection(port);
    for _ in 0..3 {
        let ready = vec![true; of_port.interests().len()];
        assert!(of_port.advance(&ready).unwrap().is_empty());
        assert!(!of_port.is_gone());
    }
    let (socket, other) = sockets();
    let mut of_socket = connection(socket);
    drop(other);
    let ready = vec![true; of_socket.interests().len()];
    assert!(of_socket.advance(&ready).unwrap().is_empty());
    assert!(of_socket.is_gone() && of_socket.interests().is_empty());
    assert!(matches!(of_socket.send(b"x"), Err(LinkError::Gone)));
}

#[test]
fn nobody_waits_for_a_connection_that_has_nothing() {
    let (socket, _other) = sockets();
    let mut quiet = connection(socket);
    let ready = vec![false; quiet.interests().len()];
    assert!(quiet.advance(&ready).unwrap().is_empty());
    // It would wait for ever if it did.
    let ready = vec![true; quiet.interests().len()];
    assert!(quiet.advance(&ready).unwrap().is_empty());
    assert!(quiet.last_words().unwrap().is_empty());
    assert!(
        quiet.is_gone(),
        "nothing more is waited for after the last words"
    );
}

#[test]
fn what_is_full_has_hung_up_once_nobody_reads_it() {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
    while write(&writer, &[0; 4096]).is_ok() {}
    assert!(!has_hung_up(writer.as_fd()));
    drop(reader);
    assert!(has_hung_up(writer.as_fd()));
}
