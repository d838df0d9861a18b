//! `HEALTHCHECK` of an image, which Docker's configurations have and OCI's know nothing of.

use std::time::Duration;

use serde::Deserialize;

use super::document::parse_json;
use crate::error::DocumentError;

/// How an image says that its program is well. What is absent is as usual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healthcheck {
    /// Program and arguments; none if the image takes back the check of one below it.
    pub args: Vec<String>,
    /// Time between two checks.
    pub interval: Option<Duration>,
    /// How long one may take.
    pub timeout: Option<Duration>,
    /// How long the program may take to be well for the first time.
    pub start_period: Option<Duration>,
    /// Time between two checks within that.
    pub start_interval: Option<Duration>,
    /// How many in a row have to fail.
    pub retries: Option<u32>,
}

#[derive(Deserialize)]
struct RawConfiguration {
    config: Option<RawConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawConfig {
    healthcheck: Option<RawHealthcheck>,
    shell: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawHealthcheck {
    test: Option<Vec<String>>,
    interval: Option<i64>,
    timeout: Option<i64>,
    start_period: Option<i64>,
    start_interval: Option<i64>,
    retries: Option<i64>,
}

/// The check in a configuration. One that holds no such word isn't read again.
///
/// # Errors
/// [`DocumentError::NotJson`] for members that are of another kind, [`DocumentError::BadManifest`] for a check that is none.
pub fn healthcheck(what: &str, bytes: &[u8]) -> Result<Option<Healthcheck>, DocumentError> {
    if !holds_word(bytes) {
        return Ok(None);
    }
    let raw: RawConfiguration = parse_json(what, bytes)?;
    let Some(config) = raw.config else {
        return Ok(None);
    };
    let Some(raw) = config.healthcheck else {
        return Ok(None);
    };
    let mut words = raw.test.unwrap_or_default().into_iter();
    let args: Vec<String> = match words.next().as_deref() {
        // It is as the image below says, which has been merged long ago.
        None => return Ok(None),
        Some("NONE") => Vec::new(),
        Some("CMD") => words.collect(),
        Some("CMD-SHELL") => {
            let usual = || ["/bin/sh", "-c"].map(str::to_owned).to_vec();
            let shell = config.shell.filter(|shell| !shell.is_empty());
            let line = words.collect::<Vec<_>>().join(" ");
            shell
                .unwrap_or_else(usual)
                .into_iter()
                .chain([line])
                .collect()
        }
        Some(other) => {
            return Err(DocumentError::BadManifest {
                what: what.to_owned(),
                reason: format!("the check of its health begins with {other:?}"),
            });
        }
    };
    // Zero is how builders write what is as usual.
    let time = |nanoseconds: Option<i64>| {
        let nanoseconds = u64::try_from(nanoseconds?).ok().filter(|time| *time > 0)?;
        Some(Duration::from_nanos(nanoseconds))
    };
    Ok(Some(Healthcheck {
        args,
        interval: time(raw.interval),
        timeout: time(raw.timeout),
        start_period: time(raw.start_period),
        start_interval: time(raw.start_interval),
        retries: raw
            .retries
            .and_then(|retries| u32::try_from(retries).ok())
            .filter(|retries| *retries > 0),
    }))
}

/// Whether the member can be there, whose name may be written in any case. This is all that it costs who has none.
fn holds_word(bytes: &[u8]) -> bool {
    const WORD: &[u8] = b"healthcheck";
    let mut rest = bytes;
    while let Some(place) = rest.iter().position(|byte| matches!(byte, b'h' | b'H')) {
        rest = rest.get(place..).unwrap_or_default();
        let begins = rest.get(..WORD.len());
        if begins.is_some_and(|some| some.eq_ignore_ascii_case(WORD)) {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(healthcheck_json: &str) -> Result<Option<Healthcheck>, String> {
        let text = format!(r#"{{"config": {{"Cmd": ["h"], {healthcheck_json}}}}}"#);
        healthcheck("it", text.as_bytes()).map_err(|error| error.to_string())
    }

    fn args(test: &str) -> Vec<String> {
        let check = of(&format!(r#""Healthcheck": {{"Test": {test}}}"#));
        check.unwrap().unwrap().args
    }

    #[test]
    fn a_check_is_words_or_a_line_of_the_images_shell() {
        assert_eq!(args(r#"["CMD", "a", "b c"]"#), ["a", "b c"]);
        let line = args(r#"["CMD-SHELL", "a || exit 1"]"#);
        assert_eq!(line, ["/bin/sh", "-c", "a || exit 1"]);
        assert_eq!(args(r#"["NONE"]"#), [""; 0]);
        let check =
            of(r#""Healthcheck": {"Test": ["CMD-SHELL", "a"]}, "Shell": ["/bin/ash", "-ec"]"#);
        assert_eq!(check.unwrap().unwrap().args, ["/bin/ash", "-ec", "a"]);
    }

    #[test]
    fn times_are_nanoseconds_and_what_is_zero_is_as_usual() {
        let check = of(
            r#""healthCheck": {"Test": ["CMD", "a"], "Interval": 5000000000, "Timeout": 0,
               "StartPeriod": 1500000000, "StartInterval": -1, "Retries": 7}"#,
        );
        let check = check.unwrap().unwrap();
        assert_eq!(check.interval, Some(Duration::from_secs(5)));
        assert_eq!(check.timeout, None);
        assert_eq!(check.start_period, Some(Duration::from_millis(1500)));
        assert_eq!(check.start_interval, None);
        assert_eq!(check.retries, Some(7));
    }

    #[test]
    fn most_images_have_none() {
        for json in [
            r#""Env": []"#,
            r#""Healthcheck": null"#,
            r#""Healthcheck": {}"#,
            r#""Healthcheck": {"Test": []}"#,
            r#""Labels": {"healthcheck": "no"}"#,
        ] {
            assert_eq!(of(json), Ok(None), "{json}");
        }
        assert_eq!(healthcheck("it", b"{}").unwrap(), None);
        assert!(!holds_word(b"hhealthchec"));
        assert!(holds_word(b"hHealthCheck"));
    }

    #[test]
    fn a_check_that_makes_no_sense_is_none() {
        for json in [
            r#""Healthcheck": {"Test": ["SHELL", "a"]}"#,
            r#""Healthcheck": {"Test": "a"}"#,
            r#""Healthcheck": []"#,
        ] {
            of(json).unwrap_err();
        }
    }
}
