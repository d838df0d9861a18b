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
    assert!(parse(b"\"\xff\"").is_err());
    assert!(parse("[".repeat(60_000).as_bytes()).is_err());
    assert!(parse(format!("{}{}", "[".repeat(1000), "]".repeat(1000)).as_bytes()).is_err());
}

#[test]
fn the_number_of_values_is_bounded() {
    let list = |values: usize| format!("[{}1]", "1,".repeat(values - 2));
    assert!(parse(list(MAX_VALUES as usize).as_bytes()).is_ok());
    let error = parse(list(MAX_VALUES as usize + 1).as_bytes()).unwrap_err();
    assert!(error.contains("more than 65536 values"), "{error}");
}
