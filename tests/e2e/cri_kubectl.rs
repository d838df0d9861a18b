//! `kubectl` and streams over the CRI. Newer ones speak WebSocket unless they are told not to, older ones SPDY in any case.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

use cri_shim::api::{AttachRequest, ExecRequest, PortForwardRequest};
use harness::{ApiServer, wait_until};
use tokio::runtime::Handle;

use crate::cri_containers::{Ground, SOON, idle, script};
use crate::cri_streams::pattern;

/// An API server whose pod has this container.
fn api_server(ground: &Ground, container: &str) -> ApiServer {
    let handle = ground.cri.wait(async { Handle::current() });
    let (client, sandbox) = (ground.cri.runtime(), ground.sandbox.clone());
    let container_id = container.to_owned();
    ApiServer::start(move |request| {
        let mut client = client.clone();
        let container_id = container_id.clone();
        let (stdin, stdout) = (request.has("stdin"), request.has("stdout"));
        let (stderr, tty) = (request.has("stderr"), request.has("tty"));
        handle.block_on(async {
            match &*request.action {
                "exec" => {
                    let cmd = request.values("command");
                    let request = ExecRequest {
                        container_id,
                        cmd,
                        tty,
                        stdin,
                        stdout,
                        stderr,
                    };
                    client.exec(request).await.unwrap().into_inner().url
                }
                "attach" => {
                    let request = AttachRequest {
                        container_id,
                        stdin,
                        tty,
                        stdout,
                        stderr,
                    };
                    client.attach(request).await.unwrap().into_inner().url
                }
                "portforward" => {
                    let request = PortForwardRequest {
                        pod_sandbox_id: sandbox.clone(),
                        port: Vec::new(),
                    };
                    client.port_forward(request).await.unwrap().into_inner().url
                }
                other => panic!("{other}"),
            }
        })
    })
}

fn kubectl(ground: &Ground, api: &ApiServer, websocket: bool) -> Command {
    let mut command = Command::new("kubectl");
    command.env("HOME", ground.host.base());
    command.env_remove("KUBECONFIG");
    for variable in [
        "KUBECTL_REMOTE_COMMAND_WEBSOCKETS",
        "KUBECTL_PORT_FORWARD_WEBSOCKETS",
    ] {
        command.env(variable, websocket.to_string());
    }
    command.arg(format!("--server={}", api.url()));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
#[cfg_attr(not(kubectl), ignore = "kubectl is not installed")]
fn kubectl_exec_has_input_output_errors_and_code() {
    let ground = Ground::new();
    let id = ground.run(&idle("web"));
    let api = api_server(&ground, &id);
    let bytes = pattern(2 << 20);
    for websocket in [false, true] {
        let mut kubectl = kubectl(&ground, &api, websocket);
        let text = "cat; echo err >&2; exit 7";
        kubectl.args(["exec", "-i", "p", "--", "/bin/sh", "-c", text]);
        let mut child = kubectl.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let sent = bytes.clone();
        let writer = thread::spawn(move || stdin.write_all(&sent).unwrap());
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        let count = output.stdout.len();
        assert!(output.stdout == bytes, "{count} bytes: {errors}");
        assert!(errors.starts_with("err\n"), "{errors}");
        assert_eq!(output.status.code(), Some(7), "{errors}");
    }
}

#[test]
#[cfg_attr(not(kubectl), ignore = "kubectl is not installed")]
fn kubectl_exec_has_a_terminal_of_its_own_size() {
    let ground = Ground::new();
    let id = ground.run(&idle("web"));
    let api = api_server(&ground, &id);
    for websocket in [false, true] {
        let kubectl = kubectl(&ground, &api, websocket);
        // The size comes after the command has begun.
        let inner =
            "until test \\\"\\$(stty size)\\\" = \\\"30 90\\\"; do usleep 10000; done; echo right";
        let url = api.url();
        let text = format!(
            "stty rows 30 cols 90; kubectl --server={url} exec -it p -- /bin/sh -c \"{inner}\""
        );
        let mut terminal = Command::new("script");
        terminal.args(["-qec", &text, "/dev/null"]);
        let variables = kubectl.get_envs();
        terminal.envs(variables.filter_map(|(name, value)| Some((name, value?))));
        terminal.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = terminal.spawn().unwrap();
        // Its end would be one of input.
        let stdin = child.stdin.take();
        let output = child.wait_with_output().unwrap();
        drop(stdin);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains("right"), "{text}");
    }
}

#[test]
#[cfg_attr(not(kubectl), ignore = "kubectl is not installed")]
fn kubectl_attach_writes_to_a_container_and_ends_with_it() {
    let ground = Ground::new();
    for (websocket, name) in [(false, "a"), (true, "b")] {
        let mut config = script(name, "cat; echo end; exit 3");
        (config.stdin, config.stdin_once) = (true, true);
        let id = ground.run(&config);
        let api = api_server(&ground, &id);
        let mut kubectl = kubectl(&ground, &api, websocket);
        kubectl.args(["attach", "-i", "p"]).stdin(Stdio::piped());
        let mut child = kubectl.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"to the app\n").unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.ends_with("to the app\nend\n"), "{output:?}");
        assert!(output.status.success(), "{output:?}");
        assert_eq!(ground.wait_end(&id).exit_code, 3);
    }
}

#[test]
#[cfg_attr(not(kubectl), ignore = "kubectl is not installed")]
fn kubectl_port_forward_reaches_a_sandbox_again_and_again() {
    let ground = Ground::new();
    let id = ground.run(&script("web", "nc -ll -p 7000 -e /bin/cat & wait"));
    wait_until("the server listens", SOON, || {
        let listening = ground.sh(&id, "netstat -ltn | grep -c ':7000 ' || true");
        (listening == "1").then_some(())
    });
    let api = api_server(&ground, &id);
    for websocket in [false, true] {
        let mut kubectl = kubectl(&ground, &api, websocket);
        kubectl.args(["port-forward", "p", ":7000"]);
        let mut child = kubectl.stdin(Stdio::null()).spawn().unwrap();
        // It is kept, since `kubectl` goes on to write, and ends if nobody can read it.
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        // Forwarding from 127.0.0.1:40001 -> 7000
        let local = line.split_whitespace().nth(2).unwrap();
        for number in 0..3 {
            let mut socket = TcpStream::connect(local).unwrap();
            let hello = format!("hello {number}");
            socket.write_all(hello.as_bytes()).unwrap();
            socket.shutdown(Shutdown::Write).unwrap();
            let mut text = String::new();
            socket.read_to_string(&mut text).unwrap();
            assert_eq!(text, hello);
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
