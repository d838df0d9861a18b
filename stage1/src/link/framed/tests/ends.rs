//! Ends of apps, and what they have written.

use pod::exit::Outcome;

use super::*;
use crate::protocol::{AppSpec, Protections};

/// An app that writes to these streams.
fn app(streams: ProcessStreams) -> ToInit {
    let execution = r#"{"args": ["/bin/true"], "cwd": "/"}"#;
    ToInit::App(Box::new(AppSpec {
        name: "web".parse().unwrap(),
        execution: serde_json::from_str(execution).unwrap(),
        stop_signal: 15.try_into().unwrap(),
        streams,
        protections: Protections::without(&BTreeSet::new()),
        selinux_label: None,
        mount_label: None,
        security: None,
        own_processes: false,
        processes_of: None,
        mounts: Vec::new(),
        credentials: None,
        sockets: Vec::new(),
    }))
}

/// An app: the monitor's ends of its outputs, and its own.
fn named_app(pair: &mut Pair) -> ([File; 2], [File; 2]) {
    let (stdout, output) = pair.monitor.open_output().unwrap();
    let (stderr, error) = pair.monitor.open_output().unwrap();
    let message = app(ProcessStreams::Pipes {
        stdin: None,
        stdout,
        stderr,
    });
    pair.monitor.send(&message, HandedOver::Nothing).unwrap();
    pair.until("the app is told", |pair| !pair.told.is_empty());
    let mut theirs = pair.told.remove(0).streams;
    let theirs = [stdout, stderr].map(|id| File::from(theirs.take(id).unwrap()));
    ([output, error].map(File::from), theirs)
}

fn app_exited() -> FromInit {
    FromInit::AppExited {
        app: "web".parse().unwrap(),
        outcome: Outcome::Exited { code: 0 },
        oom_kills: None,
        out_of_memory: None,
    }
}

#[test]
fn the_end_of_an_app_is_heard_behind_what_it_has_written() {
    let mut pair = Pair::new();
    let ([mut output, mut error], [mut stdout, mut stderr]) = named_app(&mut pair);
    // As much as a pipe takes: it is still there when the app has ended.
    stdout.write_all(&vec![b'x'; 64 << 10]).unwrap();
    stderr.write_all(b"why").unwrap();
    drop((stdout, stderr));
    pair.init.send(&app_exited(), Enclosed::default()).unwrap();
    pair.until("its end is heard", |pair| !pair.heard.is_empty());
    assert_eq!(pair.heard[0].message, app_exited());
    // Nothing is moved any more.
    let mut written = Vec::new();
    while let Some(some) = read_some(&mut output).filter(|some| !some.is_empty()) {
        written.extend(some);
    }
    assert_eq!(written.len(), 64 << 10);
    assert_eq!(read_some(&mut error).unwrap(), b"why");
}

#[test]
fn the_end_of_an_app_whose_output_nobody_takes_is_heard_in_time() {
    let mut pair = Pair::new();
    let ([output, error], [mut stdout, stderr]) = named_app(&mut pair);
    let stuck = std::thread::spawn(move || stdout.write_all(&vec![b'x'; 1 << 20]));
    pair.until("much is on the way", |pair| {
        pair.init.connection.interests().len() < 3
    });
    pair.init.send(&app_exited(), Enclosed::default()).unwrap();
    pair.until("its end is heard", |pair| !pair.heard.is_empty());
    drop((output, error, stderr));
    pair.until("the writer is told", |_| stuck.is_finished());
}

#[test]
fn the_last_word_of_a_pod_is_heard_behind_the_ends_of_its_apps() {
    let mut pair = Pair::new();
    let ([_output, _error], [mut stdout, _stderr]) = named_app(&mut pair);
    stdout.write_all(&vec![b'x'; 64 << 10]).unwrap();
    let finished = FromInit::Finished { exit_code: 0 };
    for message in [app_exited(), finished.clone()] {
        pair.init.send(&message, Enclosed::default()).unwrap();
    }
    pair.until("both are heard", |pair| pair.heard.len() > 1);
    let heard: Vec<_> = pair.heard.iter().map(|heard| &heard.message).collect();
    assert_eq!(heard, [&app_exited(), &finished]);
}
