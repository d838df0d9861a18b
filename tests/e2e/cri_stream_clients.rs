//! Streams over the CRI, with a client that others wrote: that of Kubernetes for Python, of Debian's package.

use std::process::{Command, Stdio};

use harness::wait_until;

use crate::cri_containers::{Ground, SOON, idle, script};
use crate::cri_streams::{PIPES, forward_url};

/// Runs a script with a URL, and gives what it prints.
fn python(text: &str, url: &str) -> String {
    let url = url.replace("http://", "ws://");
    let output = Command::new("/usr/bin/python3")
        .args(["-c", text, &url])
        .stdin(Stdio::null())
        .output()
        .expect("python3");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[cfg_attr(
    not(python3_kubernetes),
    ignore = "python3-kubernetes is not installed"
)]
fn kubernetes_own_client_runs_commands_and_attaches() {
    let ground = Ground::new();
    let id = ground.run(&idle("web"));
    let client = "
import sys
from kubernetes.client import Configuration
from kubernetes.stream.ws_client import WSClient
client = WSClient(Configuration(), sys.argv[1], {}, True)
client.write_stdin('first\\n')
print(client.readline_stdout(timeout=20))
client.write_stdin('second\\n')
client.run_forever(timeout=20)
print(client.read_stdout().strip(), client.read_stderr().strip(), client.returncode)
";
    let text = "read a; echo \"<$a>\"; read b; echo \"<$b>\"; echo err >&2; exit 5";
    let url = ground.exec_url(&id, &["/bin/sh", "-c", text], &PIPES);
    assert_eq!(python(client, &url.unwrap()), "<first>\n<second> err 5\n");
    let mut config = script("other", text);
    config.stdin = true;
    let id = ground.run(&config);
    let url = ground.attach_url(&id, &PIPES).unwrap();
    // The code of an app is told by its status.
    assert_eq!(python(client, &url), "<first>\n<second> err 0\n");
    assert_eq!(ground.wait_end(&id).exit_code, 5);
}

#[test]
#[cfg_attr(
    not(python3_kubernetes),
    ignore = "python3-kubernetes is not installed"
)]
fn kubernetes_own_client_reads_megabytes() {
    let ground = Ground::new();
    let id = ground.run(&idle("web"));
    let client = "
import sys
from kubernetes.client import Configuration
from kubernetes.stream.ws_client import WSClient
client = WSClient(Configuration(), sys.argv[1], {}, True)
client.run_forever(timeout=60)
text = client.read_stdout()
print(len(text), text.count('\\n'), client.returncode)
";
    let cmd = ["/bin/seq", "300000"];
    let url = ground.exec_url(&id, &cmd, &["stdout", "stderr"]).unwrap();
    assert_eq!(python(client, &url), "1988895 300000 0\n");
}

#[test]
#[cfg_attr(
    not(python3_kubernetes),
    ignore = "python3-kubernetes is not installed"
)]
fn kubernetes_own_client_forwards_ports() {
    let ground = Ground::new();
    let id = ground.run(&script("web", "nc -ll -p 7000 -e /bin/cat & wait"));
    wait_until("the server listens", SOON, || {
        let listening = ground.sh(&id, "netstat -ltn | grep -c ':7000 ' || true");
        (listening == "1").then_some(())
    });
    let client = "
import sys
from kubernetes.client import Configuration
from kubernetes.stream.ws_client import PortForward, create_websocket
forward = PortForward(create_websocket(Configuration(), sys.argv[1], {}), [7000, 7002])
refused = forward.socket(7002)
refused.setblocking(True)
print(refused.recv(100), 'nobody listens' in forward.error(7002))
local = forward.socket(7000)
local.setblocking(True)
local.sendall(b'hello')
print(local.recv(100).decode(), forward.error(7000))
";
    let url = forward_url(&ground.cri, &ground.sandbox, &[7000, 7002]).unwrap();
    assert_eq!(python(client, &url), "b'' True\nhello None\n");
}
