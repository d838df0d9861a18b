use std::borrow::Cow;
use std::collections::BTreeMap;

use super::*;

#[derive(Debug, PartialEq, serde::Deserialize)]
struct Whole<'a> {
    #[serde(rename = "mediaType", default)]
    media_type: String,
    #[serde(borrow, default)]
    task: Cow<'a, str>,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    list: Vec<Part>,
    map: Option<BTreeMap<String, String>>,
    part: Option<Part>,
    rest: Option<IgnoredAny>,
}

#[derive(Debug, Default, PartialEq, serde::Deserialize)]
struct Part {
    #[serde(default)]
    flag: bool,
    needed: i64,
}

fn read(text: &str) -> std::result::Result<Whole<'_>, String> {
    let by_tree = serde_json::from_str::<Value>(text).ok();
    let read = super::read::<Whole<'_>>(text.as_bytes()).map_err(|error| error.to_string());
    // A tree has no member twice; what it has is read as the text is.
    if let (Ok(read), Some(tree)) = (&read, by_tree) {
        assert_eq!(from_value::<Whole<'_>>(&tree).unwrap(), *read, "{text}");
    }
    read
}

#[test]
fn names_of_members_are_known_in_any_case() {
    let plain = read(r#"{"mediaType":"a","task":"t","size":7,"list":[{"needed":1}]}"#).unwrap();
    for other in [
        r#"{"MediaType":"a","TASK":"t","Size":7,"LIST":[{"Needed":1}]}"#,
        // Go folds these two as well.
        "{\"mediatype\":\"a\",\"tas\u{212a}\":\"t\",\"\u{17f}ize\":7,\"li\u{17f}t\":[{\"needed\":1}]}",
        r#"{"unknown":{"size":[]},"mEDIAtYPE":"a","task":"t","size":7,"list":[{"needed":1,"x":2}]}"#,
    ] {
        assert_eq!(read(other).unwrap(), plain, "{other}");
    }
    // Names of the stranger's own are as they are.
    let map = read(r#"{"map":{"a":"1","A":"2"}}"#).unwrap().map.unwrap();
    assert_eq!(map.len(), 2);
}

#[test]
fn a_member_that_is_there_twice_refuses_the_document() {
    for text in [
        r#"{"size":1,"size":1}"#,
        r#"{"size":1,"Size":1}"#,
        r#"{"mediatype":"a","MediaType":"a"}"#,
        "{\"size\":1,\"\u{17f}ize\":1}",
        r#"{"size":null,"Size":1}"#,
        r#"{"rest":1,"Rest":1}"#,
        r#"{"list":[{"needed":1,"Needed":2}]}"#,
        r#"{"map":{"a":"1","a":"1"}}"#,
    ] {
        let message = super::read::<Whole<'_>>(text.as_bytes()).unwrap_err();
        assert!(
            message.to_string().contains("there twice"),
            "{text}: {message}"
        );
    }
}

#[test]
fn a_member_that_nobody_reads_may_be_there_twice() {
    let plain = read("{}").unwrap();
    for text in [
        r#"{"x":1,"x":2}"#,
        r#"{"x":{"size":1,"size":2},"X":[]}"#,
        r#"{"x":null,"x":{"y":1,"y":1}}"#,
    ] {
        assert_eq!(read(text).unwrap(), plain, "{text}");
    }
}

#[test]
fn null_is_nothing_everywhere() {
    let nothing = read("{}").unwrap();
    assert_eq!(read("null").unwrap(), nothing);
    let members = ["mediaType", "task", "size", "list", "map", "part", "rest"];
    for name in members {
        let text = format!("{{\"{name}\":null}}");
        assert_eq!(read(&text).unwrap(), nothing, "{name}");
    }
    let inner = read(r#"{"list":[{"flag":null,"needed":null}],"map":{"a":null}}"#).unwrap();
    assert_eq!(inner.list, [Part::default()]);
    assert_eq!(inner.map.unwrap().get("a").unwrap(), "");
}

#[test]
fn what_is_missing_or_of_another_type_is_told() {
    for (text, reason) in [
        (r#"{"part":{}}"#, "missing field `needed`"),
        (r#"{"list":[null]}"#, "missing field `needed`"),
        (r#"{"size":-1}"#, "invalid value"),
        (r#"{"size":"1"}"#, "invalid type"),
        (r#"{"mediaType":1}"#, "invalid type"),
        (r#"{"list":{}}"#, "invalid type"),
        // Some readers take a list for the members in their order.
        (r#"{"part":[true,1]}"#, "invalid type"),
        (r#"{"map":[]}"#, "invalid type"),
        (r#"{} {}"#, "trailing"),
        ("", "EOF"),
    ] {
        let message = read(text).unwrap_err();
        assert!(message.contains(reason), "{text}: {message}");
    }
}

#[test]
fn depth_and_number_of_values_are_bounded() {
    let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    let error = from_slice::<Value>(deep.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("recursion limit"), "{error}");
    let list = |count: usize| {
        let parts = vec![r#"{"needed":1}"#; count].join(",");
        format!("{{\"list\":[{parts}]}}")
    };
    assert_eq!(read(&list(100_000)).unwrap().list.len(), 100_000);
    let over = list(140_000);
    assert!(read(&over).unwrap_err().contains("more than 262144 values"));
}
