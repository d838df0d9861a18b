use super::*;
use crate::{PolicySource, PublicKey};

fn now() -> Timestamp {
    Timestamp::parse("2027-01-01T00:00:00Z").unwrap()
}

fn key() -> PublicKey {
    PublicKey::from_pem(include_str!("../../tests/data/p256.pub")).unwrap()
}

fn policy() -> Policy {
    let pem = key().to_pem();
    let text = format!(
        "[[rule]]\nprefix = \"a.io\"\nmonotonic = true\ntype = \"signed-by\"\nkeys = ['''{pem}''']\n\
         [[rule.attestation]]\ntype = \"vuln\"\n\
         [[rule.attestation.condition]]\nfield = \"predicate.high\"\nat-most = 0\n\
         [[rule]]\nprefix = \"b.io\"\ntype = \"signed-by\"\nkeys = ['''{pem}''']\n"
    );
    let path = "/etc/t/a.toml".into();
    Policy::parse(&[], &[PolicySource { path, text }]).unwrap()
}

/// Runs one case, with the key's fingerprint for `KEY`.
fn run(case: &str) -> CaseOutcome {
    let text = case.replace("KEY", &key().fingerprint().to_string());
    let mut outcomes = test_policy(&policy(), &format!("[[case]]\n{text}\n"), now()).unwrap();
    assert_eq!(outcomes.len(), 1);
    outcomes.pop().unwrap()
}

#[test]
fn a_digest_that_a_case_does_not_name_is_not_made_up() {
    let rule = format!(
        "[[rule]]\nprefix = \"a.io\"\ntype = \"digest\"\ndigests = [\"sha256:{}\"]\n",
        "ab".repeat(32)
    );
    let source = PolicySource {
        path: "/etc/t/a.toml".into(),
        text: rule,
    };
    let policy = Policy::parse(&[], &[source]).unwrap();
    let case = |more: &str| {
        let text = format!("[[case]]\nimage = \"a.io/x:1\"\nexpect = \"refuse\"\n{more}");
        test_policy(&policy, &text, now())
            .unwrap()
            .remove(0)
            .verdict
    };
    let unnamed = case("");
    assert!(
        unnamed.ends_with("does not list its digest, which the case does not name"),
        "{unnamed}"
    );
    let digest = format!("sha256:{}", "50".repeat(32));
    let named = case(&format!("digest = \"{digest}\"\n"));
    assert!(
        named.ends_with(&format!("does not list {digest}")),
        "{named}"
    );
}

#[test]
fn cases_pass_and_fail() {
    let signed = "image = \"b.io/x:1\"\nsigned-by = [\"KEY\"]\n";
    let good = run(&format!("{signed}expect = \"accept\"\nname = \"b\""));
    assert!(good.passed && good.name == "b" && good.expected.is_none());
    // The message names the real key, not the one that stands for it.
    let real = key().fingerprint().to_string();
    assert!(good.verdict.contains(&real), "{}", good.verdict);
    let bad = run(&format!("{signed}expect = \"refuse\""));
    assert!(!bad.passed && bad.name == "b.io/x:1");
    assert_eq!(bad.expected.as_deref(), Some("to be refused"));
    let none = run("image = \"b.io/x\"\nexpect = \"refuse\"\nreason = \"is not signed\"");
    assert!(none.passed, "{}", none.verdict);
    let other = run("image = \"b.io/x\"\nexpect = \"refuse\"\nreason = \"is rejected\"");
    assert!(!other.passed);
    assert!(
        other
            .expected
            .unwrap()
            .contains("\"is rejected\" in the message")
    );
    let unknown = format!("sha256:{}", "ab".repeat(32));
    let foreign = format!(
        "image = \"b.io/x\"\nsigned-by = [\"{unknown}\"]\nexpect = \"refuse\"\nreason = \"trusted key\""
    );
    assert!(run(&foreign).passed);
    let renamed = format!(
        "{signed}signed-name = \"b.io/xy\"\nexpect = \"refuse\"\nreason = \"another name\""
    );
    assert!(run(&renamed).passed);
    let swapped = format!(
        "{signed}signed-digest = \"{unknown}\"\nexpect = \"refuse\"\nreason = \"another image\""
    );
    assert!(run(&swapped).passed);
}

#[test]
fn times_and_attestations_are_part_of_a_case() {
    let signed =
        "image = \"a.io/x:1\"\nsigned-by = [\"KEY\"]\nsigned-at = \"2026-06-01T00:00:00Z\"\n";
    let scan = |high: u32| {
        format!(
            "[[case.attestation]]\ntype = \"vuln\"\nsigned-by = \"KEY\"\npredicate = '{{\"high\":{high}}}'\n"
        )
    };
    assert!(run(&format!("{signed}expect = \"accept\"\n{}", scan(0))).passed);
    let many = format!(
        "{signed}expect = \"refuse\"\nreason = \"predicate.high is 3\"\n{}",
        scan(3)
    );
    assert!(run(&many).passed);
    assert!(run(&format!("{signed}expect = \"refuse\"\nreason = \"lacks\"")).passed);
    let old = format!(
        "{signed}newest-seen = \"2026-07-01T00:00:00Z\"\nexpect = \"refuse\"\nreason = \"is older than\"\n{}",
        scan(0)
    );
    assert!(run(&old).passed);
    let early = format!(
        "{signed}now = \"2026-05-01T00:00:00Z\"\nexpect = \"refuse\"\nreason = \"in the future\"\n{}",
        scan(0)
    );
    assert!(run(&early).passed);
}

#[test]
fn mistakes_are_named_with_their_line() {
    let refused = |text: &str| test_policy(&policy(), text, now()).unwrap_err().to_string();
    assert_eq!(refused(""), "it has no [[case]]");
    let image = "\n[[case]]\nimage = \"a.io/x\"\n";
    for (text, part) in [
        ("[[case", "line 1: "),
        (image, "line 2: missing field `expect`"),
        (
            &format!("{image}expect = \"no\""),
            "line 4: unknown variant `no`",
        ),
        (
            &format!("{image}expect = \"accept\"\nx = 1"),
            "unknown field `x`",
        ),
        (
            &format!("{image}expect = \"accept\"\nsigned-by = [\"x\"]"),
            "is not a fingerprint",
        ),
        (
            "[[case]]\nimage = \"x\"\nexpect = \"accept\"",
            "line 1: repository \"x\" is not valid",
        ),
        (
            "[[case]]\nimage = \"a.io/x@sha256:0\"\nexpect = \"accept\"",
            "line 1: invalid image reference \"a.io/x@sha256:0\"",
        ),
    ] {
        let error = refused(text);
        assert!(
            error.contains(part) && !error.contains('\n'),
            "{text}: {error}"
        );
    }
}
