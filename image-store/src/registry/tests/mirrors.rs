use super::*;

fn with_mirror(name: &str, mirror: &Server) -> String {
    format!(
        "[[registry]]\nprefix = \"{name}\"\nmirrors = [\"{}/copy\"]\n",
        mirror.authority
    )
}

fn missing() -> Server {
    Server::start(|_| Reply::new(404, ""))
}

#[test]
fn a_mirror_is_asked_first_and_changes_no_name() {
    let (mirror, home) = (Server::start(|_| manifest()), missing());
    let name = format!("{}/team/app:1", home.authority);
    let mut origin = configured(&name, &with_mirror(&home.authority, &mirror), Vec::new());
    assert_eq!(origin.top().unwrap().bytes, MANIFEST);
    assert_eq!(mirror.lines(), ["GET /v2/copy/team/app/manifests/1"]);
    assert_eq!(home.lines(), [] as [String; 0]);
}

#[test]
fn what_a_mirror_has_not_or_garbles_comes_from_the_registry_itself() {
    let digest = sha256(MANIFEST);
    for status in [404, 403, 500, 200] {
        let mirror = Server::start(move |_| Reply::new(status, "garbled"));
        let home = Server::start(|_| manifest());
        let name = format!("{}/a", home.authority);
        let mut origin = configured(&name, &with_mirror(&home.authority, &mirror), Vec::new());
        let found = origin.manifest(&digest).unwrap();
        assert_eq!(found.bytes, MANIFEST, "{status}");
        let asked = mirror.lines().len();
        assert!(asked > 0);
        // From now on, the one that had it is asked first.
        origin.manifest(&digest).unwrap();
        assert_eq!(mirror.lines().len(), asked, "{status}");
    }
}

#[test]
fn failures_of_all_are_told_together() {
    let mirror = Server::start(|_| Reply::new(400, ""));
    let home = Server::start(|_| Reply::new(418, ""));
    let name = format!("{}/a", home.authority);
    let mut origin = configured(&name, &with_mirror(&home.authority, &mirror), Vec::new());
    let error = origin.top().unwrap_err().to_string();
    for part in [&mirror.authority, "400", &home.authority, "418"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn an_image_that_is_nowhere_is_unknown_by_its_own_name() {
    let (mirror, home) = (missing(), missing());
    let name = format!("{}/a:1", home.authority);
    let mut origin = configured(&name, &with_mirror(&home.authority, &mirror), Vec::new());
    let error = origin.top().unwrap_err();
    assert!(matches!(error, StoreError::UnknownImage { .. }), "{error}");
    assert!(error.to_string().contains(&name), "{error}");
    assert!(!error.to_string().contains(&mirror.authority), "{error}");
}

#[test]
fn no_signature_at_a_mirror_is_none_where_the_registry_is_out_of_reach() {
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let mirror = Server::start(|seen| match seen.target.ends_with(".sig") {
        true => Reply::new(404, ""),
        false => manifest(),
    });
    let config = with_mirror(&gone, &mirror);
    let mut origin = configured(&format!("{gone}/a"), &config, Vec::new());
    let top = origin.top().unwrap();
    assert!(origin.signature_manifest(&top.digest).unwrap().is_none());
    // A signature that only the registry itself has is found there.
    let home = Server::start(|_| manifest());
    let config = with_mirror(&home.authority, &mirror);
    let mut origin = configured(&format!("{}/a", home.authority), &config, Vec::new());
    let top = origin.top().unwrap();
    assert_eq!(home.lines(), [] as [String; 0]);
    assert!(origin.signature_manifest(&top.digest).unwrap().is_some());
}

#[test]
fn credentials_of_the_registry_do_not_go_to_its_mirror() {
    let dir = tempfile::tempdir().unwrap();
    let asking = || {
        Server::start(|seen| match seen.header("authorization") {
            Some(_) => manifest(),
            None => Reply::new(401, "").header("WWW-Authenticate", "Basic realm=x"),
        })
    };
    let (mirror, home) = (asking(), asking());
    let file = credentials(dir.path(), &[&home.authority]);
    let name = format!("{}/a", home.authority);
    let mut origin = configured(&name, &with_mirror(&home.authority, &mirror), vec![file]);
    origin.top().unwrap();
    let sent: Vec<_> = mirror
        .seen()
        .iter()
        .map(|seen| seen.header("authorization").is_some())
        .collect();
    assert_eq!(sent, [false]);
    assert_eq!(home.lines().len(), 2);
}
