use super::*;

fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let body = key.len() + value.len() + 3;
    let mut length = body + body.to_string().len();
    length = body + length.to_string().len();
    let mut bytes = format!("{length} {key}=").into_bytes();
    bytes.extend_from_slice(value);
    bytes.push(b'\n');
    bytes
}

#[test]
fn values_are_read_and_the_later_counts() {
    let mut bytes = record("path", b"first");
    bytes.extend(record("path", b"se=c\nond"));
    bytes.extend(record("uid", b"4000000000"));
    bytes.extend(record("comment", b"ignored"));
    let pax = parse(&bytes).unwrap();
    assert_eq!(pax.path.unwrap(), b"se=c\nond");
    assert_eq!(pax.uid, Some(4_000_000_000));
}

#[test]
fn times_before_and_after_1970() {
    assert_eq!(
        time(b"12.5"),
        Some(Time {
            seconds: 12,
            nanoseconds: 500_000_000
        })
    );
    assert_eq!(
        time(b"-1.25"),
        Some(Time {
            seconds: -2,
            nanoseconds: 750_000_000
        })
    );
    assert_eq!(
        time(b"7"),
        Some(Time {
            seconds: 7,
            nanoseconds: 0
        })
    );
    assert_eq!(
        time(b"1.1234567891"),
        Some(Time {
            seconds: 1,
            nanoseconds: 123_456_789
        })
    );
    for bad in [&b""[..], b"x", b"1.x", b"--1", b"99999999999999999999"] {
        assert_eq!(time(bad), None);
    }
}

#[test]
fn only_attributes_of_the_allow_list_are_kept() {
    let mut bytes = record("SCHILY.xattr.user.a", b"\x00\xff");
    for name in [
        "trusted.overlay.opaque",
        "user.overlay.redirect",
        "security.selinux",
    ] {
        bytes.extend(record(&format!("SCHILY.xattr.{name}"), b"y"));
    }
    bytes.extend(record("SCHILY.xattr.security.capability", b"cap"));
    let names: Vec<_> = parse(&bytes).unwrap().xattrs.into_keys().collect();
    assert_eq!(names, ["security.capability", "user.a"]);
}

#[test]
fn sparse_formats_that_are_known_are_read_and_others_refused() {
    let major = |value: &[u8]| parse(&record("GNU.sparse.major", value));
    assert!(!major(b"0").unwrap().sparse.map_in_data);
    assert!(major(b"1").unwrap().sparse.map_in_data);
    assert_eq!(major(b"2").unwrap_err(), "sparse format 2 is unknown");
}

#[test]
fn lengths_of_sparse_parts_belong_to_the_offset_before_them() {
    let mut bytes = record("GNU.sparse.numblocks", b"2");
    for (offset, length) in [("5", "3"), ("10", "0")] {
        bytes.extend(record("GNU.sparse.offset", offset.as_bytes()));
        bytes.extend(record("GNU.sparse.numbytes", length.as_bytes()));
    }
    let segments = parse(&bytes).unwrap().sparse.segments.unwrap();
    let found: Vec<_> = segments
        .iter()
        .map(|one| (one.offset, one.length))
        .collect();
    assert_eq!(found, [(5, 3), (10, 0)]);
    bytes.extend(record("GNU.sparse.numbytes", b"1"));
    assert!(parse(&bytes).is_err());
}

#[test]
fn garbled_records_are_refused() {
    for bad in [
        &b"x"[..],
        b"5 a=b",
        b"99 a=b\n",
        b"3 a\n",
        b"6 path\n",
        b"12345678901234 a=b\n",
        b"10 size=-1\n",
        b"0 \n",
    ] {
        assert!(parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
    }
}

#[test]
fn attributes_are_taken_up_to_what_the_kernel_takes() {
    let of = |name: usize, value: usize| {
        let name = format!("user.{}", "n".repeat(name - 5));
        let record = record(&format!("SCHILY.xattr.{name}"), &vec![b'v'; value]);
        parse(&record).map(|pax| pax.xattr_bytes())
    };
    assert_eq!(of(6, 4), Ok(10));
    assert_eq!(of(255, 64 << 10), Ok(255 + (64 << 10)));
    assert!(of(256, 1).is_err() && of(6, (64 << 10) + 1).is_err());
    let odd = [&b"user.\xff"[..], b"user.a\0b"].map(|name| {
        let mut pax = Pax::default();
        pax.xattr(name, b"v").unwrap();
        pax.xattrs.len()
    });
    assert_eq!(odd, [0, 0]);
}

#[test]
fn what_says_what_is_in_the_archive_is_told_from_what_it_looks_like() {
    let of = |key: &str, value: &[u8]| parse(&record(key, value)).unwrap();
    for (key, value) in [
        ("path", &b"x"[..]),
        ("linkpath", b"x"),
        ("size", b"1"),
        ("GNU.sparse.map", b"0,1"),
        ("GNU.sparse.numblocks", b"1"),
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.name", b"x"),
        ("GNU.sparse.realsize", b"1"),
    ] {
        assert!(of(key, value).is_structural(), "{key}");
    }
    for (key, value) in [("uid", &b"1"[..]), ("mtime", b"1"), ("comment", b"x")] {
        assert!(!of(key, value).is_structural(), "{key}");
    }
    assert!(of("GNU.sparse.name", b"x").sparse.is_without_map());
    assert!(of("GNU.sparse.size", b"1").sparse.is_without_map());
    assert!(!of("path", b"x").sparse.is_without_map());
    let mut with_map = record("GNU.sparse.map", b"0,1");
    with_map.extend(record("GNU.sparse.name", b"x"));
    let sparse = parse(&with_map).unwrap().sparse;
    assert!(sparse.is_some() && !sparse.is_without_map());
}

#[test]
fn a_map_is_pairs_of_numbers() {
    let of = |value: &[u8]| {
        let pax = parse(&record("GNU.sparse.map", value))?;
        let segments = pax.sparse.segments.unwrap().into_iter();
        Ok::<_, String>(
            segments
                .map(|one| (one.offset, one.length))
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(of(b"").unwrap(), []);
    assert_eq!(of(b"0,5,10,7").unwrap(), [(0, 5), (10, 7)]);
    for bad in [&b"1"[..], b"0,5,10", b"x,1", b"1,x", b"-1,1"] {
        assert!(of(bad).is_err(), "{}", String::from_utf8_lossy(bad));
    }
}

#[test]
fn lengths_and_numbers_are_what_they_say() {
    assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
    assert_eq!(number(b"018446744073709551615"), None, "too long");
    for bad in [&b"18446744073709551616"[..], b"", b"1 ", b"+1", b":", b"/"] {
        assert_eq!(number(bad), None, "{}", String::from_utf8_lossy(bad));
    }
    assert_eq!(number(b"0123456789"), Some(123_456_789));
    // The shortest record, and zeros after the last.
    assert_eq!(parse(b"4 =\n").unwrap().path, None);
    assert!(parse(b"3 =\n").is_err() && parse(b"5 =\n").is_err());
    let padded = [&record("uid", b"7")[..], b"\0\0garbage"].concat();
    assert_eq!(parse(&padded).unwrap().uid, Some(7));
    let mut eleven = b"00000000017 gid=5\n".to_vec();
    assert!(parse(&eleven).is_err());
    eleven[10] = b'8';
    assert_eq!(parse(&eleven).unwrap().gid, Some(5));
    assert!(parse(b"000000000019 gid=5\n").is_err(), "twelve digits");
}

#[test]
fn times_have_nine_digits_of_a_second_and_are_rounded_down() {
    let of = |seconds, nanoseconds| {
        Some(Time {
            seconds,
            nanoseconds,
        })
    };
    assert_eq!(time(b"-7"), of(-7, 0));
    assert_eq!(time(b"-7.000000001"), of(-8, 999_999_999));
    assert_eq!(time(b"0.000000001"), of(0, 1));
    assert_eq!(time(b"1."), of(1, 0));
    assert_eq!(time(b"9223372036854775807.9"), of(i64::MAX, 900_000_000));
    assert_eq!(time(b"9223372036854775808"), None);
    assert_eq!(time(b"1.1.1"), None);
}
