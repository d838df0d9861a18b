use super::*;

#[test]
fn fields_begin_at_the_predicate() {
    for good in [
        "predicate.a",
        "predicate.a.0.b",
        "/predicate/a",
        "/predicate/a.b/c~1d",
    ] {
        assert_eq!(Field::parse(good).unwrap().as_str(), good);
    }
    let pointer = Field::parse("/predicate/a~1b/~0~1c").unwrap();
    assert_eq!(pointer.names, ["a/b", "~/c"]);
    for bad in [
        "",
        "predicate",
        "predicate.",
        "predicate..a",
        "predicates.a",
        "a.b",
        "/predicate",
        "/predicate/",
        "/a",
        "subject.0.name",
        ".predicate.a",
    ] {
        let error = Field::parse(bad).unwrap_err();
        assert!(error.contains("field"), "{bad}: {error}");
    }
}

#[test]
fn ages_and_moments_are_told_apart() {
    for (text, seconds) in [
        ("90s", 90),
        ("30m", 1800),
        ("12h", 43200),
        ("7d", 604_800),
        ("0s", 0),
    ] {
        assert_eq!(Since::parse(text), Ok(Since::Age(seconds)), "{text}");
    }
    let moment = Since::parse("2026-11-20T10:00:00Z").unwrap();
    assert!(matches!(moment, Since::Moment(_)));
    for text in ["1s", "2m", "3h", "8d", "2026-11-20T10:00:00Z"] {
        assert_eq!(Since::parse(text).unwrap().to_string(), text);
    }
    for bad in [
        "",
        "d",
        "7",
        "7w",
        "-7d",
        "+7d",
        "7 d",
        "1.5d",
        "99999999999999999999d",
        "999999999999999999d",
        "é",
    ] {
        assert!(Since::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn large_numbers_are_not_rounded_together() {
    let limit = Number::from(9_007_199_254_740_992_u64);
    assert!(at_most(&Number::from(9_007_199_254_740_992_u64), &limit));
    assert!(!at_most(&Number::from(9_007_199_254_740_993_u64), &limit));
    assert!(at_most(&Number::from(-1), &limit));
    assert!(at_most(&Number::from_f64(0.5).unwrap(), &limit));
    assert!(!at_most(&Number::from_f64(1e300).unwrap(), &limit));
}
