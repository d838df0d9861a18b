//! `kubectl` against the server, through as much of an API server as it needs. Newer ones speak
//! WebSocket unless they are told not to, older ones SPDY in any case.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::{io, thread};

use super::attach::app;
use super::local::{Local, server};
use crate::{Server, Wanted};

type Streaming = Arc<(Server<&'static Local>, &'static Local)>;

/// An API server with one pod, which hands streams on to the server under test.
struct Api {
    address: SocketAddr,
    streaming: Streaming,
    home: tempfile::TempDir,
}

impl Api {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let streaming = Arc::new(server());
        let served = Arc::clone(&streaming);
        // It ends with the process of this test.
        thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                let streaming = Arc::clone(&served);
                thread::spawn(move || serve(socket, &streaming));
            }
        });
        Self {
            address,
            streaming,
            home: tempfile::tempdir().unwrap(),
        }
    }

    fn kubectl(&self, websocket: bool) -> Command {
        let mut command = Command::new("kubectl");
        command
            .env("HOME", self.home.path())
            .env_remove("KUBECONFIG");
        for variable in [
            "KUBECTL_REMOTE_COMMAND_WEBSOCKETS",
            "KUBECTL_PORT_FORWARD_WEBSOCKETS",
        ] {
            command.env(variable, websocket.to_string());
        }
        command.arg(format!("--server=http://{}", self.address));
        command
    }
}

/// Answers requests until one is for streams.
fn serve(mut socket: TcpStream, streaming: &Streaming) {
    loop {
        let Some(head) = head(&mut socket) else {
            return;
        };
        let target = head.split(' ').nth(1).unwrap().to_owned();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let pod = "/api/v1/namespaces/default/pods/p";
        let answer = match path {
            "/version" => r#"{"major":"1","minor":"32","gitVersion":"v1.32.0"}"#,
            "/api" => r#"{"kind":"APIVersions","versions":["v1"]}"#,
            "/apis" => r#"{"kind":"APIGroupList","apiVersion":"v1","groups":[]}"#,
            "/api/v1" => {
                r#"{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"pods",
                "namespaced":true,"kind":"Pod","verbs":["get","list"]}]}"#
            }
            path if path == pod => {
                r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","namespace":"default"},
                "spec":{"containers":[{"name":"c","image":"i","stdin":true}]},
                "status":{"phase":"Running"}}"#
            }
            path => return hand_on(socket, &head, &url(path, query, streaming)),
        };
        let length = answer.len();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length";
        socket
            .write_all(format!("{head}: {length}\r\n\r\n{answer}").as_bytes())
            .unwrap();
    }
}

fn head(socket: &mut TcpStream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if socket.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    Some(String::from_utf8(head).unwrap())
}

/// What a kubelet would be answered by the RPC.
fn url(path: &str, query: &str, streaming: &Streaming) -> String {
    let values = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let values = pairs
            .filter(|(known, _)| *known == name)
            .map(|(_, value)| decoded(value));
        values.collect::<Vec<_>>()
    };
    let has = |name| values(name) == ["true"];
    let wanted = || Wanted::new(has("stdin"), has("stdout"), has("stderr"), has("tty")).unwrap();
    match path.rsplit('/').next().unwrap() {
        "exec" => streaming.0.exec(values("command").join(" "), wanted()),
        "attach" => streaming.0.attach((), wanted()),
        "portforward" => streaming.0.port_forward((), vec![]),
        other => panic!("{other}"),
    }
    .unwrap()
}

fn decoded(value: &str) -> String {
    let value = value.replace('+', " ");
    let mut parts = value.split('%');
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        text.push(char::from(u8::from_str_radix(&part[..2], 16).unwrap()));
        text.push_str(&part[2..]);
    }
    text
}

/// As kubelets do: the head goes on with another target, and then all bytes as they are.
fn hand_on(client: TcpStream, head: &str, url: &str) {
    let (host, path) = url
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let mut server = TcpStream::connect(host).unwrap();
    let (method, rest) = head.split_once(' ').unwrap();
    let (_, rest) = rest.split_once(' ').unwrap();
    server
        .write_all(format!("{method} /{path} {rest}").as_bytes())
        .unwrap();
    let copy = |mut from: TcpStream, mut to: TcpStream| {
        // Whichever side leaves first ends both.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    };
    let (client_too, server_too) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || copy(client, server));
    copy(server_too, client_too);
}

#[test]
fn kubectl_exec_has_input_output_and_code() {
    let api = Api::start();
    for websocket in [false, true] {
        let text = "cat; echo err >&2; exit 7";
        let mut kubectl = api.kubectl(websocket);
        kubectl
            .args(["exec", "-i", "p", "--", text])
            .stdin(Stdio::piped());
        let mut child = kubectl
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let bytes: Vec<u8> = (0..300_000).map(|at| (at % 251) as u8).collect();
        let mut stdin = child.stdin.take().unwrap();
        let sent = bytes.clone();
        let writer = thread::spawn(move || stdin.write_all(&sent).unwrap());
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.stdout == bytes,
            "{} bytes: {errors}",
            output.stdout.len()
        );
        assert!(errors.starts_with("err\n"), "{errors}");
        assert_eq!(output.status.code(), Some(7), "{errors}");
    }
}

#[test]
fn kubectl_exec_has_a_terminal_of_its_own_size() {
    let api = Api::start();
    for websocket in [false, true] {
        let kubectl = api.kubectl(websocket);
        let server = kubectl
            .get_args()
            .next()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        // The size comes after the command has begun.
        let inner = "'until test \"$(stty size)\" = \"30 90\"; do sleep 0.01; done; echo right'";
        let text = format!("stty rows 30 cols 90; kubectl {server} exec -it p -- {inner}");
        let mut script = Command::new("script");
        script
            .args(["-qec", &text, "/dev/null"])
            .stdin(Stdio::piped());
        script.envs(
            kubectl
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        let mut child = script.stdout(Stdio::piped()).spawn().unwrap();
        // Its end would be one of input.
        let stdin = child.stdin.take();
        let output = child.wait_with_output().unwrap();
        drop(stdin);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains("right"), "{text}");
    }
}

#[test]
fn kubectl_attach_reads_from_an_app_and_writes_to_it() {
    let api = Api::start();
    for websocket in [false, true] {
        let (process, mut socket): (_, UnixStream) = app(false);
        *api.streaming.1.app.lock().unwrap() = Some(process);
        let mut kubectl = api.kubectl(websocket);
        kubectl
            .args(["attach", "-i", "p"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = kubectl.spawn().unwrap();
        child
            .stdin
            .as_mut()
            .unwrap()
            .write_all(b"to the app")
            .unwrap();
        let mut text = [0; 10];
        socket.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"to the app");
        socket.write_all(b"from the app").unwrap();
        drop(socket);
        let output = child.wait_with_output().unwrap();
        assert!(output.stdout.ends_with(b"from the app"), "{output:?}");
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn kubectl_port_forward_reaches_ports_again_and_again() {
    let api = Api::start();
    for websocket in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = thread::spawn(move || {
            for _ in 0..3 {
                let (mut socket, _) = listener.accept().unwrap();
                let mut text = String::new();
                socket.read_to_string(&mut text).unwrap();
                socket.write_all(text.to_uppercase().as_bytes()).unwrap();
            }
        });
        let mut kubectl = api.kubectl(websocket);
        kubectl
            .args(["port-forward", "p", &format!(":{port}")])
            .stdout(Stdio::piped());
        let mut child = kubectl.spawn().unwrap();
        let mut line = String::new();
        // It is kept, since `kubectl` goes on to write, and ends if nobody can read it.
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut line).unwrap();
        // Forwarding from 127.0.0.1:40001 -> 80
        let local = line.split_whitespace().nth(2).unwrap();
        for number in 0..3 {
            let mut socket = TcpStream::connect(local).unwrap();
            socket
                .write_all(format!("hello {number}").as_bytes())
                .unwrap();
            socket.shutdown(Shutdown::Write).unwrap();
            let mut text = String::new();
            socket.read_to_string(&mut text).unwrap();
            assert_eq!(text, format!("HELLO {number}"));
        }
        target.join().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
