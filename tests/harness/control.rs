//! A client of a pod's control socket: what a command or a CRI shim says to a monitor, byte by byte.

use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recvmsg, sendmsg, socket_with,
};
use serde_json::Value;

use crate::host::Host;

/// The tag of a message that is within its packet.
const INLINE: u8 = 0;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// More than a packet holds.
const PACKET: usize = 8 << 10;

/// A connection to the monitor of a pod.
pub struct ControlClient(OwnedFd);

impl ControlClient {
    /// Connects to the monitor of the pod with this UUID.
    #[track_caller]
    pub fn connect(host: &Host, uuid: &str) -> Self {
        let path = host.run_dir().join("pods").join(uuid).join("control");
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        connect(&socket, &SocketAddrUnix::new(&path).unwrap()).expect("somebody listens");
        Self(socket)
    }

    /// Sends a request.
    #[track_caller]
    pub fn send(&self, request: &Value) {
        self.send_bytes(request.to_string().as_bytes());
    }

    /// Sends what may be no request.
    #[track_caller]
    pub fn send_bytes(&self, bytes: &[u8]) {
        let packet = [&[INLINE], bytes].concat();
        let mut none = SendAncillaryBuffer::default();
        let flags = SendFlags::NOSIGNAL;
        sendmsg(&self.0, &[IoSlice::new(&packet)], &mut none, flags).expect("it is sent");
    }

    /// Sends a request, and takes the next message.
    #[track_caller]
    pub fn ask(&self, request: &Value) -> Value {
        self.send(request);
        self.receive().expect("an answer")
    }

    /// Takes the next message; `None` if the monitor has hung up.
    #[track_caller]
    pub fn receive(&self) -> Option<Value> {
        self.receive_with_files().map(|(message, _)| message)
    }

    /// The same, with the files that come with it.
    #[track_caller]
    pub fn receive_with_files(&self) -> Option<(Value, Vec<File>)> {
        assert!(self.is_readable(PATIENCE), "no message came");
        let mut packet = vec![0; PACKET];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = [IoSliceMut::new(&mut packet)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = recvmsg(&self.0, &mut bytes, &mut ancillary, flags).ok()?;
        if received.bytes == 0 {
            return None;
        }
        let files = ancillary.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        });
        let files = files.flatten().map(File::from).collect();
        assert_eq!(packet[0], INLINE, "a small message is within its packet");
        let message = serde_json::from_slice(&packet[1..received.bytes]).expect("JSON");
        Some((message, files))
    }

    /// Whether a message, or the end, comes within this time.
    pub fn is_readable(&self, patience: Duration) -> bool {
        let patience = Timespec::try_from(patience).unwrap();
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        poll(&mut fds, Some(&patience)).unwrap() > 0
    }
}
