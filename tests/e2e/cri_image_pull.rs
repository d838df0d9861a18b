//! Pulls over the CRI: with every form of auth, in time, and by the policy.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use cri_shim::api::{
    AuthConfig, PodSandboxConfig, PodSandboxMetadata, PullImageRequest, RemoveImageRequest,
};
use harness::{Cri, FaultProxy, Host, ImageBuilder, Registry, TokenServer};
use tonic::{Code, Request, Status};

use crate::cri_image::{list, pull, spec, status};
use crate::cri_sandbox::host;

/// `tester:secret` in base64.
const ENCODED: &str = "dGVzdGVyOnNlY3JldA==";

/// A registry that wants a password, and an image of it.
fn protected() -> (Registry, Registry, String) {
    let open = Registry::start();
    ImageBuilder::busybox().build().push(&open, "team/app:1");
    let registry = Registry::builder().content_of(&open).password().start();
    let reference = registry.reference("team/app:1");
    (open, registry, reference)
}

fn user(name: &str, password: &str) -> AuthConfig {
    AuthConfig {
        username: name.to_owned(),
        password: password.to_owned(),
        ..AuthConfig::default()
    }
}

fn encoded(auth: &str) -> AuthConfig {
    AuthConfig {
        auth: auth.to_owned(),
        ..AuthConfig::default()
    }
}

#[test]
fn a_password_opens_a_registry_in_either_form() {
    let (_open, registry, reference) = protected();
    let host = host();
    let cri = Cri::start(&host);
    let with = |auth| pull(&cri, &reference, auth);
    for (auth, told) in [
        (None, "not authorized"),
        (Some(AuthConfig::default()), "not authorized"),
        (Some(user("tester", "wrong")), "not authorized"),
        (Some(encoded("bm9ib2R5")), "auth.auth"),
        (Some(user("", "secret")), "auth.username"),
    ] {
        let error = with(auth).unwrap_err();
        assert!(error.message().contains(told), "{error}");
        assert!(!error.message().contains("secret"), "{error}");
    }
    let address = registry.address().to_string();
    let at = |server: &str| AuthConfig {
        server_address: server.to_owned(),
        ..user("tester", "secret")
    };
    let id = with(Some(user("tester", "secret"))).unwrap();
    for auth in [
        encoded(ENCODED),
        at(&address),
        at(&format!("http://{address}")),
        at(&format!("https://{address}/v2/")),
    ] {
        assert_eq!(with(Some(auth)).unwrap(), id);
    }
    // What is for another server is shown to nobody else.
    let error = with(Some(at("registry.example.com"))).unwrap_err();
    assert!(error.message().contains("not authorized"), "{error}");
}

#[test]
fn who_has_no_right_to_an_image_gets_none_that_is_here() {
    let (_open, _registry, reference) = protected();
    let host = host();
    let cri = Cri::start(&host);
    pull(&cri, &reference, Some(user("tester", "secret"))).unwrap();
    let digest = status(&cri, &reference).unwrap().repo_digests.remove(0);
    for name in [&reference, &digest] {
        let error = pull(&cri, name, Some(user("tester", "wrong"))).unwrap_err();
        assert!(error.message().contains("not authorized"), "{error}");
        pull(&cri, name, Some(user("tester", "secret"))).unwrap();
    }
}

#[test]
fn tokens_are_got_and_given() {
    let open = Registry::start();
    ImageBuilder::busybox().build().push(&open, "team/app:1");
    let server = TokenServer::start();
    let registry = Registry::builder()
        .content_of(&open)
        .tokens(&server)
        .start();
    let reference = registry.reference("team/app:1");
    let host = host();
    let cri = Cri::start(&host);
    let id = pull(&cri, &reference, Some(user("tester", "secret"))).unwrap();
    assert!(!server.requests().is_empty());
    // One that the registry can't understand is shown to it all the same, and nothing else is.
    let before = server.requests().len();
    let token = AuthConfig {
        registry_token: "none".to_owned(),
        ..AuthConfig::default()
    };
    let error = pull(&cri, &reference, Some(token)).unwrap_err();
    assert!(error.message().contains("not authorized"), "{error}");
    assert_eq!(server.requests().len(), before);
    // An identity token goes to the token server, which knows none.
    let token = AuthConfig {
        identity_token: "mine".to_owned(),
        ..AuthConfig::default()
    };
    pull(&cri, &reference, Some(token)).unwrap_err();
    let asked = server.requests();
    let last = asked.last().unwrap();
    assert!(last.line().starts_with("POST "), "{}", last.line());
    assert_eq!(status(&cri, &reference).unwrap().id, id);
}

#[test]
fn content_that_is_here_costs_one_request() {
    let registry = Registry::start();
    ImageBuilder::busybox()
        .build()
        .push(&registry, "team/app:1");
    let proxy = FaultProxy::start(&registry);
    let reference = proxy.reference("team/app:1");
    let host = host();
    let cri = Cri::start(&host);
    let id = pull(&cri, &reference, None).unwrap();
    let before = proxy.requests().len();
    assert_eq!(pull(&cri, &reference, None).unwrap(), id);
    let lines: Vec<_> = proxy.requests()[before..]
        .iter()
        .map(|one| one.line())
        .collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("/v2/team/app/manifests/1"), "{lines:?}");
    // Something else is there: that is fetched.
    let other = ImageBuilder::busybox().env("NEW", "1").build();
    other.push(&registry, "team/app:1");
    assert_ne!(pull(&cri, &reference, None).unwrap(), id);
    // The one before is there by its digest, for containers that are to be made of it.
    let moved = status(&cri, &id).unwrap();
    assert_eq!(moved.repo_tags, [""; 0]);
    assert_eq!(moved.repo_digests.len(), 1);
}

fn within(cri: &Cri, name: &str, limit: Duration) -> Status {
    let request = PullImageRequest {
        image: spec(name),
        ..PullImageRequest::default()
    };
    let mut request = Request::new(request);
    request.set_timeout(limit);
    cri.call(cri.images().pull_image(request)).unwrap_err()
}

#[test]
fn a_pull_ends_when_its_caller_waits_no_longer() {
    // Connections are taken by the kernel, and nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let reference = format!("{}/team/app:1", silent.local_addr().unwrap());
    let host = host();
    let cri = Cri::start(&host);
    let begun = Instant::now();
    let error = within(&cri, &reference, Duration::from_millis(500));
    // As the shim tells it, or as the client does, whose clock runs too.
    let codes = [Code::DeadlineExceeded, Code::Cancelled];
    assert!(codes.contains(&error.code()), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(list(&cri, None), []);
}

#[test]
fn what_there_is_not_is_told_so() {
    let registry = Registry::start();
    let host = host();
    let cri = Cri::start(&host);
    let error = pull(&cri, &registry.reference("team/app:1"), None).unwrap_err();
    assert_eq!(error.code(), Code::NotFound, "{error}");
    for (name, told) in [
        ("", "image.image"),
        ("UPPER", "image.image"),
        ("oci:/etc/image:1", "is no image of a registry"),
        ("docker-archive:/etc/image.tar", "is no image of a registry"),
        ("/etc/image.tar", "image.image"),
    ] {
        let error = pull(&cri, name, None).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{name}: {error}");
        assert!(error.message().contains(told), "{error}");
    }
    // Kubelets know this one by its first word.
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = within(&cri, &format!("{closed}/app:1"), Duration::from_secs(100));
    assert_eq!(error.code(), Code::Unknown, "{error}");
    assert!(
        error.message().starts_with("RegistryUnavailable: "),
        "{error}"
    );
}

fn pull_for(cri: &Cri, name: &str, namespace: &str) -> Result<String, Status> {
    let metadata = PodSandboxMetadata {
        name: "pod".to_owned(),
        uid: "uid".to_owned(),
        namespace: namespace.to_owned(),
        attempt: 0,
    };
    let request = PullImageRequest {
        image: spec(name),
        auth: None,
        sandbox_config: Some(PodSandboxConfig {
            metadata: Some(metadata),
            ..PodSandboxConfig::default()
        }),
    };
    Ok(cri.call(cri.images().pull_image(request))?.image_ref)
}

#[test]
fn the_policy_judges_pulls_and_may_be_for_namespaces() {
    let registry = Registry::start();
    ImageBuilder::busybox()
        .build()
        .push(&registry, "team/app:1");
    let reference = registry.reference("team/app:1");
    let host = Host::new();
    host.write("etc/config.toml", "[cri]\nnetwork = \"none\"\n");
    let cri = Cri::start(&host);
    let refused = |error: Status, told: &[&str]| {
        assert_eq!(error.code(), Code::Unknown, "{error}");
        let text = error.message();
        assert!(text.starts_with("SignatureValidationFailed: "), "{text}");
        assert!(told.iter().all(|told| text.contains(told)), "{text}");
    };
    let error = pull(&cri, &reference, None).unwrap_err();
    refused(error, &["no trust rule covers", "fairing trust allow"]);
    let prefix = registry.reference("team");
    let policy = format!(
        "[[rule]]\nprefix = \"{prefix}\"\nkubernetes-namespaces = [\"dev\"]\n\
         type = \"accept-unsigned\"\n[[rule]]\nprefix = \"{prefix}\"\ntype = \"reject\"\n"
    );
    host.write_policy("team.toml", &policy);
    for namespace in ["", "prod"] {
        let error = pull_for(&cri, &reference, namespace).unwrap_err();
        refused(error, &["is rejected by rule"]);
    }
    let id = pull_for(&cri, &reference, "dev").unwrap();
    // What is here is judged for each namespace all the same.
    pull_for(&cri, &reference, "prod").unwrap_err();
    assert_eq!(status(&cri, &reference).unwrap().id, id);
    let request = RemoveImageRequest { image: spec(&id) };
    cri.call(cri.images().remove_image(request)).unwrap();
}
