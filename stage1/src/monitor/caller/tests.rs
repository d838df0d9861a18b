use std::os::unix::net::UnixDatagram;

use super::*;

struct Manager {
    _dir: tempfile::TempDir,
    socket: UnixDatagram,
    caller: Caller,
}

fn manager(watchdog: Option<Duration>) -> Manager {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    let manager = ServiceManager {
        notify_socket: Some(path.into_os_string()),
        watchdog,
        is_main: true,
        ..ServiceManager::default()
    };
    Manager {
        _dir: dir,
        socket,
        caller: Caller::new(None, &manager, false),
    }
}

impl Manager {
    /// All that it has been told, a line each.
    fn heard(&self) -> Vec<String> {
        let mut all = Vec::new();
        let mut bytes = [0; 4096];
        while let Ok(length) = self.socket.recv(&mut bytes) {
            let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
            all.extend(text.lines().map(str::to_owned));
        }
        all
    }
}

fn progress(status: &str) -> Progress {
    Progress {
        is_up: false,
        ends: None,
        status: status.to_owned(),
        is_alive: true,
        is_dead: false,
        errno: None,
        reloads: (0, 0),
        is_reloading: false,
    }
}

fn up() -> Progress {
    Progress {
        is_up: true,
        ..progress("running")
    }
}

#[test]
fn each_step_is_told_once() {
    let mut manager = manager(None);
    let now = Instant::now();
    for step in [progress("starting"), progress("starting"), up(), up()] {
        manager.caller.tell(step, now);
    }
    assert_eq!(
        manager.heard(),
        ["STATUS=starting", "READY=1", "STATUS=running"]
    );
    let ending = Progress {
        ends: Some(Duration::from_secs(12)),
        status: "stopping".to_owned(),
        ..up()
    };
    manager.caller.tell(ending.clone(), now);
    manager.caller.tell(ending, now);
    assert_eq!(
        manager.heard(),
        [
            "STOPPING=1",
            "EXTEND_TIMEOUT_USEC=12000000",
            "STATUS=stopping"
        ]
    );
    manager.caller.ended(3, None);
    assert_eq!(
        manager.heard(),
        ["STATUS=ended with exit code 3", "EXIT_STATUS=3"]
    );
    assert_eq!(manager.caller.due(), None);
}

#[test]
fn a_watchdog_hears_of_a_pod_that_is_up_and_alive_twice_in_its_time() {
    let mut manager = manager(Some(Duration::from_secs(10)));
    let now = Instant::now();
    let at = |seconds| now + Duration::from_secs(seconds);
    manager.caller.tell(progress("starting"), at(0));
    assert_eq!(manager.caller.due(), None);
    manager.caller.tell(up(), at(1));
    assert_eq!(manager.caller.due(), Some(at(6)));
    manager.caller.tell(up(), at(5));
    manager.caller.tell(up(), at(6));
    let dead = Progress {
        is_alive: false,
        ..up()
    };
    manager.caller.tell(dead, at(11));
    let heard = manager.heard();
    let pings = heard.iter().filter(|line| *line == "WATCHDOG=1").count();
    assert_eq!(pings, 2, "{heard:?}");
    manager.caller.tell(up(), at(16));
    assert_eq!(manager.heard(), ["WATCHDOG=1"]);
}

#[test]
fn a_reload_ends_at_once_unless_an_app_says_that_it_is_at_it() {
    let mut manager = manager(None);
    let now = Instant::now();
    manager.caller.tell(up(), now);
    manager.heard();
    let reloaded = |reloads, is_reloading| Progress {
        reloads: (reloads, 17),
        is_reloading,
        ..up()
    };
    manager.caller.tell(reloaded(1, false), now);
    let begun = ["RELOADING=1", "MONOTONIC_USEC=17"];
    assert_eq!(manager.heard(), [begun[0], begun[1], "READY=1"]);
    manager.caller.tell(reloaded(1, false), now);
    assert!(manager.heard().is_empty());
    manager.caller.tell(reloaded(2, true), now);
    assert_eq!(manager.heard(), begun);
    manager.caller.tell(reloaded(2, false), now);
    assert_eq!(manager.heard(), ["READY=1"]);
}

#[test]
fn a_manager_without_room_hears_all_of_it_later() {
    let mut manager = manager(None);
    let now = Instant::now();
    let socket = manager.caller.notify.as_ref().unwrap();
    while socket.send(&Message::new().watchdog()).is_ok() {}
    manager.caller.tell(progress("starting"), now);
    manager.caller.tell(up(), now);
    assert!(manager.heard().iter().all(|line| line == "WATCHDOG=1"));
    assert_eq!(manager.caller.due(), Some(now + RETRY));
    manager.caller.tell(up(), now + RETRY);
    assert_eq!(
        manager.heard(),
        ["STATUS=starting", "READY=1", "STATUS=running"]
    );
    assert_eq!(manager.caller.due(), None);
}

#[test]
fn a_manager_listens_to_the_command_that_waits_until_that_has_been_told() {
    let mut manager = manager(None);
    let (reader, writer) = nix::unistd::pipe().unwrap();
    manager.caller.ready = Some(writer);
    let now = Instant::now();
    manager.caller.tell(progress("starting"), now);
    manager.caller.is_up();
    drop(reader);
    manager.caller.tell(up(), now);
    assert_eq!(manager.heard(), ["STATUS=running"]);
}

#[test]
fn why_a_pod_did_not_start_is_told() {
    let mut manager = manager(None);
    let failure = StartFailure {
        kind: FailureKind::NotFound,
        message: "no /bin/x".to_owned(),
    };
    assert_eq!(manager.caller.failed(failure).as_deref(), Some("no /bin/x"));
    assert_eq!(
        manager.heard(),
        ["STATUS=no /bin/x", "EXIT_STATUS=127", "ERRNO=2"]
    );
}

#[test]
fn statuses_that_follow_each_other_closely_are_told_now_and_then() {
    let mut manager = manager(None);
    let begin = Instant::now();
    let says = |status: &str| Progress {
        status: status.to_owned(),
        ..up()
    };
    manager.caller.tell(up(), begin);
    manager.heard();
    for step in 0..1000_u32 {
        let now = begin + Duration::from_millis(step.into());
        manager.caller.tell(says(&step.to_string()), now);
    }
    let heard = manager.heard();
    assert!((3..=5).contains(&heard.len()), "{heard:?}");
    let due = manager.caller.due().unwrap();
    manager.caller.tell(says("last"), due);
    assert_eq!(manager.heard(), ["STATUS=last"]);
    assert_eq!(manager.caller.due(), None);
}

#[test]
fn what_apps_say_of_their_death_is_passed_on_once() {
    let mut manager = manager(None);
    let now = Instant::now();
    manager.caller.tell(up(), now);
    manager.heard();
    let dead = Progress {
        is_dead: true,
        errno: Some(5),
        ..up()
    };
    manager.caller.tell(dead.clone(), now);
    manager.caller.tell(dead, now);
    assert_eq!(manager.heard(), ["WATCHDOG=trigger", "ERRNO=5"]);
}
