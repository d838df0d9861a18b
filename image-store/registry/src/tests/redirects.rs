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
