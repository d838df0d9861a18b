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

fn number(json: &str) -> Number {
    serde_json::from_str(json).unwrap()
}

fn text(value: &str) -> Scalar {
    Scalar::Text(value.to_owned())
}

/// What a condition makes of a statement whose predicate is this JSON.
fn check(predicate: &str, test: Test) -> Result<(), String> {
    let statement = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"a:b",
           "predicate":{predicate}}}"#
    );
    let condition = Condition {
        field: Field::parse("predicate.a").unwrap(),
        test,
    };
    let statement = Statement::parse(statement.as_bytes()).unwrap();
    condition.check(
        &statement,
        Timestamp::parse("2026-11-20T10:00:00Z").unwrap(),
    )
}

#[test]
fn a_value_is_another_if_it_is_of_another_kind() {
    for (wanted, same, others) in [
        (text("1"), r#"{"a":"1"}"#, [r#"{"a":1}"#, r#"{"a":"2"}"#]),
        (
            Scalar::Bool(true),
            r#"{"a":true}"#,
            [r#"{"a":false}"#, r#"{"a":"true"}"#],
        ),
        (
            Scalar::Number(number("2")),
            r#"{"a":2}"#,
            [r#"{"a":3}"#, r#"{"a":"2"}"#],
        ),
        (
            Scalar::Number(number("2")),
            r#"{"a":2.0}"#,
            [r#"{"a":2.5}"#, r#"{"a":true}"#],
        ),
        (
            Scalar::Number(number("2.0")),
            r#"{"a":2}"#,
            [r#"{"a":1}"#, r#"{"a":[2]}"#],
        ),
        // As floating point these are one number.
        (
            Scalar::Number(number("9007199254740993")),
            r#"{"a":9007199254740993}"#,
            [r#"{"a":9007199254740992}"#, r#"{"a":-9007199254740993}"#],
        ),
    ] {
        assert_eq!(check(same, Test::Equals(wanted.clone())), Ok(()), "{same}");
        let several = vec![text("x"), wanted.clone()];
        assert_eq!(check(same, Test::OneOf(several.clone())), Ok(()), "{same}");
        for other in others {
            assert!(
                check(other, Test::Equals(wanted.clone())).is_err(),
                "{other}"
            );
            assert!(
                check(other, Test::OneOf(several.clone())).is_err(),
                "{other}"
            );
        }
    }
}

#[test]
fn what_a_statement_says_instead_is_told() {
    let equals = || Test::Equals(text("x"));
    for (predicate, told) in [
        (r#"{}"#, "it has no predicate.a"),
        (r#"{"a":null}"#, "it has no predicate.a"),
        (r#"{"a":"y"}"#, r#"its predicate.a is "y""#),
        (r#"{"a":7}"#, "its predicate.a is 7"),
        (r#"{"a":false}"#, "its predicate.a is false"),
        (r#"{"a":[]}"#, "its predicate.a is a list"),
        (r#"{"a":{}}"#, "its predicate.a is an object"),
    ] {
        assert_eq!(check(predicate, equals()), Err(told.to_owned()));
    }
    for (predicate, is_there) in [
        (r#"{"a":0}"#, true),
        (r#"{"a":null}"#, false),
        ("{}", false),
    ] {
        assert_eq!(check(predicate, Test::Present(true)).is_ok(), is_there);
        assert_eq!(check(predicate, Test::Present(false)).is_ok(), !is_there);
    }
}

#[test]
fn a_number_is_at_most_what_it_may_be_and_a_text_is_no_number() {
    let at_most =
        |predicate: &str, limit: &str| check(predicate, Test::AtMost(number(limit))).is_ok();
    for (predicate, limit, met) in [
        (r#"{"a":7}"#, "7", true),
        (r#"{"a":8}"#, "7", false),
        (r#"{"a":-8}"#, "-7", true),
        (r#"{"a":7.5}"#, "7.5", true),
        (r#"{"a":7.6}"#, "7.5", false),
        (r#"{"a":7}"#, "7.5", true),
        (r#"{"a":"7"}"#, "7", false),
        (r#"{}"#, "7", false),
    ] {
        assert_eq!(at_most(predicate, limit), met, "{predicate} {limit}");
    }
}

#[test]
fn a_time_is_newer_than_an_age_or_a_moment_and_not_from_the_future() {
    let newer = |time: &str, since: &str| {
        let predicate = format!(r#"{{"a":{time}}}"#);
        check(&predicate, Test::NewerThan(Since::parse(since).unwrap())).is_ok()
    };
    for (time, since, met) in [
        (r#""2026-11-20T09:00:01Z""#, "1h", true),
        (r#""2026-11-20T09:00:00Z""#, "1h", false),
        (r#""2026-11-20T10:05:00Z""#, "1h", true),
        (r#""2026-11-20T10:05:01Z""#, "1h", false),
        (r#""2026-11-20T09:00:01Z""#, "2026-11-20T09:00:00Z", true),
        (r#""2026-11-20T09:00:00Z""#, "2026-11-20T09:00:00Z", false),
        (r#""yesterday""#, "1h", false),
        ("1795168800", "1h", false),
    ] {
        assert_eq!(newer(time, since), met, "{time} {since}");
    }
}

#[test]
fn a_condition_is_told_in_words() {
    let field = Field::parse("predicate.a").unwrap();
    let since = |text| Test::NewerThan(Since::parse(text).unwrap());
    for (test, told) in [
        (Test::Equals(text("x")), r#"predicate.a is "x""#),
        (
            Test::OneOf(vec![Scalar::Number(number("1")), Scalar::Bool(true)]),
            "predicate.a is one of 1, true",
        ),
        (Test::Present(true), "predicate.a is present"),
        (Test::Present(false), "predicate.a is absent"),
        (Test::AtMost(number("7")), "predicate.a is at most 7"),
        (since("36h"), "predicate.a is newer than 36h"),
        (since("48h"), "predicate.a is newer than 2d"),
        (since("0s"), "predicate.a is newer than 0d"),
        (
            since("2026-11-20T10:00:00Z"),
            "predicate.a is newer than 2026-11-20T10:00:00Z",
        ),
    ] {
        let field = field.clone();
        assert_eq!(Condition { field, test }.to_string(), told);
    }
}
