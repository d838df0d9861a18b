use proptest::prelude::*;

use super::*;

#[test]
fn values_are_told_apart() {
    let Ok(Node::Object(members)) = parse(br#"{"a":"x","b":null,"c":[1,-1,0.5,true],"d":{}}"#)
    else {
        panic!("no object");
    };
    let values: Vec<_> = members.into_values().collect();
    let empty = Node::Object(BTreeMap::new());
    let list = Node::List(vec![
        Node::Number(1.into()),
        Node::Number((-1).into()),
        Node::Number(Number::from_f64(0.5).unwrap()),
        Node::Bool(true),
    ]);
    assert_eq!(
        values,
        [Node::Text("x".to_owned()), Node::Null, list, empty]
    );
}

#[test]
fn a_member_twice_is_an_error_at_every_depth() {
    for text in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"a":{"b":1,"b":2}}"#,
        r#"[[{"a":{"b":1,"c":2,"b":2}}]]"#,
    ] {
        let error = parse(text.as_bytes()).unwrap_err();
        assert!(error.contains("appears twice"), "{error}");
    }
    assert!(parse(br#"[{"a":1},{"a":2}]"#).is_ok());
}

#[test]
fn what_is_no_single_json_text_is_an_error() {
    for text in [
        "",
        "{",
        "{}{}",
        "{}x",
        "{'a':1}",
        "{\"a\":1,}",
        "nul",
        "\u{feff}{}",
        "// x\n{}",
    ] {
        assert!(parse(text.as_bytes()).is_err(), "{text:?}");
    }
    for (text, reason) in [
        (b"\"\xff\"".to_vec(), "invalid unicode"),
        ("[".repeat(60_000).into(), "recursion limit"),
        (
            ["[".repeat(1000), "]".repeat(1000)].concat().into(),
            "recursion limit",
        ),
    ] {
        let error = parse(&text).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn the_number_of_values_is_bounded() {
    let list = |values: usize| format!("[{}1]", "1,".repeat(values - 2));
    assert!(parse(list(MAX_VALUES as usize).as_bytes()).is_ok());
    let error = parse(list(MAX_VALUES as usize + 1).as_bytes()).unwrap_err();
    assert!(error.contains("more than 65536 values"), "{error}");
}

/// JSON values, at most four deep.
fn values() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        Just(Node::Null),
        any::<bool>().prop_map(Node::Bool),
        any::<i64>().prop_map(|number| Node::Number(number.into())),
        ".{0,8}".prop_map(Node::Text),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Node::List),
            proptest::collection::btree_map(".{0,4}", inner, 0..4).prop_map(Node::Object),
        ]
    })
}

fn written(node: &Node) -> serde_json::Value {
    match node {
        Node::Null => serde_json::Value::Null,
        Node::Bool(value) => (*value).into(),
        Node::Number(number) => number.clone().into(),
        Node::Text(text) => text.clone().into(),
        Node::List(list) => list.iter().map(written).collect(),
        Node::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), written(value)))
            .collect(),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(node in values()) {
        let text = written(&node).to_string();
        prop_assert_eq!(parse(text.as_bytes()), Ok(node));
    }

    #[test]
    fn a_member_that_comes_again_is_an_error(node in values(), name in "[a-z]{1,4}") {
        let value = written(&node);
        let text = format!("{{\"{name}\":{value},\"{name}\":{value}}}");
        let error = parse(text.as_bytes()).unwrap_err();
        prop_assert!(error.contains("appears twice"), "{}", error);
    }

    #[test]
    fn no_bytes_are_read_otherwise_than_serde_json_reads_them(text in ".{0,40}") {
        if let Ok(node) = parse(text.as_bytes()) {
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&text).ok(), Some(written(&node)));
        }
    }
}

fn members(json: &str) -> Members {
    Members::root(parse(json.as_bytes()).unwrap(), "the text").unwrap()
}

#[test]
fn members_are_taken_as_what_they_must_be() {
    let mut all = members(r#"{"t":"x","o":{"n":7},"l":[1],"w":7,"extra":null}"#);
    assert_eq!(
        all.names().collect::<Vec<_>>(),
        ["extra", "l", "o", "t", "w"]
    );
    assert_eq!(all.text("t"), Ok("x".to_owned()));
    let mut object = all.object("o").unwrap();
    assert_eq!(
        (object.whole("n"), object.path_of("n")),
        (Ok(7), "o.n".to_owned())
    );
    assert_eq!(object.finish(), Ok(()));
    assert_eq!(all.list("l").unwrap().len(), 1);
    assert_eq!(all.whole("w"), Ok(7));
    let left = all.into_rest();
    assert_eq!(left.into_keys().collect::<Vec<_>>(), ["extra"]);
}

#[test]
fn a_member_that_is_something_else_is_named_with_what_it_is_in() {
    let of = |json: &str| members(&format!(r#"{{"o":{json}}}"#)).object("o");
    let mut within = of(r#"{"a":1,"b":"x","c":-1,"d":1.5}"#).unwrap();
    for (found, told) in [
        (within.text("a").unwrap_err(), "o.a is not a string"),
        (within.text("missing").unwrap_err(), "o.missing is missing"),
        (within.list("b").unwrap_err(), "o.b is not a list"),
        (within.whole("c").unwrap_err(), "o.c is not a whole number"),
        (within.whole("d").unwrap_err(), "o.d is not a whole number"),
        (of("7").unwrap_err(), "o is not an object"),
    ] {
        assert_eq!(found, told);
    }
    let mut optional = members(r#"{"t":1,"o":1}"#);
    assert_eq!(optional.text_if_any("missing"), Ok(None));
    assert!(optional.object_if_any("missing").unwrap().is_none());
    assert_eq!(
        optional.text_if_any("t"),
        Err("t is not a string".to_owned())
    );
    let error = optional.object_if_any("o").unwrap_err();
    assert_eq!(error, "o is not an object");
    assert_eq!(
        Members::root(Node::Null, "the text").unwrap_err(),
        "the text is not an object"
    );
}

#[test]
fn a_member_that_nobody_takes_is_named() {
    let error = members(r#"{"a\nb":1}"#).finish().unwrap_err();
    assert_eq!(error, r#"the text has an unknown member "a\nb""#);
    let error = members(r#"{"o":{"x":1}}"#).object("o").unwrap().finish();
    assert_eq!(error.unwrap_err(), r#"o has an unknown member "x""#);
}

#[test]
fn what_a_good_key_has_signed_may_hold_more_values() {
    let list = |values: u32| format!("[{}1]", "1,".repeat(values as usize - 2));
    let many = list(MAX_VALUES + 1);
    assert!(parse(many.as_bytes()).is_err() && parse_signed(many.as_bytes()).is_ok());
    assert!(parse_signed(list(MAX_SIGNED_VALUES).as_bytes()).is_ok());
    assert!(parse_signed(list(MAX_SIGNED_VALUES + 1).as_bytes()).is_err());
}
