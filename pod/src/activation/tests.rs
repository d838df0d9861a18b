use super::*;

const OWN: u32 = 42;

fn parse(variables: &[(&str, &str)]) -> Result<Vec<String>, String> {
    let variable = |name: &str| {
        let found = variables.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| OsString::from(*value))
    };
    match Announcement::parse(variable, OWN, || Some(7)) {
        Ok(Announcement(names)) => Ok(names.into_iter().map(String::from).collect()),
        Err(error) => Err(error.to_string()),
    }
}

fn announced(count: &str, names: Option<&str>) -> Result<Vec<String>, String> {
    let mut variables = vec![("LISTEN_PID", "42"), ("LISTEN_FDS", count)];
    variables.extend(names.map(|names| ("LISTEN_FDNAMES", names)));
    parse(&variables)
}

#[test]
fn sockets_come_with_their_names_in_order() {
    assert_eq!(
        announced("3", Some("http:admin:http")).unwrap(),
        ["http", "admin", "http"]
    );
    assert_eq!(announced("2", None).unwrap(), ["unknown", "unknown"]);
    assert_eq!(
        announced("2", Some(":web.socket")).unwrap(),
        ["", "web.socket"]
    );
    assert_eq!(announced("256", None).unwrap().len(), SOCKETS_MAX);
}

#[test]
fn what_is_meant_for_nobody_or_another_process_is_nothing() {
    let nothing: [String; 0] = [];
    assert_eq!(parse(&[]).unwrap(), nothing);
    assert_eq!(parse(&[("LISTEN_FDS", "nonsense")]).unwrap(), nothing);
    assert_eq!(parse(&[("LISTEN_PID", "42")]).unwrap(), nothing);
    assert_eq!(announced("0", Some("")).unwrap(), nothing);
    let other = [("LISTEN_PID", "43"), ("LISTEN_FDS", "nonsense")];
    assert_eq!(parse(&other).unwrap(), nothing);
}

#[test]
fn a_process_that_had_the_same_number_is_another() {
    let with_inode = |inode| {
        parse(&[
            ("LISTEN_PID", "42"),
            ("LISTEN_PIDFDID", inode),
            ("LISTEN_FDS", "1"),
        ])
    };
    assert_eq!(with_inode("7").unwrap(), ["unknown"]);
    assert!(with_inode("8").unwrap().is_empty());
    assert!(with_inode("x").unwrap_err().contains("LISTEN_PIDFDID"));
}

#[test]
fn malformed_values_are_named() {
    for pid in ["", "x", "-1", "+42", " 42", "99999999999999999999"] {
        let error = parse(&[("LISTEN_PID", pid)]).unwrap_err();
        assert!(error.contains("LISTEN_PID="), "{error}");
    }
    for count in ["", "x", "-1", "1x", "257", "99999999999999999999"] {
        let error = announced(count, None).unwrap_err();
        assert!(error.contains("LISTEN_FDS="), "{error}");
    }
    let long = "x".repeat(SOCKET_NAME_MAX + 1);
    for names in ["a", "a:b:c", "", "a:\u{1b}", "a:\u{7f}", "a:é"] {
        let error = announced("2", Some(names)).unwrap_err();
        assert!(error.contains("LISTEN_FDNAMES="), "{error}");
    }
    let error = announced("1", Some(&long)).unwrap_err();
    assert!(error.len() < 200 && error.contains("255"), "{error}");
    assert!(announced("1", Some(&"x".repeat(SOCKET_NAME_MAX))).is_ok());
}

#[test]
fn a_socket_goes_to_the_app_of_its_name_and_else_to_the_first() {
    let socket = |name: &str| ActivationSocket {
        name: SocketName::try_from(name.to_owned()).unwrap(),
        fd: tempfile::tempfile().unwrap().into(),
    };
    let sockets = ["web.socket", "db", "web", "db"].map(socket);
    let apps: [AppName; 3] = ["web", "log", "db"].map(|name| name.parse().unwrap());
    let apps: Vec<&AppName> = apps.iter().collect();
    let sockets = ActivationSockets(sockets.into());
    // What the isolator is told, to whom all of them go first.
    let own = std::process::id().to_string();
    let told = [
        ("LISTEN_PID", own.as_str()),
        ("LISTEN_FDS", "4"),
        ("LISTEN_FDNAMES", "web.socket:db:web:db"),
    ];
    assert_eq!(sockets.announcement(), told.map(|(k, v)| (k, v.to_owned())));
    assert!(!sockets.is_empty() && sockets.iter().count() == 4);
    let none = ActivationSockets::default();
    assert!(none.is_empty() && none.announcement().is_empty());
    let assigned = sockets.assign(&apps);
    let shown: Vec<String> = assigned
        .iter()
        .map(|sockets| names(sockets.iter().map(|s| &s.name)))
        .collect();
    assert_eq!(shown, ["web.socket:web", "", "db:db"]);
}

#[test]
fn directories_and_mere_paths_are_refused_and_files_are_not() {
    use rustix::fs::{Mode, open};
    let dir = tempfile::tempdir().unwrap();
    let opened = |path: &std::path::Path, flags| open(path, flags, Mode::empty()).unwrap();
    assert!(is_a_way_out(opened(dir.path(), OFlags::RDONLY).as_fd()).unwrap());
    assert!(is_a_way_out(opened(dir.path(), OFlags::PATH).as_fd()).unwrap());
    let file = dir.path().join("file");
    let writable = std::fs::File::create(&file).unwrap();
    assert!(is_a_way_out(opened(&file, OFlags::PATH).as_fd()).unwrap());
    assert!(!is_a_way_out(writable.as_fd()).unwrap());
    let (reader, _writer) = std::io::pipe().unwrap();
    assert!(!is_a_way_out(reader.as_fd()).unwrap());
}

#[test]
fn a_process_has_an_inode_that_another_one_has_not() {
    let own = inode_of_own_process().unwrap();
    let mut child = std::process::Command::new("sleep")
        .arg("1000")
        .spawn()
        .unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    let process = pidfd_open(pid, PidfdFlags::empty()).unwrap();
    let (other, again) = (fstat(&process).unwrap(), fstat(&process).unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(other.st_ino, again.st_ino);
    // Before Linux 6.9 all descriptors of processes are one anonymous inode, and say nothing.
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release
        .split(['.', '-'])
        .map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap(), numbers.next().unwrap());
    assert_eq!(own != other.st_ino, version >= (6, 9), "Linux {release}");
}

/// Runs [`a_process_that_is_handed_sockets`] in a process of its own, which a shell hands what `redirections` say;
/// what it tells of them.
fn handed(directory: &std::path::Path, variables: &str, redirections: &str) -> String {
    let script = format!("{variables} exec \"$0\" --ignored --exact \"$1\" {redirections}");
    let told = directory.join("told");
    let status = std::process::Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .arg("activation::tests::a_process_that_is_handed_sockets")
        .current_dir(directory)
        .env("FAIRING_TEST_TOLD", &told)
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::read_to_string(told).unwrap()
}

#[test]
#[ignore = "proves nothing alone: other tests run it, in processes of its own"]
fn a_process_that_is_handed_sockets() {
    use std::io::Read;
    let told = std::env::var_os("FAIRING_TEST_TOLD").expect("run by another test");
    let text = match ActivationSockets::from_environment() {
        Err(error) => error.to_string(),
        Ok(sockets) => {
            let mut text = String::new();
            for ActivationSocket { name, fd } in sockets.0 {
                let flags = rustix::io::fcntl_getfd(&fd).unwrap();
                let mut content = String::new();
                std::fs::File::from(fd)
                    .read_to_string(&mut content)
                    .unwrap();
                text += &format!("{name}={content} {flags:?};");
            }
            text
        }
    };
    std::fs::write(told, text).unwrap();
}

#[test]
fn sockets_are_taken_over_under_the_numbers_from_three_on() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("one"), "1").unwrap();
    std::fs::write(dir.path().join("two"), "2").unwrap();
    let open = "3<one 4<two";
    let own = "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=a:b";
    let handed = |variables: &str, redirections| handed(dir.path(), variables, redirections);
    assert_eq!(
        handed(own, open),
        "a=1 FdFlags(CLOEXEC);b=2 FdFlags(CLOEXEC);"
    );
    assert_eq!(handed("LISTEN_PID=1 LISTEN_FDS=2", open), "");
    // No process has this inode.
    assert_eq!(handed(&format!("{own} LISTEN_PIDFDID=1"), open), "");
    let error = handed(&format!("{own}:c"), open);
    assert!(error.contains("LISTEN_FDNAMES="), "{error}");
}

#[test]
fn what_is_announced_and_not_handed_over_or_not_fit_for_an_app_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let own = "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web";
    let error = handed(dir.path(), own, "3<&-");
    assert!(
        error.contains("descriptor 3") && error.contains("\"web\""),
        "{error}"
    );
    assert!(error.contains("can't be taken over"), "{error}");
    let error = handed(dir.path(), own, "3<.");
    assert!(error.contains("is a directory"), "{error}");
}
