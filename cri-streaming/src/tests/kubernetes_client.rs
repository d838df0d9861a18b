//! A client that others wrote: Kubernetes' own for Python, of Debian's package.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;

use super::local::{server, wanted};

/// Runs a script with the URL of a request, and gives what it prints.
fn python(script: &str, url: &str) -> String {
    let mut command = Command::new("/usr/bin/python3");
    let output = command
        .args(["-c", script, &url.replace("http://", "ws://")])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_command_is_written_to_and_its_output_and_code_are_read() {
    let (server, _) = server();
    let script = "
import sys
from kubernetes.client import Configuration
from kubernetes.stream.ws_client import WSClient
client = WSClient(Configuration(), sys.argv[1], {}, True)
client.write_stdin('first\\n')
print(client.readline_stdout(timeout=20))
client.write_stdin(b'second\\n')
client.run_forever(timeout=20)
print(client.read_stdout().strip(), client.read_stderr().strip(), client.returncode)
";
    let command = "read a; echo \"<$a>\"; read b; echo \"<$b>\"; echo err >&2; exit 5";
    let url = server
        .exec(command.into(), wanted(&["stdin", "stdout", "stderr"]))
        .unwrap();
    assert_eq!(python(script, &url), "<first>\n<second> err 5\n");
}

#[test]
fn a_port_is_forwarded() {
    let (server, _) = server();
    let script = "
import sys
from kubernetes.client import Configuration
from kubernetes.stream.ws_client import PortForward, create_websocket
socket = create_websocket(Configuration(), sys.argv[1], {})
port = int(sys.argv[1].split('#')[1])
forward = PortForward(socket, [port])
local = forward.socket(port)
local.setblocking(True)
local.sendall(b'hello')
print(local.recv(100).decode(), forward.error(port))
";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut text = [0; 5];
        socket.read_exact(&mut text).unwrap();
        socket
            .write_all(&text.map(|byte| byte.to_ascii_uppercase()))
            .unwrap();
    });
    let url = server.port_forward((), vec![port]).unwrap();
    assert_eq!(python(script, &format!("{url}#{port}")), "HELLO None\n");
    thread.join().unwrap();
}
