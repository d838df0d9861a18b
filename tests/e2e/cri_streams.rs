//! Streams of containers and sandboxes over the CRI: the calls that give URLs, and clients that come there.

use cri_shim::api::{AttachRequest, ExecRequest, PortForwardRequest};
use cri_streaming::client::{ClientError, PortForward, RemoteCommand};
use cri_streaming::http::Framing;
use harness::{Cri, wait_until};
use serde_json::Value;
use tonic::Status;

use crate::cri_containers::{Ground, SOON};

/// What is spoken with commands and apps.
pub(crate) const PROTOCOLS: [(Framing, &str); 3] = [
    (Framing::Spdy, "v4.channel.k8s.io"),
    (Framing::WebSocket, "v4.channel.k8s.io"),
    (Framing::WebSocket, "v5.channel.k8s.io"),
];
/// Those in which the end of input can be told.
pub(crate) const WITH_AN_END: [(Framing, &str); 2] = [PROTOCOLS[0], PROTOCOLS[2]];

/// All streams of what has no terminal.
pub(crate) const PIPES: [&str; 3] = ["stdin", "stdout", "stderr"];
/// Those of what has one.
pub(crate) const TERMINAL: [&str; 3] = ["stdin", "stdout", "resize"];

/// How a client is told that all went well.
pub(crate) const SUCCESS: &str = r#"{"metadata":{},"status":"Success"}"#;

impl Ground {
    /// Asks for a command with these streams; that of sizes stands for a terminal.
    pub(crate) fn exec_url(
        &self,
        id: &str,
        cmd: &[&str],
        streams: &[&str],
    ) -> Result<String, Status> {
        let has = |name| streams.contains(&name);
        let request = ExecRequest {
            container_id: id.to_owned(),
            cmd: cmd.iter().map(|word| (*word).to_owned()).collect(),
            tty: has("resize"),
            stdin: has("stdin"),
            stdout: has("stdout"),
            stderr: has("stderr"),
        };
        Ok(self.cri.call(self.cri.runtime().exec(request))?.url)
    }

    /// The same with what a container runs.
    pub(crate) fn attach_url(&self, id: &str, streams: &[&str]) -> Result<String, Status> {
        let has = |name| streams.contains(&name);
        let request = AttachRequest {
            container_id: id.to_owned(),
            stdin: has("stdin"),
            tty: has("resize"),
            stdout: has("stdout"),
            stderr: has("stderr"),
        };
        Ok(self.cri.call(self.cri.runtime().attach(request))?.url)
    }

    /// A session with a shell script in a container.
    #[track_caller]
    pub(crate) fn command(
        &self,
        protocol: (Framing, &str),
        id: &str,
        script: &str,
        streams: &[&str],
    ) -> RemoteCommand {
        let url = self.exec_url(id, &["/bin/sh", "-c", script], streams);
        open(&url.unwrap(), protocol, streams).unwrap()
    }

    /// A session with what a container runs.
    #[track_caller]
    pub(crate) fn attach(
        &self,
        protocol: (Framing, &str),
        id: &str,
        streams: &[&str],
    ) -> RemoteCommand {
        let url = self.attach_url(id, streams).unwrap();
        open(&url, protocol, streams).unwrap()
    }

    /// How many descriptors the shim has.
    pub(crate) fn descriptors(&self) -> usize {
        let path = format!("/proc/{}/fd", self.cri.pid());
        std::fs::read_dir(path).unwrap().count()
    }

    /// Waits until the shim has no more descriptors than that.
    #[track_caller]
    pub(crate) fn wait_descriptors(&self, most: usize) {
        wait_until("the shim closes what it had open", SOON, || {
            (self.descriptors() <= most).then_some(())
        });
    }

    /// The memory that the shim has, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.cri.pid());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let mut words = line.unwrap().split_whitespace();
        words.nth(1).unwrap().parse().unwrap()
    }
}

/// Comes with a URL of a command, or of an app.
pub(crate) fn open(
    url: &str,
    (framing, protocol): (Framing, &str),
    streams: &[&str],
) -> Result<RemoteCommand, ClientError> {
    let session = RemoteCommand::open(url, framing, &[protocol], streams, &[])?;
    assert_eq!(session.protocol, protocol);
    Ok(session)
}

/// By which status of HTTP a URL is refused.
#[track_caller]
pub(crate) fn refused(url: &str) -> u16 {
    match open(url, PROTOCOLS[0], &["stdout"]) {
        Err(ClientError::Refused { status, .. }) => status,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("{url} is served"),
    }
}

/// Asks for ports of a sandbox.
pub(crate) fn forward_url(cri: &Cri, sandbox: &str, ports: &[i32]) -> Result<String, Status> {
    let request = PortForwardRequest {
        pod_sandbox_id: sandbox.to_owned(),
        port: ports.to_vec(),
    };
    Ok(cri.call(cri.runtime().port_forward(request))?.url)
}

/// Comes for ports of a sandbox.
#[track_caller]
pub(crate) fn forward(
    cri: &Cri,
    sandbox: &str,
    (framing, protocol): (Framing, &str),
    ports: &[u16],
) -> PortForward {
    let ports: Vec<i32> = ports.iter().map(|port| i32::from(*port)).collect();
    let url = forward_url(cri, sandbox, &ports).unwrap();
    let session = PortForward::open(&url, framing, &[protocol], &[]).unwrap();
    assert_eq!(session.protocol, protocol);
    session
}

/// The code of a command that has ended with another one than 0, as a client is told.
#[track_caller]
pub(crate) fn code(status: &str) -> String {
    let status: Value = serde_json::from_str(status).unwrap();
    assert_eq!(status["status"], "Failure", "{status}");
    assert_eq!(status["reason"], "NonZeroExitCode", "{status}");
    let cause = &status["details"]["causes"][0];
    assert_eq!(cause["reason"], "ExitCode", "{status}");
    cause["message"].as_str().unwrap().to_owned()
}

/// Why there is no code, as a client is told.
#[track_caller]
pub(crate) fn failure(status: &str) -> String {
    let status: Value = serde_json::from_str(status).unwrap();
    assert_eq!(status["reason"], "InternalError", "{status}");
    status["message"].as_str().unwrap().to_owned()
}

/// Bytes that differ from place to place.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    let byte = |at: usize| u8::try_from(at % 251).unwrap() ^ u8::try_from(at / 4096 % 256).unwrap();
    (0..length).map(byte).collect()
}
