//! Devices, as docker and podman write them.

use engine::devices::DeviceRequest;
use engine::devices::request::ALL_ACCESS;
use pod::manifest::{DeviceAccess, DeviceKind, DeviceRule};

/// Parses `HOST[:PLACE[:rwm]]`, or the name of what a vendor describes.
pub(crate) fn device(text: &str) -> Result<DeviceRequest, String> {
    if !text.starts_with('/') {
        return match text.parse() {
            Ok(name) => Ok(DeviceRequest::Named(name)),
            Err(_) => Err(
                "it must be a path such as /dev/fuse, or a name such as vendor.com/class=name"
                    .to_owned(),
            ),
        };
    }
    let parts: Vec<&str> = text.split(':').collect();
    let (host, place, access) = match parts.as_slice() {
        [host] => (*host, None, None),
        [host, place] if place.starts_with('/') => (*host, Some(*place), None),
        [host, access] => (*host, None, Some(*access)),
        [host, place, access] => (*host, Some(*place), Some(*access)),
        _ => return Err("it has more parts than HOST:PLACE:rwm".to_owned()),
    };
    Ok(DeviceRequest::Node {
        host: host.into(),
        place: place.map(str::to_owned),
        access: access.map_or(Ok(ALL_ACCESS), self::access)?,
    })
}

/// Letters in any order, each once.
fn access(letters: &str) -> Result<DeviceAccess, String> {
    let count = |letter| letters.matches(letter).count();
    let known = letters.bytes().all(|c| b"rwm".contains(&c));
    if letters.is_empty() || !known || ["r", "w", "m"].iter().any(|l| count(*l) > 1) {
        return Err(format!("{letters:?} is not an access: r, w and m"));
    }
    Ok(DeviceAccess {
        read: count("r") > 0,
        write: count("w") > 0,
        mknod: count("m") > 0,
    })
}

/// Parses `c 10:200 rwm`.
pub(crate) fn device_rule(text: &str) -> Result<DeviceRule, String> {
    let malformed = || "it must be a rule such as 'c 10:200 rwm' or 'b *:* r'".to_owned();
    let words: Vec<&str> = text.split_whitespace().collect();
    let [kind, numbers, letters] = words.as_slice() else {
        return Err(malformed());
    };
    let kind = match *kind {
        "a" => None,
        "b" => Some(DeviceKind::Block),
        "c" => Some(DeviceKind::Character),
        _ => return Err(malformed()),
    };
    let number = |text: &str| match text {
        "*" => Ok(None),
        text => text.parse().map(Some).map_err(|_| malformed()),
    };
    let (major, minor) = numbers.split_once(':').ok_or_else(malformed)?;
    Ok(DeviceRule {
        kind,
        major: number(major)?,
        minor: number(minor)?,
        access: access(letters)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> (String, Option<String>, String) {
        match device(text).unwrap() {
            DeviceRequest::Node {
                host,
                place,
                access,
            } => (host.display().to_string(), place, access.into()),
            DeviceRequest::Named(name) => panic!("{name}"),
        }
    }

    #[test]
    fn a_device_has_a_place_and_an_access() {
        let fuse = || "/dev/fuse".to_owned();
        assert_eq!(node("/dev/fuse"), (fuse(), None, "rwm".into()));
        assert_eq!(node("/dev/fuse:r"), (fuse(), None, "r".into()));
        let place = Some("/dev/x".to_owned());
        assert_eq!(
            node("/dev/fuse:/dev/x"),
            (fuse(), place.clone(), "rwm".into())
        );
        assert_eq!(node("/dev/fuse:/dev/x:wr"), (fuse(), place, "rw".into()));
        let named = device("nvidia.com/gpu=all").unwrap();
        assert!(matches!(named, DeviceRequest::Named(_)));
        for bad in [
            "",
            "fuse",
            "/dev/a:",
            "/dev/a:x",
            "/dev/a:rr",
            "/dev/a:/b:r:w",
            "a/b=",
            "=x",
        ] {
            assert!(device(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rules_are_as_the_kernel_has_them() {
        let rule = device_rule("c 10:* mr").unwrap();
        assert_eq!(
            (rule.kind, rule.major, rule.minor),
            (Some(DeviceKind::Character), Some(10), None)
        );
        assert_eq!(String::from(rule.access), "rm");
        assert_eq!(device_rule("a *:* rwm").unwrap().kind, None);
        for bad in [
            "",
            "c",
            "c 1 r",
            "x 1:1 r",
            "c 1:1",
            "c 1:1 x",
            "c -1:1 r",
            "c 1:1 r w",
        ] {
            assert!(device_rule(bad).is_err(), "{bad}");
        }
    }
}
