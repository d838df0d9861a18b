use super::*;
use image_name::Repository;

const P256: &str = include_str!("../../tests/data/p256.pub");
const COMPRESSED: &str = include_str!("../../tests/data/p256-compressed.pub");

fn source(path: &str, text: &str) -> PolicySource {
    PolicySource {
        path: PathBuf::from(path),
        text: text.to_owned(),
    }
}

fn reject(prefix: &str) -> String {
    format!("[[rule]]\nprefix = \"{prefix}\"\ntype = \"reject\"\n")
}

fn accept(prefix: &str) -> String {
    format!("[[rule]]\nprefix = \"{prefix}\"\ntype = \"accept-unsigned\"\n")
}

fn signed(prefix: &str, keys: &[&str]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| format!("'''\n{key}'''")).collect();
    format!(
        "[[rule]]\nprefix = \"{prefix}\"\ntype = \"signed-by\"\nkeys = [{}]\n",
        keys.join(", ")
    )
}

fn deciding(policy: &Policy, repository: &str) -> Option<(String, String)> {
    let placed = policy.deciding(&Repository::parse(repository).unwrap())?;
    let file = placed.file().to_string_lossy().into_owned();
    Some((placed.rule().prefix().to_string(), file))
}

#[test]
fn the_longest_prefix_decides() {
    let text = [
        reject("*"),
        accept("a.io"),
        reject("a.io/foo"),
        accept("a.io/foo/x"),
    ]
    .concat();
    let policy = Policy::parse(&[], &[source("/etc/t/all.toml", &text)]).unwrap();
    for (repository, prefix) in [
        ("b.io/x", "*"),
        ("a.io:5000/foo", "*"),
        ("a.io/bar", "a.io"),
        ("a.io/foobar", "a.io"),
        ("a.io/foo", "a.io/foo"),
        ("a.io/foo/xy", "a.io/foo"),
        ("a.io/foo/x", "a.io/foo/x"),
        ("a.io/foo/x/y", "a.io/foo/x"),
    ] {
        let (decided, file) = deciding(&policy, repository).unwrap();
        assert_eq!(
            (decided.as_str(), file.as_str()),
            (prefix, "/etc/t/all.toml"),
            "{repository}"
        );
    }
    let repository = Repository::parse("a.io/foo/x").unwrap();
    let covering: Vec<_> = policy
        .covering(&repository)
        .map(|placed| placed.rule().prefix().as_str())
        .collect();
    assert_eq!(covering, ["a.io/foo/x", "a.io/foo", "a.io", "*"]);
}

#[test]
fn without_rules_nothing_decides() {
    assert_eq!(deciding(&Policy::default(), "a.io/x"), None);
    assert_eq!(Policy::parse(&[], &[]), Ok(Policy::default()));
}

#[test]
fn a_local_file_replaces_the_vendors_of_the_same_name() {
    let system = [
        source("/usr/t/a.toml", &accept("a.io")),
        source("/usr/t/b.toml", &accept("b.io")),
        source("/usr/t/c.toml", &accept("c.io")),
    ];
    let local = [
        source("/etc/t/a.toml", &reject("a.io")),
        source("/etc/t/b.toml", ""),
    ];
    let policy = Policy::parse(&system, &local).unwrap();
    let rule = |prefix: &str, file: &str| Some((prefix.to_owned(), file.to_owned()));
    assert_eq!(deciding(&policy, "a.io/x"), rule("a.io", "/etc/t/a.toml"));
    assert_eq!(deciding(&policy, "b.io/x"), None);
    assert_eq!(deciding(&policy, "c.io/x"), rule("c.io", "/usr/t/c.toml"));
    let masked: Vec<_> = policy
        .masked()
        .iter()
        .map(|masked| masked.file.clone())
        .collect();
    assert_eq!(
        masked,
        [
            PathBuf::from("/usr/t/a.toml"),
            PathBuf::from("/usr/t/b.toml")
        ]
    );
}

#[test]
fn a_broken_vendor_file_can_be_masked() {
    let system = [source("/usr/t/a.toml", "[[rule")];
    let error = Policy::parse(&system, &[]).unwrap_err().to_string();
    assert!(
        error.starts_with("policy file /usr/t/a.toml: line 1: "),
        "{error}"
    );
    assert!(Policy::parse(&system, &[source("/etc/t/a.toml", "")]).is_ok());
}

#[test]
fn a_half_written_file_stops_everything() {
    let whole = signed("a.io/foo", &[P256]);
    let fallback = source("/etc/t/default.toml", &accept("*"));
    for end in 1..whole.trim_end().len() {
        let half = source("/etc/t/foo.toml", &whole[..end]);
        let error = Policy::parse(&[], &[fallback.clone(), half])
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("policy file /etc/t/foo.toml: "),
            "cut at {end}: {error}"
        );
        assert!(!error.contains('\n'), "cut at {end}: {error}");
    }
}

#[test]
fn two_rules_for_one_prefix_are_an_error_that_names_both_files() {
    let system = [source("/usr/t/a.toml", &accept("a.io/x"))];
    let local = [source(
        "/etc/t/b.toml",
        &[reject("a.io"), reject("a.io/x")].concat(),
    )];
    let error = Policy::parse(&system, &local).unwrap_err().to_string();
    let expected = "prefix \"a.io/x\" has two rules, in /usr/t/a.toml and in /etc/t/b.toml: ";
    assert!(error.starts_with(expected), "{error}");
    let once = [source(
        "/etc/t/b.toml",
        &[reject("a.io"), reject("a.io")].concat(),
    )];
    assert!(matches!(
        Policy::parse(&[], &once),
        Err(PolicyError::SamePrefix { .. })
    ));
}

#[test]
fn two_files_of_one_name_are_an_error() {
    let system = [source("/usr/t/a.toml", ""), source("/opt/t/a.toml", "")];
    let error = Policy::parse(&system, &[]).unwrap_err().to_string();
    assert_eq!(
        error,
        "policy files /usr/t/a.toml and /opt/t/a.toml have the same name"
    );
}

#[test]
fn keys_are_decoded_by_check_alone() {
    let parse = |text: &str| Policy::parse(&[], &[source("/etc/t/a.toml", text)]).unwrap();
    assert_eq!(parse(&signed("a.io", &[P256])).check(), Ok(()));

    let broken = parse(&signed("a.io", &[P256, "junk\n"]))
        .check()
        .unwrap_err();
    assert_eq!(
        broken.to_string(),
        "policy file /etc/t/a.toml: rule \"a.io\": key 2"
    );
    let cause = std::error::Error::source(&broken).unwrap().to_string();
    assert!(cause.starts_with("not PEM text"), "{cause}");

    let twice = parse(&signed("a.io", &[P256, COMPRESSED]))
        .check()
        .unwrap_err();
    let cause = std::error::Error::source(&twice).unwrap().to_string();
    assert!(cause.ends_with("appears twice"), "{cause}");
}

#[test]
fn files_are_told_by_their_names() {
    for (name, is) in [
        ("a.toml", true),
        ("a.io%2Ffoo.toml", true),
        (".a.toml", false),
        (".toml", false),
        ("a.toml.new", false),
        ("a.toml~", false),
        ("README", false),
    ] {
        assert_eq!(is_policy_file(OsStr::new(name)), is, "{name}");
    }
    assert!(is_policy_file(OsStr::new(&crate::rule_file_name(
        &Prefix::parse("a.io/foo").unwrap()
    ))));
}

fn of_namespaces(prefix: &str, namespaces: &str, kind: &str) -> String {
    format!(
        "[[rule]]\nprefix = \"{prefix}\"\nkubernetes-namespaces = [{namespaces}]\ntype = \"{kind}\"\n"
    )
}

/// The type of the rule that decides about a repository for pods of a namespace.
fn word_in(policy: &Policy, namespace: Option<&str>, repository: &str) -> Option<&'static str> {
    let policy = policy.clone().for_kubernetes_namespace(namespace);
    let repository = Repository::parse(repository).unwrap();
    Some(policy.deciding(&repository)?.rule().requirement().word())
}

#[test]
fn a_rule_for_namespaces_counts_there_alone_and_before_one_for_all() {
    let text = [
        of_namespaces("a.io", "\"dev\", \"test\"", "accept-unsigned"),
        reject("a.io"),
        of_namespaces("a.io/only", "\"dev\"", "accept-unsigned"),
        of_namespaces("b.io", "\"dev\"", "accept-unsigned"),
        of_namespaces("b.io", "\"prod\"", "reject"),
        accept("a.io/long"),
        of_namespaces("a.io/long/er", "\"prod\"", "reject"),
    ]
    .concat();
    let policy = Policy::parse(&[], &[source("/etc/t/a.toml", &text)]).unwrap();
    let (accept, reject) = (Some("accept-unsigned"), Some("reject"));
    for (namespace, repository, expected) in [
        (None, "a.io/x", reject),
        (Some("prod"), "a.io/x", reject),
        (Some("dev"), "a.io/x", accept),
        (Some("test"), "a.io/x", accept),
        (Some("tes"), "a.io/x", reject),
        // The longest prefix decides among those that count.
        (Some("dev"), "a.io/only", accept),
        (Some("test"), "a.io/only", accept),
        (Some("prod"), "a.io/only", reject),
        (Some("prod"), "a.io/long/er", reject),
        (Some("dev"), "a.io/long/er", accept),
        (None, "b.io/x", None),
        (Some("dev"), "b.io/x", accept),
        (Some("prod"), "b.io/x", reject),
        (Some("test"), "b.io/x", None),
    ] {
        let decided = word_in(&policy, namespace, repository);
        assert_eq!(decided, expected, "{namespace:?} {repository}");
    }
    let prefix = Prefix::parse("a.io").unwrap();
    let of_all = policy.rule_of(&prefix).unwrap();
    assert_eq!(of_all.rule().requirement().word(), "reject");
}

#[test]
fn two_rules_of_one_prefix_never_both_come_first() {
    let parse = |text: String| Policy::parse(&[], &[source("/etc/t/a.toml", &text)]);
    let twice = of_namespaces("a.io", "\"dev\", \"x\"", "reject")
        + &of_namespaces("a.io", "\"y\"", "reject")
        + &of_namespaces("a.io", "\"z\", \"dev\"", "accept-unsigned");
    let error = parse(twice).unwrap_err().to_string();
    assert!(error.contains("prefix \"a.io\" has two rules"), "{error}");
    for (namespaces, told) in [
        ("", "kubernetes-namespaces is empty"),
        ("\"Dev\"", "\"Dev\" is no namespace of Kubernetes"),
        ("\"\"", "\"\" is no namespace"),
        ("\"a.b\"", "\"a.b\" is no namespace"),
    ] {
        let error = parse(of_namespaces("a.io", namespaces, "reject")).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(told), "{error}");
    }
}
