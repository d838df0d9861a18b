use serde_json::{Value, json};

use super::*;
use crate::exit::{FailureKind, Outcome};
use crate::manifest::PodManifest;
use crate::signal::SignalNumber;
use crate::timestamp::Timestamp;

fn app(name: &str) -> crate::id::AppName {
    name.parse().unwrap()
}

/// What is said, as it goes over the socket, and understood again.
fn written<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(
    message: &T,
) -> Value {
    let value = serde_json::to_value(message).unwrap();
    assert_eq!(
        serde_json::from_value::<T>(value.clone()).unwrap(),
        *message
    );
    value
}

#[test]
fn requests_of_earlier_releases_are_as_they_were() {
    assert_eq!(written(&Request::Status), json!({"type": "status"}));
    let stop = Request::Stop { grace_ms: Some(5) };
    assert_eq!(written(&stop), json!({"type": "stop", "grace_ms": 5}));
    let signal = Request::Signal {
        app: Some(app("web")),
        signal: SignalNumber::TERM,
    };
    let expected = json!({"type": "signal", "app": "web", "signal": 15});
    assert_eq!(written(&signal), expected);
    let resize = Request::Resize(WindowSize { rows: 24, cols: 80 });
    assert_eq!(
        written(&resize),
        json!({"type": "resize", "rows": 24, "cols": 80})
    );
}

#[test]
fn the_status_that_an_earlier_release_tells_is_understood() {
    let told = json!({"type": "status", "monitor-pid": 7, "init-pid": 8,
    "started": "2026-11-28T20:00:00.000000000Z", "apps": [
        {"name": "web", "pid": 9, "started": "2026-11-28T20:00:00.000000000Z", "outcome": null},
        {"name": "job", "pid": null, "started": "2026-11-28T20:00:00.000000000Z",
         "outcome": {"kind": "exited", "code": 3}},
        {"name": "new"},
    ]});
    let Response::Status(status) = serde_json::from_value(told).unwrap() else {
        panic!("it is a status");
    };
    let states: Vec<_> = status
        .apps
        .iter()
        .map(|app| app.state().to_string())
        .collect();
    assert_eq!(states, ["running", "exited", "created"]);
    let mut frozen = status.apps[0].clone();
    frozen.paused = true;
    assert_eq!(frozen.state(), AppState::Paused);
}

#[test]
fn the_state_of_an_app_has_one_word_wherever_it_is_told() {
    for (state, word) in [
        (AppState::Created, "created"),
        (AppState::Running, "running"),
        (AppState::Paused, "paused"),
        (AppState::BackingOff, "backing-off"),
        (AppState::Exited, "exited"),
        (AppState::Lost, "lost"),
    ] {
        assert_eq!(written(&state), json!(word));
        assert_eq!(format!("{state:<9}|"), format!("{word:<9}|"));
    }
}

#[test]
fn every_request_and_answer_arrives_as_it_was_sent() {
    let every = PodManifest::of_every_field();
    let web = every.apps.first().unwrap().clone();
    let some = || Some(app("web"));
    let requests = [
        Request::AddApp(Box::new(AddApp { app: web.clone() })),
        Request::StartApp(Box::new(StartApp {
            app: app("web"),
            image: web.image.clone(),
            first: true,
        })),
        Request::NotStarted {
            app: app("web"),
            why: "no".to_owned(),
        },
        Request::StopApp {
            app: app("web"),
            grace_ms: None,
        },
        Request::RemoveApp {
            app: app("web"),
            force: true,
        },
        Request::ExecAs {
            command: ExecRequest {
                app: some(),
                argv: vec!["/bin/id".to_owned()],
                env: Vec::new(),
                workdir: None,
                detach: false,
                tty: false,
                size: None,
                timeout_ms: None,
                outlives: false,
            },
            user: CommandUser {
                user: "root".to_owned(),
                group: String::new(),
            },
        },
        Request::Copy(CopyRequest {
            app: some(),
            copy: FileCopy::Out {
                path: "/etc/.".to_owned().try_into().unwrap(),
                follow: true,
            },
        }),
        Request::Copy(CopyRequest {
            app: None,
            copy: FileCopy::In {
                path: "/srv".to_owned().try_into().unwrap(),
                of: SentFiles::Named {
                    name: "www".to_owned(),
                },
                owners: false,
            },
        }),
        Request::Attach(AttachRequest {
            app: some(),
            stdin: true,
            size: None,
            at_start: true,
        }),
        Request::Stats { app: None },
        Request::Update {
            app: app("web"),
            resources: Box::new(web.resources.clone()),
        },
        Request::Limit {
            app: some(),
            resources: Box::new(web.resources.clone()),
        },
        Request::ReopenLog { app: some() },
        Request::Pause { app: some() },
        Request::Hold { app: app("web") },
        Request::Resume { app: None },
        Request::Wait { app: some() },
        Request::Events,
        Request::Rename {
            name: "new".parse().unwrap(),
        },
    ];
    for request in &requests {
        assert!(written(request)["type"].is_string());
    }
    let time = Timestamp::now();
    let outcome = Outcome::Exited { code: 3 };
    let stats = AppStats {
        app: app("web"),
        cpu: CpuStats {
            usage_ns: Some(1),
            ..CpuStats::default()
        },
        memory: MemoryStats {
            usage: Some(2),
            ..MemoryStats::default()
        },
        pids: PidsStats {
            current: Some(3),
            ..PidsStats::default()
        },
        block_io: BlockIoStats::default(),
        pressure: Pressure::default(),
    };
    let responses = [
        Response::Attached { tty: true },
        Response::Stats(Box::new(PodStats {
            time,
            apps: vec![stats],
            whole: Some(Usage::default()),
            network: Some(NetworkUse::default()),
        })),
        Response::AppEnded {
            app: app("web"),
            outcome: Some(outcome),
        },
        Response::PodEnded { exit_code: 3 },
        Response::Event(Event {
            time,
            app: some(),
            kind: EventKind::Exited { outcome },
        }),
        Response::Event(Event {
            time,
            app: None,
            kind: EventKind::Stopping,
        }),
        Response::Refused {
            kind: FailureKind::Other,
            message: "no".into(),
        },
    ];
    for response in &responses {
        assert!(written(response)["type"].is_string());
    }
}

#[test]
fn what_is_no_request_is_refused() {
    for (text, reason) in [
        (r#"{"type":"time-travel"}"#, "unknown variant"),
        (r#"{"type":"signal","signal":0}"#, "signal"),
        (r#"{"type":"signal","signal":65}"#, "signal"),
        (r#"{"type":"stop-app"}"#, "missing field `app`"),
        (
            r#"{"type":"remove-app","app":"../web"}"#,
            "not a valid name",
        ),
        (
            r#"{"type":"update","app":"web","resources":{"memory":{"max":1}}}"#,
            "unknown field `max`",
        ),
        (r#"{"type":"add-app","app":{}}"#, "missing field `name`"),
        ("[]", "missing field `type`"),
    ] {
        let error = serde_json::from_str::<Request>(text).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
}

#[test]
fn processes_of_a_machine_are_told_in_a_member_of_their_own() {
    assert_eq!(written(&Request::Processes), json!({"type": "processes"}));
    let process = crate::processes::PodProcess {
        pid: None,
        pid_in_pod: 7,
        parent: 1,
        user: 0,
        app: Some(app("web")),
        state: 'S',
        cpu: std::time::Duration::from_millis(10),
        command: "/bin/true".to_owned(),
    };
    let told = written(&Response::Processes {
        processes: vec![process],
    });
    assert_eq!(told["type"], "processes");
    assert_eq!(told["processes"][0]["pid-in-pod"], 7);
    assert_eq!(told["processes"][0]["pid"], Value::Null);
}
