use super::*;

fn refused(text: &str) -> String {
    let error = parse(text).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

#[test]
fn all_types_are_read() {
    let digest = format!("sha256:{}", "0a".repeat(32));
    let rules = parse(&format!(
        "# who may run\n\
         [[rule]]\nprefix = \"a.io\"\ntype = \"signed-by\"\nkeys = [\" A \", \"B\"]\nthreshold = 2\n\
         [[rule]]\nprefix = \"b.io/x\"\ntype = \"digest\"\ndigests = [\"{digest}\"]\n\
         [[rule]]\nprefix = \"localhost:5000\"\ntype = \"accept-unsigned\"\n\
         [[rule]]\nprefix = \"*\"\ntype = \"reject\"\n"
    ))
    .unwrap()
    .rules;
    let requirements: Vec<_> = rules.iter().map(Rule::requirement).collect();
    let keys = vec![KeyText::new("A"), KeyText::new("B")];
    let digests = vec![Digest::try_from(digest).unwrap()];
    assert_eq!(
        requirements,
        [
            &Requirement::signed_by(keys, 2),
            &Requirement::Digest { digests },
            &Requirement::AcceptUnsigned,
            &Requirement::Reject,
        ]
    );
    let prefixes: Vec<_> = rules.iter().map(|rule| rule.prefix().as_str()).collect();
    assert_eq!(prefixes, ["a.io", "b.io/x", "localhost:5000", "*"]);
}

#[test]
fn empty_files_hold_no_rule_and_comments_alone_are_a_mistake() {
    assert_eq!(parse(""), Ok(Contents::default()));
    assert_eq!(parse(" \n\t\n"), Ok(Contents::default()));
    assert!(refused("# [[rule]]\n").contains("only an empty file masks"));
    assert!(refused("rule = []").contains("only an empty file masks"));
}

#[test]
fn mistakes_are_named_with_their_line() {
    let rule = "[[rule]]\nprefix = \"a.io\"\n";
    for (text, part) in [
        ("[[rule]]\nprefix = \"", "line 2: "),
        ("[[rule]]\nprefix = \"a.io\"\ntype", "line 3: "),
        ("[[rules]]\nprefix = \"a.io\"", "unknown field `rules`"),
        ("[rule]\nprefix = \"a.io\"", "line 1: "),
        ("[[rule]]\ntype = \"reject\"", "missing field `prefix`"),
        (rule, "missing field `type`"),
        (
            &format!("{rule}type = \"signed_by\""),
            "line 3: unknown variant `signed_by`",
        ),
        (
            &format!("{rule}type = \"reject\"\nkeyz = 1"),
            "line 4: unknown field `keyz`",
        ),
        (&format!("{rule}prefix = \"b.io\""), "line 3: duplicate key"),
        (
            &format!("{rule}type = \"reject\"\nkeys = [\"x\"]"),
            "the type reject has no \"keys\"",
        ),
        (
            &format!("{rule}type = \"accept-unsigned\"\nthreshold = 1"),
            "the type accept-unsigned has no \"threshold\"",
        ),
        (
            &format!("{rule}type = \"digest\"\nthreshold = 1"),
            "has no \"threshold\"",
        ),
        (
            &format!("{rule}type = \"signed-by\"\ndigests = []"),
            "has no \"digests\"",
        ),
        (
            &format!("{rule}type = \"signed-by\""),
            "rule \"a.io\": a signed-by rule needs",
        ),
        (
            &format!("{rule}type = \"signed-by\"\nkeys = []"),
            "needs at least one key",
        ),
        (
            &format!("{rule}type = \"signed-by\"\nkeys = \"x\""),
            "line 4: invalid type",
        ),
        (
            &format!("{rule}type = \"signed-by\"\nkeys = [\"x\"]\nthreshold = 2"),
            "threshold 2",
        ),
        (
            &format!("{rule}type = \"signed-by\"\nkeys = [\"x\"]\nthreshold = 0"),
            "threshold 0",
        ),
        (
            &format!("{rule}type = \"signed-by\"\nkeys = [\"x\"]\nthreshold = -1"),
            "line 5: ",
        ),
        (
            &format!("{rule}type = \"digest\""),
            "a digest rule needs at least one digest",
        ),
        (
            &format!("{rule}type = \"digest\"\ndigests = [\"x\"]"),
            "\"x\" is no digest",
        ),
        (
            "\n\n[[rule]]\nprefix = \"\"\ntype = \"reject\"",
            "line 3: prefix \"\" is not valid",
        ),
        (
            "[[rule]]\nprefix = \"a.io/\"\ntype = \"reject\"",
            "prefix \"a.io/\" is not valid",
        ),
    ] {
        let error = refused(text);
        assert!(error.contains(part), "{text}\n{error}");
    }
}

#[test]
fn hostile_nesting_is_an_error() {
    refused(&"[".repeat(100_000));
    refused(&format!("a = {}", "[".repeat(100_000)));
    refused(&format!("a{} = 1", ".a".repeat(100_000)));
}

use oci_spec::image::Digest;
