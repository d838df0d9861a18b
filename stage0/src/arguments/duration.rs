//! Durations, as people write them.

/// A duration such as `10s`, `1m30s` or `0`.
pub(crate) fn duration(text: &str) -> Result<std::time::Duration, String> {
    if text == "0" {
        return Ok(std::time::Duration::ZERO);
    }
    humantime::parse_duration(text).map_err(|_| "write a duration such as 10s or 1m30s".to_owned())
}

/// An interval as podman has it: a number alone is in milliseconds.
pub(crate) fn interval(text: &str) -> Result<std::time::Duration, String> {
    match text.parse() {
        Ok(milliseconds) => Ok(std::time::Duration::from_millis(milliseconds)),
        Err(_) => humantime::parse_duration(text)
            .map_err(|_| "write an interval such as 250ms or 2s".to_owned()),
    }
}
