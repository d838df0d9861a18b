//! `fairing run` in the foreground: what goes in, what comes out, and how it ends.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};

use harness::{ImageBuilder, Layer, Signal};

use crate::stocked::{IDLE, IMAGE, busybox, host_with, shell, status};

#[test]
fn standard_output_and_errors_stay_apart() {
    let host = busybox();
    let output = shell(&host, "echo out; echo err >&2; printf more")
        .run()
        .ok();
    assert_eq!(output.stdout, "out\nmore");
    assert!(output.stderr.ends_with("err\n"), "{output}");
    assert!(!output.stderr.contains("out\n"), "{output}");
}

#[test]
fn output_comes_while_the_app_still_runs() {
    let host = busybox();
    let mut running = host
        .fairing(["run", "--rm", IMAGE, "--interactive", "--", "/bin/sh", "-c"])
        .arg("echo first; read word; echo got $word")
        .stdin_open()
        .spawn();
    running.wait_stdout("first\n");
    assert!(running.is_running());
    running.write("go\n");
    assert_eq!(running.wait().ok().stdout, "first\ngot go\n");
}

#[test]
fn much_output_arrives_whole_and_in_order() {
    let host = busybox();
    let output = shell(&host, "seq 1 200000").run().ok();
    let expected: String = (1..=200_000).map(|number| format!("{number}\n")).collect();
    assert!(
        output.stdout == expected,
        "{} of {} bytes arrived",
        output.stdout.len(),
        expected.len()
    );
}

#[test]
fn the_exit_code_is_the_apps() {
    let host = busybox();
    for code in [0, 1, 42, 255] {
        shell(&host, &format!("exit {code}"))
            .run()
            .expect_code(code);
    }
}

#[test]
fn an_app_that_a_signal_ends_gives_128_and_the_signal() {
    let host = busybox();
    for (signal, code) in [("HUP", 129), ("KILL", 137), ("SEGV", 139), ("TERM", 143)] {
        shell(&host, &format!("kill -{signal} $$"))
            .run()
            .expect_code(code);
    }
}

#[test]
fn a_missing_program_is_127_and_no_pod_stays() {
    let host = busybox();
    for program in ["/no/such", "nosuch", "/etc/passwd/x"] {
        host.fairing(["run", IMAGE, "--exec", program])
            .run()
            .expect_error(127, &[program.rsplit('/').next().unwrap()]);
    }
    assert_eq!(host.pod_folders(), []);
}

#[test]
fn a_program_without_its_interpreter_is_127() {
    let script = Layer::new().file("bin/script", "#!/bin/no-such-interpreter\n", 0o755);
    let host = host_with(ImageBuilder::busybox().layer(script));
    host.fairing(["run", "--rm", IMAGE, "--", "/bin/script"])
        .run()
        .expect_error(127, &["script", "interpreter"]);
}

#[test]
fn what_can_not_be_executed_is_126_and_no_pod_stays() {
    let garbage = Layer::new().file("bin/garbage", [0, 1, 2, 3], 0o755);
    let host = host_with(ImageBuilder::busybox().layer(garbage));
    for program in ["/etc/passwd", "/tmp", "/bin/garbage"] {
        host.fairing(["run", IMAGE, "--exec", program])
            .run()
            .expect_error(126, &[program]);
    }
    assert_eq!(host.pod_folders(), []);
}

#[test]
fn arguments_reach_the_app_as_they_are() {
    let host = busybox();
    let output = host
        .fairing(["run", "--rm", IMAGE, "--", "printf", "[%s]"])
        .args(["a b", "", "*", "$HOME", "--env", "--", "-x", "é\n"])
        .run()
        .ok();
    assert_eq!(output.stdout, "[a b][][*][$HOME][--env][--][-x][é\n]");
}

#[test]
fn the_images_entrypoint_and_command_run_unless_replaced() {
    let image = ImageBuilder::busybox()
        .entrypoint(["/bin/echo", "entry"])
        .cmd(["cmd"]);
    let host = host_with(image);
    let run = |arguments: &[&str]| {
        let command = host.fairing(["run", "--rm", IMAGE]).args(arguments);
        command.run().ok().stdout
    };
    assert_eq!(run(&[]), "entry cmd\n");
    assert_eq!(run(&["--", "mine"]), "entry mine\n");
    assert_eq!(run(&["--exec", "/bin/pwd"]), "/\n");
    assert_eq!(run(&["--exec", "/bin/echo", "--", "only"]), "only\n");
}

#[test]
fn variables_come_from_the_image_then_from_files_then_from_flags() {
    let image = ImageBuilder::busybox()
        .env("A", "image")
        .env("B", "image")
        .env("C", "image");
    let host = host_with(image);
    let file = host.write("variables", "# comment\nB=file\nC=file\nD=x=y z\nCALLER\n");
    let output = host
        .fairing(["run", "--rm", IMAGE, "--env", "C=flag", "--env", "EMPTY="])
        .args(["--env", "OWN", "--env", "NOT_SET", "--env-file"])
        .arg(file)
        .args(["--exec", "/bin/env"])
        .env("OWN", "of the caller")
        .env("CALLER", "in the file")
        .env("SECRET", "must not get in")
        .run()
        .ok();
    let lines: Vec<&str> = output.stdout.lines().collect();
    for expected in [
        "A=image",
        "B=file",
        "C=flag",
        "D=x=y z",
        "EMPTY=",
        "OWN=of the caller",
        "CALLER=in the file",
    ] {
        assert!(lines.contains(&expected), "{expected} is missing\n{output}");
    }
    for absent in ["NOT_SET", "SECRET", "FAIRING"] {
        assert!(!output.stdout.contains(absent), "{absent} got in\n{output}");
    }
}

#[test]
fn users_and_groups_are_looked_up_in_the_image() {
    let host = busybox();
    let id = |flags: &[&str]| {
        host.fairing(["run", "--rm", IMAGE])
            .args(flags)
            .args([
                "--",
                "/bin/sh",
                "-c",
                "echo $(id -u) $(id -g) $(id -G) $HOME",
            ])
            .run()
            .ok()
            .text()
            .to_owned()
    };
    assert_eq!(id(&[]), "0 0 0 /root");
    assert_eq!(id(&["--user", "app"]), "1000 1000 1000 50 /home/app");
    assert_eq!(id(&["--user", "1000"]), "1000 1000 1000 50 /home/app");
    assert_eq!(id(&["--user", "app:staff"]), "1000 50 50 /home/app");
    assert_eq!(id(&["--user", "app", "--group", "7"]), "1000 7 7 /home/app");
    assert_eq!(id(&["--group", "staff"]), "0 50 50 /root");
    // Nobody that the image knows: root's group, as the image specification has it.
    assert_eq!(id(&["--user", "4711:4712"]), "4711 4712 4712 /");
}

#[test]
fn the_images_user_runs_the_app_unless_replaced() {
    let host = host_with(ImageBuilder::busybox().user("app:staff"));
    let id = |flags: &[&str]| {
        let command = host.fairing(["run", "--rm", IMAGE]).args(flags);
        let script = "echo $(id -u):$(id -g)";
        let output = command.args(["--", "/bin/sh", "-c", script]).run().ok();
        output.text().to_owned()
    };
    assert_eq!(id(&[]), "1000:50");
    assert_eq!(id(&["--group", "app"]), "1000:1000");
    assert_eq!(id(&["--user", "nobody"]), "65534:65534");
}

#[test]
fn the_working_directory_is_the_images_or_the_flags_and_is_made() {
    let host = host_with(ImageBuilder::busybox().workdir("/srv/data").user("app"));
    let run = |flags: &[&str], script: &str| {
        let command = host.fairing(["run", "--rm", IMAGE]).args(flags);
        let output = command.args(["--", "/bin/sh", "-c", script]).run().ok();
        output.text().to_owned()
    };
    assert_eq!(run(&[], "pwd"), "/srv/data");
    assert_eq!(run(&[], "touch x && stat -c %u:%g x"), "1000:1000");
    assert_eq!(run(&["--workdir", "/tmp"], "pwd"), "/tmp");
    host.fairing(["run", "--rm", IMAGE, "--workdir", "relative"])
        .run()
        .expect_error(2, &["--workdir", "relative"]);
    host.fairing(["run", "--rm", IMAGE, "--workdir", "/etc/passwd"])
        .run()
        .expect_error(125, &["/etc/passwd"]);
}

#[test]
fn the_host_name_is_given_or_the_pods_name() {
    let host = busybox();
    let run = |flags: &[&str]| {
        let script = "hostname; cat /etc/hostname; cat /etc/hosts";
        let command = host.fairing(["run", "--rm"]).args(flags);
        command
            .args([IMAGE, "--", "/bin/sh", "-c", script])
            .run()
            .ok()
    };
    let given = run(&["--hostname", "web.example.com", "--name", "mine"]);
    let lines: Vec<&str> = given.stdout.lines().collect();
    assert_eq!(
        lines[..2],
        ["web.example.com", "web.example.com"],
        "{given}"
    );
    assert_eq!(lines[2], "127.0.0.1\tlocalhost", "{given}");
    let own = "127.0.0.1\tweb.example.com mine";
    assert!(lines[2..].contains(&own), "{given}");
    assert!(run(&["--name", "mine"]).stdout.starts_with("mine\nmine\n"));
    let other = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert!(!run(&[]).stdout.starts_with(other.trim()));
}

#[test]
fn standard_input_is_for_interactive_apps_alone() {
    let host = busybox();
    let cat = |flags: &[&str]| {
        let command = host.fairing(["run", "--rm", IMAGE]).args(flags);
        command.args(["--", "/bin/cat"])
    };
    let text = "lines\nand one without an end".repeat(5000);
    let output = cat(&["--interactive"]).stdin(text.clone()).run().ok();
    assert!(output.stdout == text, "{} bytes", output.stdout.len());
    // Standard input stays open here: a `cat` that had it would not end.
    assert_eq!(cat(&[]).stdin_open().spawn().wait().ok().stdout, "");
}

#[test]
fn the_pod_stays_until_it_is_collected_unless_rm_is_given() {
    let host = busybox();
    shell(&host, "true").run().ok();
    assert_eq!(host.pod_folders(), []);
    host.fairing(["run", "--name", "stays", IMAGE, "--exec", "/bin/false"])
        .run()
        .expect_code(1);
    let stays = status(&host, "stays");
    assert_eq!(stays["state"], "exited");
    assert_eq!(stays["exit-code"], 1);
}

#[test]
fn the_uuid_is_saved_before_the_app_runs() {
    let host = busybox();
    let file = host.base().join("uuid");
    let running = host
        .fairing(["run", "--uuid-file-save"])
        .arg(&file)
        .args([IMAGE, "--", "/bin/sh", "-c"])
        .arg(format!("trap 'exit 0' USR1; echo up; {IDLE}"))
        .spawn();
    running.wait_stdout("up");
    let saved = std::fs::read_to_string(&file).unwrap();
    let by_file = |command: &str| {
        let command = host.fairing([command, "--format", "json", "--uuid-file"]);
        command.arg(&file).run().ok().json()
    };
    let live = by_file("status");
    assert_eq!(live["uuid"], saved.trim());
    assert_eq!(live["state"], "running");
    running.signal(Signal::USR1);
    running.wait().ok();
    host.fairing(["rm", "--uuid-file"]).arg(&file).run().ok();
    assert_eq!(host.pod_folders(), []);
}

#[test]
fn apps_of_a_pod_talk_over_its_loopback() {
    let host = busybox();
    let server = "echo pong | nc -l -p 7 127.0.0.1";
    // The client keeps its side open until it has the answer: `nc` ends with what comes first, and a
    // client that has nothing to say could end the server before `echo` has said anything.
    let client = "mkfifo /open; exec 3<>/open; until nc 127.0.0.1 7 <&3; do usleep 5000; done";
    let output = host
        .fairing(["run", "--rm", IMAGE, "--app-name", "server", "--"])
        .args([
            "/bin/sh",
            "-c",
            server,
            "---",
            IMAGE,
            "--app-name",
            "client",
        ])
        .args(["--", "/bin/sh", "-c", client])
        .run()
        .ok();
    assert_eq!(output.stdout, "pong\n");
}

#[test]
fn the_hosts_loopback_is_reached_with_the_hosts_network_alone() {
    let host = busybox();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let run = |net: &str| {
        host.fairing(["run", "--rm", net, IMAGE, "--", "/bin/sh", "-c"])
            .arg(format!("nc 127.0.0.1 {port} < /dev/null"))
    };
    run("--net=none").run().expect_code(1);
    listener.set_nonblocking(true).unwrap();
    let reached = listener.accept().unwrap_err();
    assert_eq!(reached.kind(), std::io::ErrorKind::WouldBlock);
    listener.set_nonblocking(false).unwrap();
    let running = run("--net=host").spawn();
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all(b"from the host\n").unwrap();
    drop(stream);
    assert_eq!(running.wait().ok().stdout, "from the host\n");
}

#[test]
fn what_an_app_leaves_running_ends_with_its_pod() {
    let host = busybox();
    let output = shell(&host, "sleep 1000 & echo left").run().ok();
    assert_eq!(output.stdout, "left\n");
    assert!(host.processes_named("sleep").is_empty());
}

#[test]
fn what_an_app_writes_is_its_own() {
    let host = busybox();
    let script = "echo changed > /etc/passwd; rm /bin/ls; touch /new; cat /etc/passwd";
    let output = shell(&host, script).run().ok();
    assert_eq!(output.stdout, "changed\n");
    let script = "ls / /bin/ls; grep -c changed /etc/passwd";
    let output = shell(&host, script).run().expect_code(1);
    assert!(output.stdout.contains("/bin/ls"), "{output}");
    assert!(!output.stdout.contains("new"), "{output}");
    assert!(output.stdout.ends_with("\n0\n"), "{output}");
}

#[test]
fn apps_of_one_image_do_not_see_each_others_files() {
    let host = busybox();
    let first = "touch /mine /dev/shm/written";
    let second = "until [ -e /dev/shm/written ]; do usleep 5000; done; ls /mine";
    host.fairing(["run", "--rm", IMAGE, "--app-name", "first", "--"])
        .args(["/bin/sh", "-c", first, "---", IMAGE, "--", "/bin/sh", "-c"])
        .arg(second)
        .run()
        .expect_code(1)
        .expect_stderr("/mine");
}
