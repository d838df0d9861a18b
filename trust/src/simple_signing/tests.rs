use super::*;

const COSIGN: &str = include_str!("../../tests/data/payload.json");
const PODMAN: &str = include_str!("../../tests/data/payload-podman.json");
const DIGEST: &str = "sha256:4c8b1a8b3ff2e1f4b3f5a5a3d2f9e5c7d1b0a9f8e7d6c5b4a39281706f5e4d3c";

fn repository() -> Repository {
    Repository::parse("registry.example.com/team/app").unwrap()
}

fn refused(payload: &str) -> String {
    let error = Claim::parse(payload.as_bytes()).unwrap_err().to_string();
    assert!(!error.contains('\n') && error.len() < 1000, "{error}");
    error
}

#[test]
fn payloads_are_cosigns_byte_for_byte() {
    let digest = Digest::parse(DIGEST).unwrap();
    assert_eq!(payload(&repository(), &digest, None), COSIGN.as_bytes());
}

#[test]
fn payloads_of_cosign_and_podman_are_read() {
    for (text, reference) in [
        (COSIGN, "registry.example.com/team/app"),
        (PODMAN, "registry.example.com/team/app:1.0"),
    ] {
        let claim = Claim::parse(text.as_bytes()).unwrap();
        assert_eq!(claim.digest().as_ref(), DIGEST);
        assert_eq!(claim.docker_reference(), reference);
        assert!(claim.names(&repository()));
        assert!(!claim.names(&Repository::parse("registry.example.com/team").unwrap()));
    }
}

#[test]
fn optional_is_free() {
    for optional in ["{}", r#"{"a":{"b":[1,2.5,null,"x"]},"critical":1}"#, "null"] {
        let text = COSIGN.replace("\"optional\":null", &format!("\"optional\":{optional}"));
        assert!(Claim::parse(text.as_bytes()).is_ok(), "{text}");
    }
    assert!(Claim::parse(COSIGN.replace(",\"optional\":null", "").as_bytes()).is_ok());
    for optional in ["1", "\"x\"", "[]", "true"] {
        let text = COSIGN.replace("\"optional\":null", &format!("\"optional\":{optional}"));
        assert_eq!(refused(&text), "optional is not an object or null");
    }
}

#[test]
fn a_member_twice_is_refused_wherever_it_is() {
    for name in [
        "critical",
        "identity",
        "docker-reference",
        "image",
        "docker-manifest-digest",
        "type",
    ] {
        // The second one comes last, which most parsers would believe.
        let member = format!("\"{name}\":");
        let (before, after) = COSIGN.split_once(&member).unwrap();
        let text = format!("{before}{member}\"x\",{member}{after}");
        assert!(
            refused(&text).contains(&format!("member \"{name}\" appears twice")),
            "{text}"
        );
    }
    let text = COSIGN.replace("\"optional\":null", r#""optional":{"a":1,"a":2}"#);
    assert!(refused(&text).contains("appears twice"));
    let text = COSIGN.replace("\"type\":", "\"typ\\u0065\":\"x\",\"type\":");
    assert!(refused(&text).contains("appears twice"));
}

#[test]
fn unknown_members_are_refused() {
    for (within, place) in [
        ("the payload", "{\"critical\""),
        ("critical", "\"identity\":"),
        ("critical.identity", "\"docker-reference\":"),
        ("critical.image", "\"docker-manifest-digest\":"),
    ] {
        let inner = place.trim_start_matches('{');
        let brace = if inner == place { "" } else { "{" };
        let text = COSIGN.replace(place, &format!("{brace}\"Expires\":1,{inner}"));
        assert_eq!(
            refused(&text),
            format!("{within} has an unknown member \"Expires\"")
        );
    }
    // Case matters: this is another member, and the real one is missing.
    assert_eq!(
        refused(&COSIGN.replace("critical", "Critical")),
        "critical is missing"
    );
}

#[test]
fn missing_and_wrong_members_are_refused() {
    for (from, to, message) in [
        (COSIGN, "{}", "critical is missing"),
        (COSIGN, "[]", "the payload is not an object"),
        (COSIGN, "\"x\"", "the payload is not an object"),
        (
            "\"type\":\"cosign container image signature\"",
            "\"type\":1",
            "critical.type is not a string",
        ),
        (
            "cosign container image signature",
            "atomic container signature",
            "critical.type is \"atomic container signature\", not \"cosign container image signature\"",
        ),
        (
            ",\"type\":\"cosign container image signature\"",
            "",
            "critical.type is missing",
        ),
        (
            "\"docker-reference\":\"registry.example.com/team/app\"",
            "",
            "critical.identity.docker-reference is missing",
        ),
        (
            "{\"docker-reference\":\"registry.example.com/team/app\"}",
            "null",
            "critical.identity is not an object",
        ),
        (
            "\"registry.example.com/team/app\"",
            "null",
            "critical.identity.docker-reference is not a string",
        ),
        // What a derived parser would take for an object.
        (
            "{\"docker-reference\":\"registry.example.com/team/app\"}",
            "[\"x\"]",
            "critical.identity is not an object",
        ),
    ] {
        assert_eq!(refused(&COSIGN.replace(from, to)), message);
    }
    for digest in ["", "sha256:", "4c8b", "sha512:00", "sha256:4C8B"] {
        let error = refused(&COSIGN.replace(DIGEST, digest));
        assert!(
            error.starts_with("critical.image.docker-manifest-digest: "),
            "{error}"
        );
    }
}

#[test]
fn texts_around_the_payload_are_refused() {
    assert!(refused(&format!("{COSIGN}{COSIGN}")).starts_with("it is not strict JSON"));
    assert!(refused(&format!("{COSIGN}\0")).starts_with("it is not strict JSON"));
    assert!(refused("").starts_with("it is not strict JSON"));
    for end in 0..COSIGN.len() {
        refused(&COSIGN[..end]);
    }
}

#[test]
fn huge_payloads_are_refused_unread() {
    let padded = format!("{COSIGN}{}", " ".repeat(MAX_PAYLOAD - COSIGN.len()));
    assert!(Claim::parse(padded.as_bytes()).is_ok());
    assert_eq!(
        refused(&format!("{padded} ")),
        "it is 65537 bytes long, the limit is 65536"
    );
    let many: String = (0..9000).map(|n| format!("\"{n}\":0,")).collect();
    let text = COSIGN.replace(
        "\"optional\":null",
        &format!("\"optional\":{{{many}\"x\":0}}"),
    );
    assert!(text.len() > MAX_PAYLOAD || Claim::parse(text.as_bytes()).is_ok());
    refused(&COSIGN.replace(
        "\"optional\":null",
        &format!("\"optional\":{}", "[".repeat(60_000)),
    ));
    let name = "\\n".repeat(10_000);
    refused(&COSIGN.replace("\"identity\"", &format!("\"{name}\":0,\"identity\"")));
}
