//! Clients that are clumsy, or mean no good: what all calls of both services make of nonsense.
//!
//! Whatever is asked, the shim answers in time, by a code that says whose fault it is, goes on, and keeps nothing of it.

mod frames;
mod images;
mod lists;
mod requests;
mod sandboxes;
mod wire;

use std::cell::RefCell;
use std::fmt::Debug;
use std::future::Future;
use std::io::Write;
use std::time::Duration;

use cri_shim::api::{ListContainersRequest, ListPodSandboxRequest};
use harness::Cri;
use tonic::{Code, Response, Status};

use crate::network_lab::Lab;

/// How long nonsense may take to be refused on a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(20);
/// What is sent of things of which there are usually few.
const MANY: usize = 100_000;
/// Longest message of a refusal, in bytes: it goes into a header, and into events of pods.
const MESSAGE_MAX: usize = 4096;
/// Most memory that the shim may have taken at any time, in KiB.
const MEMORY_MAX: u64 = 192 << 10;

/// A string that is too long for anything.
fn long() -> String {
    "x".repeat(1 << 20)
}

/// The beginning of what was sent.
fn shown(text: &str) -> String {
    text.chars()
        .take(20)
        .collect::<String>()
        .escape_debug()
        .to_string()
}

/// Ids that nothing has.
fn ids() -> Vec<String> {
    let mut ids: Vec<String> = [
        "..",
        "../../../etc/passwd",
        "/",
        "a/b",
        ".",
        "\0",
        "a\0b",
        " ",
        "*",
        "-",
        "--help",
        "\u{202e}\u{feff}\u{fffd}",
        "\n",
        "sha256:",
        "%00",
        "00000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "ABCDEFABCDEFABCDEFABCDEFABCDEFAB",
    ]
    .map(str::to_owned)
    .into();
    ids.push(long());
    ids.push("é".repeat(32));
    ids
}

/// A shim that is asked for nonsense.
struct Victim {
    cri: Cri,
    lab: Lab,
    pid: u32,
    /// What was not answered as it should be: all of a table is asked before a test fails.
    wrong: RefCell<Vec<String>>,
}

impl Victim {
    /// With a network, so that all of a request is looked at.
    fn new() -> Self {
        let lab = Lab::new();
        lab.host
            .write("etc/config.toml", "[cri]\nnetwork = \"default\"\n");
        let cri = Cri::start(&lab.host);
        let pid = cri.pid();
        Self {
            cri,
            lab,
            pid,
            wrong: RefCell::default(),
        }
    }

    /// The answer to a call, which comes in time and is the shim's own.
    #[track_caller]
    fn answer<T>(
        &self,
        what: &str,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Status> {
        let answer = self
            .cri
            .wait(async { tokio::time::timeout(PATIENCE, call).await });
        let answer = answer.unwrap_or_else(|_| panic!("{what} hangs"));
        if let Err(refused) = &answer {
            let cut_off = std::error::Error::source(refused);
            assert!(cut_off.is_none(), "{what}: {refused}");
            let length = refused.message().len();
            assert!(length <= MESSAGE_MAX, "{what}: {length} bytes");
        }
        answer.map(Response::into_inner)
    }

    /// That a call is refused by this code, with this in its message.
    fn refused<T: Debug>(
        &self,
        what: &str,
        code: Code,
        part: &str,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) {
        let wrong = match self.answer(what, call) {
            Err(refused) if refused.code() == code && refused.message().contains(part) => return,
            Err(refused) => format!("{what}, not {code:?} {part:?}: {refused:.300}"),
            Ok(taken) => format!("{what} is taken: {taken:.300?}"),
        };
        self.wrong.borrow_mut().push(wrong);
    }

    /// What there is: so many sandboxes and containers.
    #[track_caller]
    fn count(&self) -> (usize, usize) {
        let sandboxes = self.answer(
            "sandboxes",
            self.cri
                .runtime()
                .list_pod_sandbox(ListPodSandboxRequest { filter: None }),
        );
        let containers = self.answer(
            "containers",
            self.cri
                .runtime()
                .list_containers(ListContainersRequest { filter: None }),
        );
        (
            sandboxes.unwrap().items.len(),
            containers.unwrap().containers.len(),
        )
    }

    /// That all was answered as it should be, by the same process still, which has never taken much memory.
    #[track_caller]
    fn is_well(&self) {
        let wrong = self.wrong.borrow().join("\n");
        assert!(wrong.is_empty(), "{wrong}");
        assert_eq!(self.cri.pid(), self.pid);
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid));
        let status = status.expect("the shim runs");
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let most: u64 = line
            .unwrap()
            .split_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let _ = writeln!(std::io::stderr(), "at most {most} KiB");
        assert!(most < MEMORY_MAX, "{most} KiB");
    }
}
