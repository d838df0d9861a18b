use std::time::Duration;

use super::*;

#[test]
fn a_manifest_by_tag_by_digest_and_at_the_signature_tag() {
    let digest = sha256(MANIFEST);
    let tag = format!("sha256-{}.sig", digest.hex());
    let server = Server::start(|seen| match seen.target.as_str() {
        "/v2/team/app/manifests/v1" => manifest(),
        target if target.contains("/manifests/sha256:") => manifest(),
        _ => Reply::new(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#),
    });
    let mut origin = origin(&server, "team/app:v1", Vec::new());
    let top = origin.top().unwrap();
    assert_eq!((top.bytes.as_slice(), &top.digest), (MANIFEST, &digest));
    assert_eq!(top.media_type, media_type::OCI_MANIFEST);
    assert_eq!(origin.manifest(&digest).unwrap().bytes, MANIFEST);
    assert!(origin.tagged(&tag).unwrap().is_none());
    let wrong = sha256(b"other");
    assert!(matches!(
        origin.manifest(&wrong),
        Err(RegistryError::Content(ContentError::DigestMismatch { .. }))
    ));
    assert_eq!(
        server.lines()[..3],
        [
            "GET /v2/team/app/manifests/v1".to_owned(),
            format!("GET /v2/team/app/manifests/{digest}"),
            format!("GET /v2/team/app/manifests/{tag}"),
        ]
    );
    for media_type in media_type::MANIFESTS {
        assert!(
            server.seen()[0]
                .header("accept")
                .unwrap()
                .contains(media_type)
        );
    }
}

#[test]
fn head_resolves_without_a_body() {
    let server = Server::start(|_| manifest());
    let reference = Reference::parse(&format!("{}/a", server.authority)).unwrap();
    let found = resolve(&reference, &Registries::default()).unwrap();
    assert_eq!(found, Some(sha256(MANIFEST)));
    assert_eq!(server.lines(), ["HEAD /v2/a/manifests/latest"]);
}

#[test]
fn unknown_images_are_told_as_such() {
    let server = Server::start(|_| Reply::new(404, ""));
    let error = origin(&server, "a", Vec::new()).top().unwrap_err();
    assert!(
        matches!(error, RegistryError::UnknownImage { .. }),
        "{error}"
    );
    assert_eq!(server.lines().len(), 1, "a 404 is not tried again");
}

/// A registry with a token server beside it, as Docker Hub has.
fn with_tokens(token: &'static str) -> Server {
    Server::start(move |seen| {
        let host = seen.header("host").unwrap();
        if seen.target.starts_with("/token?") {
            return Reply::new(200, format!(r#"{{"token":"{token}"}}"#));
        }
        if seen.header("authorization") == Some("Bearer good") {
            return manifest();
        }
        let challenge = format!(
            "Bearer realm=\"http://{host}/token?x=y\",service=\"the service\",scope=\"repository:everything:*\""
        );
        Reply::new(
            401,
            r#"{"errors":[{"code":"UNAUTHORIZED","message":"go\u001b[31m away"}]}"#,
        )
        .header("WWW-Authenticate", challenge)
    })
}

#[test]
fn an_anonymous_token_for_reading_this_repository_only() {
    let server = with_tokens("good");
    let mut origin = origin(&server, "team/app", Vec::new());
    origin.top().unwrap();
    origin.top().unwrap();
    let lines = server.lines();
    assert_eq!(
        lines[1],
        "GET /token?x=y&scope=repository%3Ateam%2Fapp%3Apull&service=the%20service"
    );
    assert_eq!(server.seen()[1].header("authorization"), None);
    assert_eq!(lines.len(), 4, "the token is kept: {lines:?}");
}

#[test]
fn a_token_that_does_not_help_is_asked_for_once() {
    let server = with_tokens("bad");
    let error = origin(&server, "a", Vec::new()).top().unwrap_err();
    let RegistryError::Unauthorized { message, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(message, "UNAUTHORIZED: go [31m away");
    assert_eq!(server.lines().len(), 3);
}

#[test]
fn passwords_go_to_the_token_server_or_to_the_registry() {
    let dir = tempfile::tempdir().unwrap();
    let server = with_tokens("good");
    let file = dir.path().join("auth.json");
    let auths = |server: &Server| {
        format!(
            r#"{{"auths":{{"{}":{{"auth":"dXNlcjpwYXNz"}}}}}}"#,
            server.authority
        )
    };
    std::fs::write(&file, auths(&server)).unwrap();
    origin(&server, "a", vec![file.clone()]).top().unwrap();
    let sent: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| seen.header("authorization").map(str::to_owned))
        .collect();
    assert_eq!(
        sent,
        [
            None,
            Some("Basic dXNlcjpwYXNz".to_owned()),
            Some("Bearer good".to_owned())
        ]
    );

    let basic = Server::start(|seen| match seen.header("authorization") {
        Some("Basic dXNlcjpwYXNz") => manifest(),
        _ => Reply::new(401, "").header("WWW-Authenticate", "Basic realm=\"x\""),
    });
    assert!(matches!(
        origin(&basic, "a", vec![file.clone()]).top(),
        Err(RegistryError::Unauthorized { .. })
    ));
    std::fs::write(&file, auths(&basic)).unwrap();
    origin(&basic, "a", vec![file]).top().unwrap();
}

#[test]
fn a_token_server_over_plain_http_elsewhere_is_refused() {
    let server = Server::start(|_| {
        Reply::new(401, "").header("WWW-Authenticate", "Bearer realm=\"http://192.0.2.1/t\"")
    });
    let error = origin(&server, "a", Vec::new())
        .top()
        .unwrap_err()
        .to_string();
    assert!(error.contains("not reached over TLS"), "{error}");
}

#[test]
fn redirects_carry_no_credentials_to_another_host() {
    let content = b"layer";
    let store = Server::start(move |_| Reply::new(200, content));
    let elsewhere = store.authority.replace("127.0.0.1", "localhost");
    let server =
        Server::start(
            move |seen| match (seen.target.as_str(), seen.header("authorization")) {
                (_, None) => Reply::new(401, "").header("WWW-Authenticate", "Basic realm=x"),
                ("/v2/a/home", Some(_)) => {
                    Reply::new(302, "").header("Location", format!("http://{elsewhere}/blob"))
                }
                _ => Reply::new(307, "").header("Location", "/v2/a/home"),
            },
        );
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("auth.json");
    let auths = format!(
        r#"{{"auths":{{"{}":{{"auth":"dXNlcjpwYXNz"}}}}}}"#,
        server.authority
    );
    std::fs::write(&file, auths).unwrap();
    let mut origin = origin(&server, "a", vec![file]);
    assert_eq!(read(&mut origin, content).unwrap(), content);
    assert!(
        server.seen()[2].header("authorization").is_some(),
        "kept at home"
    );
    let seen = store.seen();
    assert_eq!((seen.len(), seen[0].header("authorization")), (1, None));
}

#[test]
fn transient_failures_are_tried_again_a_few_times() {
    for status in [429, 500, 503] {
        let mut left = 2;
        let server = Server::start(move |_| {
            left -= 1;
            if left >= 0 {
                Reply::new(status, "").header("Retry-After", "0")
            } else {
                manifest()
            }
        });
        origin(&server, "a", Vec::new()).top().unwrap();
        assert_eq!(server.lines().len(), 3);
    }
    let server = Server::start(|_| Reply::new(500, "").header("Content-Type", "text/html"));
    let error = origin(&server, "a", Vec::new()).top().unwrap_err();
    assert!(
        matches!(error, RegistryError::Status { status: 500, .. }),
        "{error}"
    );
    assert_eq!(server.lines().len(), 3);
}

#[test]
fn a_long_rate_limit_is_told_and_not_waited_for() {
    let server = Server::start(|_| Reply::new(429, "").header("Retry-After", "3600"));
    let error = origin(&server, "a", Vec::new())
        .top()
        .unwrap_err()
        .to_string();
    assert!(error.contains("limits the rate"), "{error}");
    assert_eq!(server.lines().len(), 1);
}

#[test]
fn a_pause_may_be_a_date_by_the_clock_of_the_registry() {
    let mut left = 2;
    let server = Server::start(move |_| {
        left -= 1;
        match left {
            0 => manifest(),
            _ => Reply::new(503, "")
                .header("Date", "Sun, 06 Nov 1994 08:49:37 GMT")
                .header("Retry-After", "Sun, 06 Nov 1994 08:49:38 GMT"),
        }
    });
    let begun = std::time::Instant::now();
    origin(&server, "a", Vec::new()).top().unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    // A day is told and not waited for.
    let server = Server::start(|_| {
        Reply::new(429, "")
            .header("Date", "Sun, 06 Nov 1994 08:49:37 GMT")
            .header("Retry-After", "Mon, 07 Nov 1994 08:49:37 GMT")
    });
    let error = origin(&server, "a", Vec::new()).top().unwrap_err();
    assert!(error.to_string().contains("in 86400 s"), "{error}");
    assert_eq!(server.lines().len(), 1);
}

#[test]
fn sizes_and_digests_are_compared() {
    let server = Server::start(|_| Reply::new(200, "12345"));
    let error = read(&mut origin(&server, "a", Vec::new()), b"123").unwrap_err();
    assert!(
        matches!(
            error,
            RegistryError::Content(ContentError::SizeMismatch {
                expected: 3,
                found: 5,
                ..
            })
        ),
        "{error}"
    );
    let server = Server::start(|_| {
        Reply::new(200, MANIFEST).header("Docker-Content-Digest", sha256(b"x").to_string())
    });
    let error = origin(&server, "a", Vec::new()).top().unwrap_err();
    assert!(
        matches!(
            error,
            RegistryError::Content(ContentError::DigestMismatch { .. })
        ),
        "{error}"
    );
}

#[test]
fn huge_and_garbled_answers_end_in_an_error() {
    let huge = vec![b' '; (4 << 20) + 1];
    let server = Server::start(move |_| Reply::new(200, huge.clone()));
    let error = origin(&server, "a", Vec::new()).top().unwrap_err();
    assert!(
        matches!(
            error,
            RegistryError::Content(ContentError::LimitExceeded { .. })
        ),
        "{error}"
    );
    for garbage in [
        &b"\0\xff\x1b[2J garbage"[..],
        b"HTTP/9.9 x\r\n\r\n",
        b"HTTP/1.1 200 x\r\nA",
    ] {
        let server = Server::start(move |_| Reply::raw(garbage));
        let error = origin(&server, "a", Vec::new()).top().unwrap_err();
        assert!(matches!(error, RegistryError::Network { .. }), "{error}");
        assert!(!error.to_string().contains('\u{1b}'));
    }
}

#[test]
fn nobody_there_is_an_error_at_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let authority = listener.local_addr().unwrap();
    drop(listener);
    let reference = Reference::parse(&format!("{authority}/a")).unwrap();
    let error = RegistryImage::connect(&reference, &Registries::default(), &Limits::default())
        .unwrap()
        .top()
        .unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
}

#[test]
fn plain_http_is_refused_where_tls_must_be() {
    let plain = Server::start(|_| Reply::new(400, ""));
    let authority = plain.authority.clone();
    let server = Server::start(move |_| {
        Reply::new(302, "").header("Location", format!("https://{authority}/x"))
    });
    let error = origin(&server, "a", Vec::new()).top().unwrap_err();
    assert!(
        matches!(error, RegistryError::PlainHttpRefused { .. }),
        "{error}"
    );
    assert_eq!(plain.seen()[0].method, "TLS");
}

#[test]
fn a_tls_port_on_loopback_is_spoken_to_over_tls() {
    let server = Server::start(|_| {
        Reply::raw(
            "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
        )
    });
    let error = origin(&server, "a", Vec::new()).top().unwrap_err();
    assert!(
        matches!(error, RegistryError::PlainHttpRefused { .. }),
        "{error}"
    );
    let methods: Vec<_> = server.seen().into_iter().map(|seen| seen.method).collect();
    assert_eq!(methods, ["GET", "TLS"]);
}

#[test]
fn where_tls_is_only_tried_plain_http_comes_at_once() {
    // As some servers do that know nothing of TLS.
    let server = Server::start(|seen| match seen.method.as_str() {
        "TLS" => Reply::raw(""),
        _ => manifest(),
    });
    let name = format!("{}/a", server.authority);
    let config = format!(
        "[[registry]]\nprefix = {:?}\ninsecure-skip-verify = true\n",
        server.authority
    );
    configured(&name, &config, Vec::new()).top().unwrap();
    let methods: Vec<_> = server.seen().into_iter().map(|seen| seen.method).collect();
    assert_eq!(methods, ["TLS", "GET"]);
}
