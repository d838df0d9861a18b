//! Logs of containers, at the kubelet's path in the format of the CRI.

use std::fs;

use cri_shim::api::ReopenContainerLogRequest;
use tonic::{Code, Status};

use crate::cri_containers::{Ground, idle, script};

fn reopen(ground: &Ground, id: &str) -> Result<(), Status> {
    let container_id = id.to_owned();
    let request = ReopenContainerLogRequest { container_id };
    let mut client = ground.cri.runtime();
    let reopened = ground.cri.call(client.reopen_container_log(request));
    reopened.map(drop)
}

#[test]
fn lines_have_a_time_a_stream_and_a_tag() {
    let ground = Ground::new();
    let text = "echo out; echo err >&2; head -c 20000 /dev/zero | tr '\\0' x";
    ground.run_to_end(&script("web", text));
    let log = fs::read_to_string(ground.log_file("web")).unwrap();
    let mut lines: Vec<Vec<&str>> = log
        .lines()
        .map(|line| line.splitn(4, ' ').collect())
        .collect();
    lines.sort_by_key(|line| line[1] == "stdout");
    let first = &lines[0];
    assert_eq!((first[1], first[2], first[3]), ("stderr", "F", "err"));
    assert!(
        first[0].contains('T') && first[0].len() >= 20,
        "{}",
        first[0]
    );
    assert_eq!(lines[1][1..], ["stdout", "F", "out"]);
    let long: Vec<_> = lines[2..]
        .iter()
        .map(|line| (line[2], line[3].len()))
        .collect();
    assert_eq!(long.iter().map(|(_, length)| length).sum::<usize>(), 20_000);
    assert_eq!(long[0].0, "P", "{long:?}");
}

#[test]
fn a_log_that_was_renamed_begins_anew_and_loses_no_line() {
    let ground = Ground::new();
    let text = "i=0; while ! test -e /stop; do i=$((i+1)); echo line $i; usleep 200; done";
    let mut config = script("web", text);
    config.mounts.clear();
    let id = ground.run(&config);
    ground.wait_logged("web", "line 50");
    let (log, old) = (ground.log_file("web"), ground.log_file("web.1"));
    fs::rename(&log, &old).unwrap();
    reopen(&ground, &id).unwrap();
    assert!(log.exists());
    ground.wait_logged("web", "line ");
    ground.stop(&id, 0).unwrap();
    let both = ground.logged("web.1") + "\n" + &ground.logged("web");
    let numbers = both
        .lines()
        .filter_map(|line| line.strip_prefix("line ")?.parse::<u64>().ok());
    let numbers: Vec<_> = numbers.collect();
    let expected: Vec<_> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, expected);
    let ended = reopen(&ground, &id).unwrap_err();
    assert_eq!(ended.code(), Code::FailedPrecondition);
}

#[test]
fn a_log_has_a_place_below_the_sandboxs_or_is_not_kept() {
    let ground = Ground::new();
    for path in ["../web", "/web", "a//b", "."] {
        let mut config = idle("web");
        config.log_path = path.to_owned();
        let refused = ground.try_create(&config).unwrap_err();
        assert!(
            refused.message().starts_with("config.log_path: "),
            "{refused}"
        );
    }
    let mut config = script("quiet", "echo unheard");
    config.log_path.clear();
    let ended = ground.run_to_end(&config);
    assert_eq!((ended.exit_code, &*ended.log_path), (0, ""));
}
