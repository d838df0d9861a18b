//! A token server, as registries with token authentication send their clients to.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::account::{PASSWORD, USER};
use crate::authority::openssl;
use crate::http_server::{HttpServer, Request};

/// What the registry and the tokens call each other.
pub(crate) const SERVICE: &str = "tests registry";
pub(crate) const ISSUER: &str = "tests";

/// A running server. It gives tokens for what is asked for, to the user of the tests alone.
pub struct TokenServer {
    server: HttpServer,
    folder: TempDir,
}

impl TokenServer {
    /// Starts a server with a key of its own.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("fairing-tokens-")
            .tempdir()
            .expect("a folder");
        let arguments = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=tokens \
             -keyout token.key -out token.crt";
        openssl(folder.path(), arguments);
        let files = folder.path().to_owned();
        let server = HttpServer::start(move |request, mut stream| {
            let user = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
            let (status, body) = match request.header("authorization") {
                Some(given) if given == user => (200, json!({ "token": token(&files, &request) })),
                _ => {
                    let details = "user and password are wrong";
                    (
                        401,
                        json!({ "errors": [{ "code": "UNAUTHORIZED", "message": details }] }),
                    )
                }
            };
            let body = body.to_string();
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
            );
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        });
        Self { server, folder }
    }

    /// The URL at which tokens are given.
    pub fn realm(&self) -> String {
        format!("http://{}/token", self.server.address())
    }

    /// The certificate of the key that signs tokens.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("token.crt")
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.server.requests()
    }
}

/// A JSON web token for the scope of the request.
fn token(folder: &Path, request: &Request) -> String {
    let pem = fs::read_to_string(folder.join("token.crt")).expect("read the certificate");
    let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let header = json!({ "typ": "JWT", "alg": "RS256", "x5c": [der] });
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock")
        .as_secs();
    let claims = json!({
        "iss": ISSUER, "sub": USER, "aud": SERVICE, "jti": "1",
        "nbf": now - 60, "iat": now - 60, "exp": now + 600, "access": access(&request.target),
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&header), part(&claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(folder, &text));
    format!("{text}.{signature}")
}

/// `repository:NAME:pull,push` of the query, as tokens have it.
fn access(target: &str) -> Value {
    let scope = target
        .split(['?', '&'])
        .find_map(|part| part.strip_prefix("scope="))
        .unwrap_or_default()
        .replace("%3A", ":")
        .replace("%2F", "/")
        .replace("%2C", ",");
    let mut words = scope.splitn(3, ':');
    match (words.next(), words.next(), words.next()) {
        (Some(kind), Some(name), Some(actions)) => {
            let actions: Vec<_> = actions.split(',').collect();
            json!([{ "type": kind, "name": name, "actions": actions }])
        }
        _ => json!([]),
    }
}

fn sign(folder: &Path, text: &str) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(["dgst", "-sha256", "-sign", "token.key"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start openssl");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(text.as_bytes()).expect("write to openssl");
    drop(stdin);
    child.wait_with_output().expect("openssl's output").stdout
}
