use image_document::cosign;

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
    assert!(
        matches!(error, RegistryError::UnknownImage { .. }),
        "{error}"
    );
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
    assert!(
        origin
            .tagged(&cosign::tag(&top.digest, "sig"))
            .unwrap()
            .is_none()
    );
    // A signature that only the registry itself has is found there.
    let home = Server::start(|_| manifest());
    let config = with_mirror(&home.authority, &mirror);
    let mut origin = configured(&format!("{}/a", home.authority), &config, Vec::new());
    let top = origin.top().unwrap();
    assert_eq!(home.lines(), [] as [String; 0]);
    assert!(
        origin
            .tagged(&cosign::tag(&top.digest, "sig"))
            .unwrap()
            .is_some()
    );
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

/// Documents and blobs, and nothing at tags of signatures.
fn content(seen: &Seen, payload: Option<&'static [u8]>) -> Reply {
    match &*seen.target {
        target if target.ends_with(".sig") && payload.is_none() => Reply::new(404, ""),
        target if target.contains("/manifests/") => manifest(),
        target if target.contains(&sha256(b"layer").to_string()) => Reply::new(200, &b"layer"[..]),
        _ => match payload {
            Some(payload) => Reply::new(200, payload),
            None => Reply::new(404, ""),
        },
    }
}

#[test]
fn the_mirror_that_has_the_image_gives_its_layers_although_signatures_come_from_elsewhere() {
    let mirror = Server::start(|seen| content(seen, None));
    let home = Server::start(|seen| content(seen, Some(b"payload")));
    let name = format!("{}/a", home.authority);
    let mut origin = configured(&name, &with_mirror(&home.authority, &mirror), Vec::new());
    let top = origin.top().unwrap();
    assert!(
        origin
            .tagged(&cosign::tag(&top.digest, "sig"))
            .unwrap()
            .is_some()
    );
    assert_eq!(read(&mut origin, b"payload").unwrap(), b"payload");
    let asked = home.lines().len();
    assert_eq!(read(&mut origin, b"layer").unwrap(), b"layer");
    assert_eq!(home.lines().len(), asked, "the mirror has it");
}

#[test]
fn a_mirror_that_fails_is_left_for_the_registry_itself() {
    let mirror = Server::start(|seen| match seen.target.contains("/blobs/") {
        true => Reply::new(403, ""),
        false => manifest(),
    });
    let home = Server::start(|seen| content(seen, None));
    let name = format!("{}/a", home.authority);
    let mut origin = configured(&name, &with_mirror(&home.authority, &mirror), Vec::new());
    origin.top().unwrap();
    for _ in 0..2 {
        assert_eq!(read(&mut origin, b"layer").unwrap(), b"layer");
    }
    let blobs = |server: &Server| {
        let lines = server.lines();
        lines.iter().filter(|line| line.contains("/blobs/")).count()
    };
    assert_eq!((blobs(&mirror), blobs(&home)), (1, 2));
}

#[test]
fn a_tag_of_a_location_stands_for_the_one_that_is_asked_for() {
    let home = Server::start(|_| manifest());
    let reference = Reference::parse("q.io/team/app:1").unwrap();
    let config = format!(
        "[[registry]]\nprefix = \"q.io/team/app:1\"\nlocation = \"{}/copy:one\"\n",
        home.authority
    );
    let registries = Registries::parse("", &config).unwrap();
    RegistryImage::connect(&reference, &registries, &Limits::default())
        .unwrap()
        .top()
        .unwrap();
    assert_eq!(home.lines(), ["GET /v2/copy/manifests/one"]);
}
