//! A registry that serves whatever it is told to, broken images among it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::artifact::Artifact;
use crate::handlers::Handlers;

/// An answer to `GET` and `HEAD` of one path.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers, without `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The length that is announced, if it is not that of the body.
    pub announced: Option<usize>,
    /// Whether the connection stays open after the body, and nothing comes any more, until the
    /// registry is dropped.
    pub stall: bool,
}

impl Answer {
    /// Status 200 with this body.
    pub fn ok(media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            headers: vec![("Content-Type".to_owned(), media_type.to_owned())],
            body: body.into(),
            announced: None,
            stall: false,
        }
    }

    /// Another status with this body.
    pub fn status(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            ..Self::ok("application/json", body)
        }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Announces the whole length, and ends the connection in the middle.
    pub fn cut(mut self) -> Self {
        self.announced = Some(self.body.len());
        self.body.truncate(self.body.len() / 2);
        self
    }
}

/// A small HTTP server on loopback, whose answers are a table. Ended when dropped.
pub struct ScriptedRegistry {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    handlers: Handlers,
    server: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Script {
    answers: BTreeMap<String, Answer>,
    requests: Vec<String>,
    stalled: Vec<TcpStream>,
    ended: bool,
}

impl ScriptedRegistry {
    /// Starts a registry that knows nothing.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen on loopback");
        let address = listener.local_addr().expect("an address");
        let script: Arc<Mutex<Script>> = Arc::default();
        script
            .lock()
            .expect("new")
            .answers
            .insert("/v2/".to_owned(), Answer::ok(JSON, "{}"));
        let shared = Arc::clone(&script);
        let handlers = Handlers::default();
        let threads = handlers.clone();
        let server = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.lock().expect("no user panics").ended {
                    return;
                }
                let shared = Arc::clone(&shared);
                threads.spawn(move || serve(stream, &shared));
            }
        });
        Self {
            address,
            script,
            handlers,
            server: Some(server),
        }
    }

    /// `127.0.0.1:PORT/NAME`.
    pub fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    /// Offers an artifact as `NAME:TAG`, as broken as it is, and gives the full reference.
    pub fn offer(&self, artifact: &Artifact, name_and_tag: &str) -> String {
        let (name, tag) = name_and_tag
            .rsplit_once(':')
            .unwrap_or((name_and_tag, "latest"));
        for (digest, blob) in &artifact.blobs {
            let answer = Answer::ok("application/octet-stream", blob.clone());
            self.answer(&format!("/v2/{name}/blobs/{digest}"), answer);
        }
        for manifest in artifact.manifests() {
            let body = artifact.blobs[&manifest.digest].clone();
            let answer = Answer::ok(&manifest.media_type, body)
                .header("Docker-Content-Digest", &manifest.digest);
            self.answer(
                &format!("/v2/{name}/manifests/{}", manifest.digest),
                answer.clone(),
            );
            // The last one stays: the top.
            self.answer(&format!("/v2/{name}/manifests/{tag}"), answer);
        }
        self.reference(&format!("{name}:{tag}"))
    }

    /// Sets the answer for one path (`/v2/NAME/blobs/DIGEST`). What has none is answered 404.
    pub fn answer(&self, path: &str, answer: Answer) {
        self.script
            .lock()
            .expect("no user panics")
            .answers
            .insert(path.to_owned(), answer);
    }

    /// Changes the answer for one path.
    ///
    /// # Panics
    /// If there is none.
    pub fn change(&self, path: &str, change: impl FnOnce(Answer) -> Answer) {
        let mut script = self.script.lock().expect("no user panics");
        let answer = script.answers.remove(path).expect("an answer to change");
        script.answers.insert(path.to_owned(), change(answer));
    }

    /// The requests so far, as `GET /v2/…`.
    pub fn requests(&self) -> Vec<String> {
        self.script.lock().expect("no user panics").requests.clone()
    }
}

impl Drop for ScriptedRegistry {
    fn drop(&mut self) {
        {
            let mut script = self.script.lock().expect("no user panics");
            script.ended = true;
            script.stalled.clear();
        }
        // Wakes the server, which then sees that it has ended.
        let _ = TcpStream::connect(self.address);
        if let Some(server) = self.server.take() {
            assert!(server.join().is_ok() || std::thread::panicking());
        }
        self.handlers.expect_no_failure();
    }
}

const JSON: &str = "application/json";

fn serve(stream: TcpStream, script: &Mutex<Script>) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
    let mut reader = BufReader::new(&stream);
    // Who tries TLS first shall not wait for an answer.
    const TLS_HANDSHAKE: u8 = 22;
    if reader
        .fill_buf()
        .is_ok_and(|bytes| bytes.first() == Some(&TLS_HANDSHAKE))
    {
        return;
    }
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request).unwrap_or(0) == 0 {
            return;
        }
        let mut line = String::new();
        while reader.read_line(&mut line).unwrap_or(0) > 2 {
            line.clear();
        }
        let mut words = request.split(' ');
        let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let answer = {
            let mut script = script.lock().expect("no user panics");
            script.requests.push(format!("{method} {path}"));
            script
                .answers
                .get(path.split('?').next().unwrap_or(""))
                .cloned()
        };
        let missing = || Answer::status(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#);
        let answer = answer.unwrap_or_else(missing);
        let length = answer.announced.unwrap_or(answer.body.len());
        let mut head = format!(
            "HTTP/1.1 {} -\r\nContent-Length: {length}\r\n",
            answer.status
        );
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let body: &[u8] = if method == "HEAD" { &[] } else { &answer.body };
        let sent = (&stream)
            .write_all(head.as_bytes())
            .and_then(|()| (&stream).write_all(body));
        if answer.stall {
            if let Ok(stream) = stream.try_clone() {
                script.lock().expect("no user panics").stalled.push(stream);
            }
            return;
        }
        if sent.is_err() || answer.announced.is_some() {
            return;
        }
    }
}
