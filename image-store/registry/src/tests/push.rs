use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::super::push::add_signature;
use super::*;

type Objects = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A registry that keeps what is written to it.
fn keeping() -> (Server, Objects) {
    let objects = Objects::default();
    let kept = Arc::clone(&objects);
    let server = Server::start(move |seen| {
        let mut kept = kept.lock().unwrap();
        let path = seen.target.split('?').next().unwrap().to_owned();
        match seen.method.as_str() {
            "POST" => Reply::new(202, "").header("Location", "/v2/a/blobs/uploads/1?state=s"),
            "PUT" if path.contains("/uploads/") => {
                let digest = seen.target.split_once("state=s&digest=").unwrap().1;
                assert_eq!(digest, sha256(&seen.body).to_string());
                kept.insert(format!("/v2/a/blobs/{digest}"), seen.body.clone());
                Reply::new(201, "")
            }
            "PUT" => {
                assert_eq!(seen.header("content-type"), Some(media_type::OCI_MANIFEST));
                kept.insert(path, seen.body.clone());
                Reply::new(201, "")
            }
            _ => match kept.get(&path) {
                Some(bytes) => Reply::new(200, bytes.clone()),
                None => Reply::new(404, ""),
            },
        }
    });
    (server, objects)
}

#[test]
fn signatures_are_added_to_those_that_are_there() {
    let (server, objects) = keeping();
    let subject = sha256(b"image");
    let mut client = pusher(&server, "a");
    let first = add_signature(&mut client, &subject, b"{}", "AAAA", 1 << 20).unwrap();
    let second = add_signature(&mut client, &subject, b"{}", "BBBB", 1 << 20).unwrap();
    let again = add_signature(&mut client, &subject, b"{}", "AAAA", 1 << 20).unwrap();
    assert_ne!(first, second);
    assert_eq!(
        second, again,
        "a signature that is there is not written twice"
    );
    let tag = format!("/v2/a/manifests/sha256-{}.sig", subject.hex());
    let objects = objects.lock().unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&objects[&tag]).unwrap();
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 2);
    for layer in layers {
        let blob = format!("/v2/a/blobs/{}", layer["digest"].as_str().unwrap());
        assert_eq!(objects[&blob], b"{}");
    }
    let config = format!(
        "/v2/a/blobs/{}",
        manifest["config"]["digest"].as_str().unwrap()
    );
    assert!(objects.contains_key(&config));
    let payloads = server
        .lines()
        .iter()
        .filter(|line| line.starts_with("POST"))
        .count();
    assert_eq!(payloads, 3, "the payload once and two configurations");
}

#[test]
fn refused_writes_say_why() {
    let server = Server::start(|seen| match seen.method.as_str() {
        "POST" => Reply::new(
            403,
            r#"{"errors":[{"code":"DENIED","message":"read only"}]}"#,
        ),
        _ => Reply::new(404, ""),
    });
    let error = add_signature(
        &mut pusher(&server, "a"),
        &sha256(b"x"),
        b"{}",
        "A",
        1 << 20,
    )
    .unwrap_err();
    assert!(
        matches!(error, RegistryError::Unauthorized { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("DENIED: read only"), "{error}");
}

#[test]
fn uploads_do_not_leave_for_unsafe_places() {
    for (location, part) in [
        (
            "http://192.0.2.1/up",
            "the registry named no usable upload location",
        ),
        ("ftp://x/y", "the registry named no usable upload location"),
        // The registry itself, which takes nothing there.
        ("", "status 405"),
    ] {
        let server = Server::start(move |seen: &Seen| match seen.method.as_str() {
            "POST" => Reply::new(202, "").header("Location", location),
            "PUT" => Reply::new(405, ""),
            _ => Reply::new(404, ""),
        });
        let mut client = pusher(&server, "a");
        let error = add_signature(&mut client, &sha256(b"x"), b"{}", "A", 1 << 20).unwrap_err();
        assert!(error.to_string().contains(part), "{location}: {error}");
    }
}
