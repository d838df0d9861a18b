use super::*;

#[test]
fn another_host_that_asks_for_credentials_gets_none() {
    let dir = tempfile::tempdir().unwrap();
    // What the blob's other host says about who should tell it what must not be heard.
    let thief = Server::start(|seen| {
        let host = seen.header("host").unwrap();
        let challenge = format!("Bearer realm=\"http://{host}/token\"");
        Reply::new(401, "").header("WWW-Authenticate", challenge)
    });
    let other = thief.authority.clone();
    let server = Server::start(move |seen| {
        if seen.header("authorization").is_none() {
            return Reply::new(401, "").header("WWW-Authenticate", "Basic realm=x");
        }
        Reply::new(307, "").header("Location", format!("http://{other}/blob"))
    });
    let file = credentials(dir.path(), &[&server.authority, &thief.authority]);
    let error = read(&mut origin(&server, "a", vec![file]), b"x").unwrap_err();
    assert!(
        matches!(error, RegistryError::Unauthorized { .. }),
        "{error}"
    );
    let seen = thief.seen();
    assert_eq!(seen.len(), 1, "{:?}", thief.lines());
    assert_eq!(seen[0].header("authorization"), None);
}

#[test]
fn credentials_that_were_left_behind_stay_behind() {
    let dir = tempfile::tempdir().unwrap();
    let home = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let back = std::sync::Arc::clone(&home);
    let other = Server::start(move |_| {
        let home = back.lock().unwrap().clone();
        Reply::new(302, "").header("Location", format!("http://{home}/v2/private/blobs/x"))
    });
    let authority = other.authority.clone();
    let server = Server::start(move |seen| {
        if seen.target.contains("/private/") {
            return Reply::new(200, "x");
        }
        if seen.header("authorization").is_none() {
            return Reply::new(401, "").header("WWW-Authenticate", "Basic realm=x");
        }
        Reply::new(307, "").header("Location", format!("http://{authority}/blob"))
    });
    home.lock().unwrap().clone_from(&server.authority);
    let file = credentials(dir.path(), &[&server.authority]);
    read(&mut origin(&server, "a", vec![file]), b"x").unwrap();
    let seen = server.seen();
    let last = seen.last().unwrap();
    assert!(last.target.contains("/private/"));
    assert_eq!(last.header("authorization"), None);
}

#[test]
fn another_port_is_another_host() {
    let dir = tempfile::tempdir().unwrap();
    let other = Server::start(|_| Reply::new(200, "x"));
    let port = other.authority.clone();
    let server = Server::start(move |seen| {
        if seen.header("authorization").is_none() {
            return Reply::new(401, "").header("WWW-Authenticate", "Basic realm=x");
        }
        Reply::new(301, "").header("Location", format!("http://{port}/blob"))
    });
    let file = credentials(dir.path(), &[&server.authority, &other.authority]);
    read(&mut origin(&server, "a", vec![file]), b"x").unwrap();
    assert_eq!(other.seen()[0].header("authorization"), None);
}

#[test]
fn a_redirect_that_leads_nowhere_is_told_and_not_followed() {
    for (location, told) in [
        (None, "a redirect to nowhere"),
        (Some(""), "a redirect to nowhere"),
        (Some("file:///etc/passwd"), "it is no URL of HTTP"),
        (Some("ftp://127.0.0.1/x"), "it is no URL of HTTP"),
        (Some("http://user@127.0.0.1/x"), "it holds a user name"),
        (
            Some("http://192.0.2.1/x"),
            "plain HTTP is spoken only with loopback",
        ),
    ] {
        let server = Server::start(move |_| {
            let reply = Reply::new(302, "");
            match location {
                Some(location) => reply.header("Location", location),
                None => reply,
            }
        });
        let mut origin = origin(&server, "a", Vec::new());
        for error in [read(&mut origin, b"x").map(drop), origin.top().map(drop)] {
            let error = error.unwrap_err();
            let is_refusal = matches!(error, RegistryError::Status { status: 302, .. });
            assert!(is_refusal && error.is_odd_answer(), "{location:?}: {error}");
            assert!(error.to_string().contains(told), "{location:?}: {error}");
        }
    }
}

#[test]
fn redirects_in_a_circle_end() {
    let server = Server::start(|seen| {
        let on = format!("{}x", seen.target);
        Reply::new(302, "").header("Location", on)
    });
    let error = read(&mut origin(&server, "a", Vec::new()), b"x").unwrap_err();
    assert!(
        error.to_string().contains("more than 10 redirects"),
        "{error}"
    );
    assert_eq!(server.seen().len(), 11);
}

#[test]
fn an_answer_that_is_no_http_is_asked_for_again() {
    let mut answers = 0;
    let server = Server::start(move |seen| {
        if seen.target.contains("/manifests/") {
            return manifest();
        }
        answers += 1;
        match answers {
            1 => Reply::raw("HTTP/1.1 503 x\r\nRetry-After: 1\u{1}\r\nContent-Length: 0\r\n\r\n"),
            2 => Reply::new(503, "").header("Retry-After", "soon\u{e9}"),
            _ => Reply::new(200, "x"),
        }
    });
    let mut origin = origin(&server, "a", Vec::new());
    origin.top().unwrap();
    read(&mut origin, b"x").unwrap();
    assert_eq!(
        server
            .lines()
            .iter()
            .filter(|line| line.contains("/blobs/"))
            .count(),
        3
    );
}
