//! What QEMU is told over its control socket, in its machine protocol (QMP): a JSON object a line.

use std::io::{BufRead, BufReader, IoSlice, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde_json::{Value, json};
use stage1::failure::{StartFailure, one_line};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest line that is read, and most of them.
const LINE_MAX: u64 = 64 << 10;
const LINES_MAX: usize = 1000;
/// What the descriptor of the state is called.
const STATE: &str = "state";

/// The requests that let a copy go on. They may be written before QEMU is there to read them, and nobody reads the
/// answers: pod init in the copy tells that it worked.
pub(crate) fn begin_copy(state: i32) -> Vec<u8> {
    let load = json!({"execute": "migrate-incoming", "arguments": {"uri": format!("fd:{state}")}});
    let requests = [negotiated(), capabilities(), load];
    requests.iter().flat_map(line).collect()
}

/// Writes the state of a machine to a file, but for its memory, and ends it.
///
/// # Errors
/// What QEMU answers.
pub(crate) fn save(control: OwnedFd, state: BorrowedFd<'_>) -> Result<(), StartFailure> {
    let mut session = Session::new(control)?;
    session.execute(&negotiated(), None)?;
    session.execute(&capabilities(), None)?;
    let hand = json!({"execute": "getfd", "arguments": {"fdname": STATE}});
    session.execute(&hand, Some(state))?;
    let uri = format!("fd:{STATE}");
    session.execute(
        &json!({"execute": "migrate", "arguments": {"uri": uri}}),
        None,
    )?;
    session.wait_saved()?;
    session.execute(&json!({"execute": "quit"}), None)
}

fn negotiated() -> Value {
    json!({"execute": "qmp_capabilities"})
}

/// Memory that is a file stays where it is, and how it goes is told.
fn capabilities() -> Value {
    let on = |name: &str| json!({"capability": name, "state": true});
    let all = json!({"capabilities": [on("x-ignore-shared"), on("events")]});
    json!({"execute": "migrate-set-capabilities", "arguments": all})
}

fn line(request: &Value) -> Vec<u8> {
    format!("{request}\n").into_bytes()
}

struct Session {
    socket: UnixStream,
    reader: BufReader<UnixStream>,
    lines: usize,
}

impl Session {
    fn new(control: OwnedFd) -> Result<Self, StartFailure> {
        let socket = UnixStream::from(control);
        let reader = (|| {
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.set_write_timeout(Some(PATIENCE))?;
            socket.try_clone()
        })();
        Ok(Self {
            reader: BufReader::new(reader.map_err(failed())?),
            socket,
            lines: 0,
        })
    }

    fn execute(
        &mut self,
        request: &Value,
        descriptor: Option<BorrowedFd<'_>>,
    ) -> Result<(), StartFailure> {
        let bytes = line(request);
        match descriptor {
            Some(descriptor) => {
                let descriptors = [descriptor.as_raw_fd()];
                let rights = [ControlMessage::ScmRights(&descriptors)];
                let parts = [IoSlice::new(&bytes)];
                let socket = self.socket.as_raw_fd();
                sendmsg::<()>(socket, &parts, &rights, MsgFlags::empty(), None)
                    .map_err(StartFailure::os("hand QEMU a descriptor"))?;
            }
            None => self.socket.write_all(&bytes).map_err(failed())?,
        }
        loop {
            let heard = self.next()?;
            if heard.get("return").is_some() {
                return Ok(());
            }
            if let Some(error) = heard.get("error") {
                return Err(refused(error.get("desc").unwrap_or(error)));
            }
        }
    }

    fn wait_saved(&mut self) -> Result<(), StartFailure> {
        loop {
            let heard = self.next()?;
            let status = heard.pointer("/data/status").and_then(Value::as_str);
            match (heard.get("event").and_then(Value::as_str), status) {
                (Some("MIGRATION"), Some("completed")) => return Ok(()),
                (Some("MIGRATION"), Some(status @ ("failed" | "cancelled"))) => {
                    return Err(refused(&Value::from(status)));
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<Value, StartFailure> {
        let mut line = Vec::new();
        let mut bounded = self.reader.by_ref().take(LINE_MAX);
        bounded.read_until(b'\n', &mut line).map_err(failed())?;
        self.lines += 1;
        if line.last() != Some(&b'\n') || self.lines > LINES_MAX {
            return Err(StartFailure::other("QEMU ended before it was told to"));
        }
        serde_json::from_slice(&line).map_err(StartFailure::os("understand QEMU"))
    }
}

fn failed() -> impl FnOnce(std::io::Error) -> StartFailure {
    StartFailure::os("speak to QEMU")
}

fn refused(answer: &Value) -> StartFailure {
    let said = answer
        .as_str()
        .map_or_else(|| answer.to_string(), str::to_owned);
    StartFailure::other(format!(
        "QEMU does not save the machine: {}",
        one_line(&said)
    ))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::thread;

    use super::*;

    /// Saves with a QEMU that says these lines, whatever it hears. Gives what it heard beside the result.
    fn save_with(lines: &'static [&str]) -> (Result<(), String>, String) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let other = thread::spawn(move || {
            for line in lines {
                theirs.write_all(line.as_bytes()).unwrap();
                theirs.write_all(b"\n").unwrap();
            }
            theirs.shutdown(std::net::Shutdown::Write).unwrap();
            let mut heard = String::new();
            // The other end may be closed while something is unread.
            let _ = theirs.read_to_string(&mut heard);
            heard
        });
        let state = File::open("/dev/null").unwrap();
        let result = save(ours.into(), state.as_fd());
        (
            result.map_err(|failure| failure.message),
            other.join().unwrap(),
        )
    }

    #[test]
    fn a_state_is_saved_once_qemu_says_so() {
        let (result, heard) = save_with(&[
            r#"{"QMP": {"version": {}}}"#,
            r#"{"return": {}}"#,
            r#"{"event": "RESUME"}"#,
            r#"{"return": {}}"#,
            r#"{"return": {}}"#,
            r#"{"return": {}}"#,
            r#"{"event": "MIGRATION", "data": {"status": "active"}}"#,
            r#"{"event": "MIGRATION", "data": {"status": "completed"}}"#,
            r#"{"return": {}}"#,
        ]);
        assert_eq!(result, Ok(()));
        let requests: Vec<Value> = heard
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let names: Vec<&str> = requests
            .iter()
            .map(|request| request["execute"].as_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "qmp_capabilities",
                "migrate-set-capabilities",
                "getfd",
                "migrate",
                "quit"
            ]
        );
    }

    #[test]
    fn what_qemu_refuses_is_quoted_and_its_end_is_noticed() {
        let says = |lines| save_with(lines).0.unwrap_err();
        let refused = says(&[r#"{"error": {"class": "GenericError", "desc": "no \u001b[2J"}}"#]);
        assert_eq!(refused, "QEMU does not save the machine: no  [2J");
        let ended = says(&[r#"{"return": {}}"#]);
        assert!(ended.contains("ended before"), "{ended}");
        let failed = says(&[
            r#"{"return": {}}"#,
            r#"{"return": {}}"#,
            r#"{"return": {}}"#,
            r#"{"return": {}}"#,
            r#"{"event": "MIGRATION", "data": {"status": "failed"}}"#,
        ]);
        assert!(failed.ends_with("failed"), "{failed}");
        assert!(says(&["noise"]).contains("understand QEMU"));
    }

    #[test]
    fn a_copy_is_told_where_its_state_is() {
        let requests = String::from_utf8(begin_copy(7)).unwrap();
        assert_eq!(requests.lines().count(), 3);
        assert!(requests.contains(r#""uri":"fd:7""#), "{requests}");
    }
}
