//! As much of a Kubernetes API server, and of a kubelet, as `kubectl` needs to reach the streams of one pod.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// What `kubectl` wants a stream for, of the pod `p`.
#[derive(Debug, Clone)]
pub struct StreamRequest {
    /// `exec`, `attach` or `portforward`.
    pub action: String,
    /// What it says of it: names and values.
    query: Vec<(String, String)>,
}

impl StreamRequest {
    /// All values of a name, in their order.
    pub fn values(&self, name: &str) -> Vec<String> {
        let named = self.query.iter().filter(|(known, _)| known == name);
        named.map(|(_, value)| value.clone()).collect()
    }

    /// Whether it says that it wants this.
    pub fn has(&self, name: &str) -> bool {
        self.values(name) == ["true"]
    }
}

/// What a kubelet is answered by the runtime: the URL of a stream.
type Url = Arc<dyn Fn(&StreamRequest) -> String + Send + Sync>;

/// An API server with one pod, which hands streams on. It serves until the process of its test ends.
#[derive(Debug)]
pub struct ApiServer {
    address: SocketAddr,
}

impl ApiServer {
    /// Serves. Streams are handed on to the URLs that are given for them.
    ///
    /// # Panics
    /// If it can't listen.
    pub fn start(url: impl Fn(&StreamRequest) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let url: Url = Arc::new(url);
        thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                let url = Arc::clone(&url);
                thread::spawn(move || serve(socket, &url));
            }
        });
        Self { address }
    }

    /// Where it is, as `kubectl --server` takes it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Answers requests until one is for a stream.
fn serve(mut socket: TcpStream, url: &Url) -> Option<()> {
    loop {
        let head = head(&mut socket)?;
        let target = head.split(' ').nth(1)?.to_owned();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let answer = match path {
            "/version" => r#"{"major":"1","minor":"32","gitVersion":"v1.32.0"}"#,
            "/api" => r#"{"kind":"APIVersions","versions":["v1"]}"#,
            "/apis" => r#"{"kind":"APIGroupList","apiVersion":"v1","groups":[]}"#,
            "/api/v1" => {
                r#"{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"pods",
                "namespaced":true,"kind":"Pod","verbs":["get","list"]}]}"#
            }
            "/api/v1/namespaces/default/pods/p" => {
                r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","namespace":"default"},
                "spec":{"containers":[{"name":"c","image":"i","stdin":true}]},
                "status":{"phase":"Running"}}"#
            }
            path => {
                let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
                let request = StreamRequest {
                    action: path.rsplit('/').next()?.to_owned(),
                    query: pairs
                        .map(|(name, value)| (name.to_owned(), decoded(value)))
                        .collect(),
                };
                return hand_on(socket, &head, &url(&request));
            }
        };
        let length = answer.len();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length";
        let answer = format!("{head}: {length}\r\n\r\n{answer}");
        socket.write_all(answer.as_bytes()).ok()?;
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
    String::from_utf8(head).ok()
}

fn decoded(value: &str) -> String {
    let value = value.replace('+', " ");
    let mut parts = value.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = u8::from_str_radix(&part[..2], 16).expect("a value as URLs have them");
        text.push(char::from(code));
        text.push_str(&part[2..]);
    }
    text
}

/// As kubelets do: the head goes on with another target, and then all bytes as they are.
fn hand_on(client: TcpStream, head: &str, url: &str) -> Option<()> {
    let (host, path) = url.strip_prefix("http://")?.split_once('/')?;
    let mut server = TcpStream::connect(host).ok()?;
    let (method, rest) = head.split_once(' ')?;
    let (_, rest) = rest.split_once(' ')?;
    let head = format!("{method} /{path} {rest}");
    server.write_all(head.as_bytes()).ok()?;
    let copy = |mut from: TcpStream, mut to: TcpStream| {
        // Whichever side leaves first ends both.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    };
    let (client_too, server_too) = (client.try_clone().ok()?, server.try_clone().ok()?);
    thread::spawn(move || copy(client, server));
    copy(server_too, client_too);
    Some(())
}
