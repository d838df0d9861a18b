use super::*;
use image_document::DocumentError;
use image_document::media_type::{BUNDLE, OCI_INDEX};

fn entry(name: &str) -> String {
    let digest = sha256(name.as_bytes());
    format!(r#"{{"mediaType":"{OCI_INDEX}","digest":"{digest}","size":4}}"#)
}

fn list(entries: &[String]) -> Reply {
    let list = entries.join(",");
    let body = format!(r#"{{"schemaVersion":2,"manifests":[{list}]}}"#);
    Reply::new(200, body).header("Content-Type", OCI_INDEX)
}

fn listed(server: &Server) -> Result<Vec<Digest>, RegistryError> {
    let mut origin = origin(server, "a:1", Vec::new());
    let found = origin.referrers(&sha256(b"image"), Some(BUNDLE))?;
    Ok(found.into_iter().map(|entry| entry.digest).collect())
}

#[test]
fn the_list_is_read_to_its_last_page() {
    let server = Server::start(|seen| {
        let (path, query) = seen.target.split_once('?').unwrap();
        assert!(path.starts_with("/v2/a/referrers/sha256:"), "{path}");
        match query {
            "artifactType=application%2Fvnd.dev.sigstore.bundle.v0.3%2Bjson" => {
                let next = format!("</v2/a/prev>; rel=prev, <{path}?n=2>; rel=\"next\"");
                list(&[entry("one")]).header("Link", next)
            }
            "n=2" => list(&[entry("two")]),
            other => panic!("{other}"),
        }
    });
    let found = listed(&server).unwrap();
    assert_eq!(found, [sha256(b"one"), sha256(b"two")]);
}

#[test]
fn a_list_does_not_go_on_at_another_host_nor_for_ever() {
    for elsewhere in [
        "http://127.0.0.1:1/v2/a/referrers/x",
        "http://192.0.2.1/",
        "/v2/b/x",
    ] {
        let link = format!("<{elsewhere}>; rel=\"next\"");
        let server = Server::start(move |seen| match seen.target.contains("/referrers/") {
            true => list(&[entry("one")]).header("Link", link.clone()),
            false => Reply::new(404, ""),
        });
        let error = listed(&server).unwrap_err();
        assert!(error.to_string().contains(elsewhere), "{error}");
        // An image that needs no signature doesn't need this answer.
        assert!(error.is_odd_answer(), "{error:?}");
        let seen = server.seen();
        assert!(seen.iter().all(|seen| seen.target != elsewhere), "{seen:?}");
    }
    let server = Server::start(|seen| {
        let link = format!("<{}>; rel=\"next\"", seen.target);
        list(&[entry("one")]).header("Link", link)
    });
    assert_eq!(listed(&server).unwrap().len(), 16);
    assert_eq!(server.seen().len(), 16);
}

#[test]
fn without_the_api_a_tag_stands_in_and_the_api_is_not_asked_again() {
    for status in [404, 400, 405, 501, 200] {
        let server = Server::start(move |seen| {
            if seen.target.contains("/referrers/") {
                // 200 with a page for people, as a proxy in front may answer to everything.
                return Reply::new(status, "<html>").header("Content-Type", "text/html");
            }
            let tag = format!("/v2/a/manifests/sha256-{}", sha256(b"image").hex());
            match seen.target == tag {
                true => list(&[entry("one")]),
                false => Reply::new(404, ""),
            }
        });
        let mut origin = origin(&server, "a:1", Vec::new());
        // 400 to the very first request could be the answer of a TLS port.
        assert!(origin.tagged("x").unwrap().is_none());
        let subject = sha256(b"image");
        assert_eq!(origin.referrers(&subject, None).unwrap().len(), 1);
        let other = sha256(b"other");
        assert_eq!(origin.referrers(&other, None).unwrap().len(), 0);
        let asked = server.lines();
        let api = asked.iter().filter(|line| line.contains("/referrers/"));
        assert_eq!(api.count(), 1, "{asked:?}");
    }
}

#[test]
fn a_list_that_is_none_is_an_error_and_not_an_empty_list() {
    let garbage = || Reply::new(200, "<html>").header("Content-Type", OCI_INDEX);
    let server = Server::start(move |_| garbage());
    let error = listed(&server).unwrap_err();
    assert!(
        matches!(
            error,
            RegistryError::Document(DocumentError::NotJson { .. })
        ),
        "{error}"
    );
    let server = Server::start(move |_| {
        Reply::new(200, vec![b' '; 5 << 20]).header("Content-Type", OCI_INDEX)
    });
    let error = listed(&server).unwrap_err();
    assert!(
        matches!(
            error,
            RegistryError::Content(ContentError::LimitExceeded { .. })
        ),
        "{error}"
    );
    let server = Server::start(move |_| Reply::new(503, ""));
    let error = listed(&server).unwrap_err();
    assert!(
        matches!(error, RegistryError::Status { status: 503, .. }),
        "{error}"
    );
}

#[test]
fn a_list_that_not_everybody_may_ask_for_may_stand_at_the_tag() {
    for status in [401, 403] {
        let server = Server::start(move |seen| match seen.target.contains("/referrers/") {
            true => Reply::new(status, ""),
            false => list(&[entry("one")]),
        });
        assert_eq!(listed(&server).unwrap(), [sha256(b"one")]);
    }
}
