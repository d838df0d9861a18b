//! Answers that no honest registry gives: each ends, soon, in what it says or in one clear line.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::*;

/// Longer than any of this may take on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// A server that answers each request with `head`, and then with `again` for as long as somebody listens.
fn endless(head: &'static str, again: &'static [u8]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut server = Server::start(|_| Reply::new(500, ""));
    server.authority = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                let mut sent = stream.write_all(head.as_bytes());
                let many = again.repeat((64 << 10) / again.len() + 1);
                while sent.is_ok() {
                    sent = stream.write_all(&many);
                }
            });
        }
    });
    server
}

/// What comes of something that must not take for ever.
#[track_caller]
fn soon<T: Send + 'static>(what: &str, act: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, outcome) = mpsc::channel();
    std::thread::spawn(move || done.send(act()));
    match outcome.recv_timeout(SOON) {
        Ok(outcome) => outcome,
        Err(_) => panic!("{what} did not end"),
    }
}

/// The image `a` at a server, and what reading its manifest comes to.
#[track_caller]
fn top(what: &str, server: Server) -> Result<Vec<u8>, String> {
    let result = soon(what, move || {
        let mut image = origin(&server, "a", Vec::new());
        image.top().map(|manifest| manifest.bytes)
    });
    result.map_err(|error| one_line(what, &error))
}

/// The message of an error, which is fit for a terminal.
#[track_caller]
fn one_line(what: &str, error: &RegistryError) -> String {
    let line = error.to_string();
    let is_odd = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!line.contains(is_odd), "{what}: {line:?}");
    assert!(line.len() < 600, "{what}: {line:?}");
    line
}

fn raw(head: &str, body: &[u8]) -> Server {
    let bytes = [head.as_bytes(), b"\r\n\r\n", body].concat();
    Server::start(move |_| Reply::raw(bytes.clone()))
}

#[test]
fn answers_that_never_end_are_not_read_for_ever() {
    for (what, head, again) in [
        ("interim answers", "", &b"HTTP/1.1 100 Continue\r\n\r\n"[..]),
        (
            "hints",
            "",
            b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
        ),
        ("headers", "HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        ("one header", "HTTP/1.1 200 OK\r\nX: ", b"yyyyyyyy"),
        ("a status line", "HTTP/1.1 200 ", b"OKOKOKOK"),
        ("a body", "HTTP/1.1 200 OK\r\n\r\n", b" "),
        (
            "chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"8\r\n        \r\n",
        ),
        (
            "the size of a chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"00000000",
        ),
        (
            "an extension of a chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8",
            b";xxxxxxx",
        ),
        (
            "the reason of a refusal",
            "HTTP/1.1 403 No\r\n\r\n",
            b"no! ",
        ),
        (
            "what asks who this is",
            "HTTP/1.1 401 Who\r\nWWW-Authenticate: Basic realm=x\r\n\r\n",
            b"who?",
        ),
        ("blank lines", "", b"\r\n"),
        ("zeros", "", b"\0"),
    ] {
        let result = top(what, endless(head, again));
        assert!(result.is_err(), "{what}: {result:?}");
    }
}

#[test]
fn what_comes_after_a_document_is_not_waited_for_longer_than_the_document() {
    use crate::answer::{Unread, read_body};
    use crate::client::{Method, Payload};
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n";
    let server = endless(head, b"X: y\r\n");
    let read = soon("trailers", move || {
        let client = pusher(&server, "a");
        let url = client.url("manifests/latest").unwrap();
        let longest = Duration::from_secs(1);
        let payload = Payload::None;
        let answer = client.exchange(Method::Get, &url, &[], &payload, "reading", longest);
        read_body(answer.unwrap().into_body(), 1000)
    });
    match read {
        Err(Unread::Broken(error)) => {
            assert_eq!(error.to_string(), "not all of it arrived in time");
        }
        _ => panic!("it goes on for ever"),
    }
}

#[test]
fn a_length_that_makes_no_sense_is_an_error_or_nothing() {
    for (what, headers) in [
        ("none that is a number", "Content-Length: x"),
        ("below zero", "Content-Length: -1"),
        (
            "beyond every number",
            "Content-Length: 99999999999999999999999",
        ),
        ("the largest number", "Content-Length: 18446744073709551615"),
        ("with a sign", "Content-Length: +43"),
        ("two of them", "Content-Length: 43\r\nContent-Length: 10"),
        ("a list", "Content-Length: 43, 10"),
        ("too many bytes", "Content-Length: 44"),
        (
            "beside chunks",
            "Content-Length: 43\r\nTransfer-Encoding: chunked",
        ),
        ("an unknown encoding", "Transfer-Encoding: rot13"),
    ] {
        let result = top(
            what,
            raw(&format!("HTTP/1.1 200 OK\r\n{headers}"), MANIFEST),
        );
        // What is read is all of it, or the beginning that the answer gives out as all.
        let is_told = result
            .as_deref()
            .is_ok_and(|bytes| MANIFEST.starts_with(bytes));
        assert!(result.is_err() || is_told, "{what}: {result:?}");
    }
    for (what, chunks) in [
        ("no size", &b"\r\n{}\r\n0\r\n\r\n"[..]),
        ("no hexadecimal size", b"zz\r\n{}\r\n0\r\n\r\n"),
        ("a size below zero", b"-2\r\n{}\r\n0\r\n\r\n"),
        (
            "a size beyond every number",
            b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        ),
        ("the largest size", b"ffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
        ("fewer bytes than it says", b"5\r\n{}\r\n0\r\n\r\n"),
        ("more bytes than it says", b"1\r\n{}\r\n0\r\n\r\n"),
        ("no last chunk", b"2\r\n{}\r\n"),
        ("nothing", b""),
    ] {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked";
        let result = top(what, raw(head, chunks));
        assert!(result.is_err(), "{what}: {result:?}");
    }
}

#[test]
fn only_a_success_with_a_document_is_one() {
    for status in [
        201, 202, 204, 205, 206, 226, 299, 300, 304, 305, 306, 400, 402, 410, 418, 451,
    ] {
        let server = Server::start(move |_| Reply::new(status, MANIFEST));
        let error = top(&status.to_string(), server).unwrap_err();
        assert!(error.contains(&status.to_string()), "{error}");
    }
    for line in [
        "HTTP/1.1 0 x",
        "HTTP/1.1 999 x",
        "HTTP/1.1 1000 x",
        "HTTP/1.1 -200 x",
        "HTTP/1.1",
        "ICY 200 OK",
        "200 OK",
    ] {
        let result = top(line, raw(line, MANIFEST));
        assert!(result.is_err(), "{line}: {result:?}");
    }
}

#[test]
fn what_a_refusal_says_is_one_harmless_line() {
    for (what, body) in [
        (
            "an escape",
            "{\"errors\":[{\"code\":\"\\u001b[2J\",\"message\":\"\\u202egone\\r\\nok\"}]}",
        ),
        ("no list", "{\"errors\":7}"),
        ("nothing", "{\"errors\":null}"),
        ("a list of nothing", "{\"errors\":[null,7,\"x\"]}"),
        (
            "a text",
            "\u{1b}]0;title\u{7}\u{9b}31m\r\nfairing: all is well",
        ),
        ("a page", "<html><body>\u{0}</body></html>"),
        ("bytes", "\u{fffd}\u{feff}"),
    ] {
        let server =
            Server::start(move |_| Reply::new(403, body).header("Content-Type", "text/plain"));
        let error = top(what, server).unwrap_err();
        assert!(!error.contains('\u{9b}'), "{error:?}");
    }
    let deep = ["[".repeat(4000), "]".repeat(4000)].concat();
    let server = Server::start(move |_| Reply::new(500, format!("{{\"errors\":{deep}}}")));
    top("a deep one", server).unwrap_err();
    let long = format!("{{\"errors\":[{{\"message\":\"{}\"}}]}}", "é".repeat(3000));
    let server = Server::start(move |_| Reply::new(500, long.clone()));
    top("a long one", server).unwrap_err();
}

#[test]
fn no_pause_that_a_registry_asks_for_is_too_long() {
    for asked in [
        "-1",
        "18446744073709551615",
        "1e9",
        "604800",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Thu, 32 Foo 99999 99:99:99 GMT",
        "",
        "\u{e9}",
    ] {
        let server = Server::start(move |_| Reply::new(429, "slowly").header("Retry-After", asked));
        let begun = Instant::now();
        let error = top(asked, server).unwrap_err();
        assert!(error.contains("slowly"), "{error}");
        assert!(begun.elapsed() < SOON / 2, "{asked}");
    }
}

#[test]
fn a_digest_that_the_answer_has_not_is_told() {
    let of = |told: &str| {
        let told = told.to_owned();
        let server = Server::start(move |_| {
            Reply::new(200, MANIFEST).header("Docker-Content-Digest", told.clone())
        });
        top("a digest", server)
    };
    assert_eq!(of(sha256(MANIFEST).as_ref()).unwrap(), MANIFEST);
    let error = of(sha256(b"other").as_ref()).unwrap_err();
    assert!(error.contains("digest mismatch"), "{error}");
    // What is no digest says nothing.
    for odd in [
        "",
        "x",
        "sha256:",
        "sha256:zz",
        "../../etc/passwd",
        "sha512:00",
    ] {
        assert_eq!(of(odd).unwrap(), MANIFEST, "{odd}");
    }
}

#[test]
fn a_redirect_leads_to_a_web_address_or_nowhere() {
    for location in [
        "//",
        "///x",
        "http://",
        "http:///x",
        "http://:80/x",
        "http://[::1/x",
        "http://127.0.0.1:99999/x",
        "http://127.0.0.1:0x50/x",
        "javascript:alert(1)",
        "data:application/json,{}",
        "unix:///run/docker.sock",
        "http://a b/x",
        "\u{7f}",
        "?",
        "#",
        "..",
        "/v2/../../x",
    ] {
        let server = Server::start(move |seen| match seen.target.as_str() {
            "/v2/a/manifests/latest" => Reply::new(307, "").header("Location", location),
            _ => Reply::new(404, ""),
        });
        let result = top(location, server);
        assert!(result.is_err(), "{location}: {result:?}");
    }
    // User and password in an address are for nobody.
    let other = Server::start(|_| Reply::new(200, MANIFEST));
    let authority = other.authority.clone();
    let server = Server::start(move |_| {
        let location = format!("http://user:pass@{authority}/x");
        Reply::new(307, "").header("Location", location)
    });
    if top("user and password", server).is_ok() {
        assert_eq!(other.seen()[0].header("authorization"), None);
    }
}

/// What comes of a registry that wants a token, and of the server that gives them.
#[track_caller]
fn with_token(
    what: &str,
    challenge: impl Fn(&str) -> String + Send + 'static,
    token: &'static str,
) -> Result<Vec<u8>, String> {
    let server = Server::start(move |seen| {
        let host = seen.header("host").unwrap().to_owned();
        match (
            seen.target.starts_with("/token"),
            seen.header("authorization"),
        ) {
            (true, _) => Reply::new(200, token),
            (false, Some(_)) => manifest(),
            (false, None) => Reply::new(401, "").header("WWW-Authenticate", challenge(&host)),
        }
    });
    top(what, server)
}

#[test]
fn a_token_server_is_asked_only_where_it_can_be_and_gives_what_can_be_a_token() {
    let bearer = |host: &str| format!("Bearer realm=\"http://{host}/token\"");
    assert_eq!(
        with_token("a good one", bearer, r#"{"token":"abc"}"#).unwrap(),
        MANIFEST
    );
    for token in [
        "",
        "null",
        "[]",
        "7",
        "{}",
        r#"{"token":""}"#,
        r#"{"token":7}"#,
        r#"{"token":null}"#,
        r#"{"token":"a\r\nX-Evil: 1"}"#,
        r#"{"token":"a b"}"#,
        r#"{"token":"\u0000"}"#,
        r#"{"token":"é"}"#,
        r#"{"token":["a"]}"#,
        r#"{"token":"abc"} trailing"#,
    ] {
        let result = with_token(token, bearer, token);
        assert!(result.is_err(), "{token}: {result:?}");
    }
    for realm in [
        "",
        "x",
        "/token",
        "file:///etc/passwd",
        "http://",
        "ftp://127.0.0.1/token",
        "http://evil.example/token",
        "http://127.0.0.1:99999/token",
        "http://a b/token",
        "\u{202e}",
    ] {
        let result = with_token(realm, move |_| format!("Bearer realm=\"{realm}\""), "{}");
        assert!(result.is_err(), "{realm}: {result:?}");
    }
}

#[test]
fn a_blob_has_the_bytes_that_its_manifest_says_or_is_none() {
    let content = b"0123456789";
    let of = |reply: fn() -> Reply| {
        soon("a blob", move || {
            let server = Server::start(move |_| reply());
            read(&mut origin(&server, "a", Vec::new()), content)
        })
        .map_err(|error| one_line("a blob", &error))
    };
    assert_eq!(of(|| Reply::new(200, b"0123456789")).unwrap(), content);
    for (what, reply) in [
        ("fewer", (|| Reply::new(200, b"0123")) as fn() -> Reply),
        ("more", || Reply::new(200, b"0123456789X")),
        ("none", || Reply::new(200, "")),
        ("a part that nobody asked for", || {
            Reply::new(206, b"0123456789").header("Content-Range", "bytes 0-9/10")
        }),
        ("fewer than it says", || {
            Reply::new(200, b"0123").announcing(10)
        }),
        ("no content", || Reply::new(204, "")),
        ("not modified", || Reply::new(304, "")),
        ("not satisfiable", || Reply::new(416, "")),
        ("moved to itself", || {
            Reply::new(302, "").header("Location", "")
        }),
    ] {
        let result = of(reply);
        let is_longer = result
            .as_deref()
            .is_ok_and(|bytes| bytes.len() > content.len());
        // What is one byte too long is told by who counts, and has another digest.
        assert!(result.is_err() || is_longer, "{what}: {result:?}");
    }
}

#[test]
fn nothing_is_read_behind_a_blob_whose_answer_does_not_end() {
    for (what, head, again) in [
        ("more of it", "HTTP/1.1 200 OK\r\n\r\n", &b"0123456789"[..]),
        (
            "more chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"a\r\n0123456789\r\n",
        ),
        (
            "trailers",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n",
            b"X: y\r\n",
        ),
    ] {
        let server = endless(head, again);
        let bytes = soon(what, move || {
            read(&mut origin(&server, "a", Vec::new()), b"0123456789")
        });
        // Whoever takes it in refuses what came with it, and nothing more is waited for.
        let bytes = bytes.unwrap();
        assert!(bytes.starts_with(b"0123456789"), "{what}");
        assert!(bytes.len() < 1 << 20, "{what}: {}", bytes.len());
    }
}

#[test]
fn an_upload_goes_to_the_registry_or_fails() {
    use crate::client::Payload;
    use crate::push::push_blob;
    for location in [
        None,
        Some(""),
        Some("file:///tmp/x"),
        Some("http://evil.example/upload"),
        Some("http://[::1/x"),
        Some("http://a b/x"),
        Some("\u{7f}"),
    ] {
        let result = soon("an upload", move || {
            let server = Server::start(move |seen| match (seen.method.as_str(), location) {
                ("POST", Some(location)) => Reply::new(202, "").header("Location", location),
                ("POST", None) => Reply::new(202, ""),
                ("PUT", _) => Reply::new(400, "somewhere else"),
                _ => Reply::new(404, ""),
            });
            let mut client = pusher(&server, "a");
            push_blob(&mut client, &sha256(b"x"), Payload::Bytes(b"x"))
        });
        let error = result.unwrap_err();
        one_line("an upload", &error);
    }
    for status in [100, 200, 204, 302, 401, 416, 500] {
        let result = soon("an upload", move || {
            let server = Server::start(move |seen| match seen.method.as_str() {
                "POST" => Reply::new(202, "").header("Location", "/v2/a/blobs/uploads/1"),
                "PUT" => Reply::new(status, "no"),
                _ => Reply::new(404, ""),
            });
            let mut client = pusher(&server, "a");
            push_blob(&mut client, &sha256(b"x"), Payload::Bytes(b"x"))
        });
        let error = result
            .map(|()| panic!("{status} is no success"))
            .unwrap_err();
        one_line("an upload", &error);
    }
}
