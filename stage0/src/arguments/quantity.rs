//! Amounts of memory and processor time, as people write them.

use engine::config::size::bytes;

/// Least memory that an app can be given: one page. Catches `16` where `16m` was meant.
const MEMORY_MIN: u64 = 4096;

/// Parses an amount of memory: [`bytes`], a page of them at least.
pub(crate) fn memory(text: &str) -> Result<u64, String> {
    let bytes = bytes(text)?;
    if bytes < MEMORY_MIN {
        return Err(format!(
            "{bytes} bytes are less than a page; is the unit missing?"
        ));
    }
    Ok(bytes)
}

/// Parses a number of processors, such as `1.5`, to thousandths.
pub(crate) fn cpus(text: &str) -> Result<u64, String> {
    let malformed = || "it must be a number of processors such as 2 or 0.5".to_owned();
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    if !digits(whole) || !digits(part) {
        return Err(malformed());
    }
    if part.len() > 3 {
        return Err("three decimals at most".to_owned());
    }
    let whole: u64 = whole.parse().map_err(|_| malformed())?;
    let part: u64 = format!("{part:0<3}").parse().map_err(|_| malformed())?;
    let millis = whole
        .checked_mul(1000)
        .and_then(|millis| millis.checked_add(part))
        .filter(|millis| *millis <= 1_000_000_000)
        .ok_or("it is too large")?;
    // The kernel takes no quota below 1 ms of each 100 ms.
    if millis < 10 {
        return Err("it must be at least 0.01".to_owned());
    }
    Ok(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_takes_the_usual_units() {
        for (text, bytes) in [
            ("4096", 4096),
            ("64m", 64 << 20),
            ("64M", 64 << 20),
            ("2GiB", 2 << 30),
            ("16kb", 16 << 10),
            ("1t", 1 << 40),
        ] {
            assert_eq!(memory(text), Ok(bytes), "{text}");
        }
        for (bad, reason) in [
            ("", "a number such as"),
            ("16", "less than a page"),
            ("4095", "less than a page"),
            ("64x", "unknown unit"),
            ("9999999999t", "too large"),
        ] {
            let error = memory(bad).unwrap_err();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }

    #[test]
    fn processors_are_counted_in_thousandths() {
        for (text, millis) in [("1", 1000), ("1.5", 1500), ("0.01", 10), ("0.125", 125)] {
            assert_eq!(cpus(text), Ok(millis), "{text}");
        }
        for (bad, reason) in [
            ("", "a number of processors"),
            (".", "a number of processors"),
            ("1.", "a number of processors"),
            (".5", "a number of processors"),
            ("0", "at least 0.01"),
            ("0.009", "at least 0.01"),
            ("-1", "a number of processors"),
            ("1e3", "a number of processors"),
            ("1.2345", "three decimals"),
            ("1000000.001", "too large"),
            ("99999999999999", "too large"),
        ] {
            let error = cpus(bad).unwrap_err();
            assert!(error.contains(reason), "{bad}: {error}");
        }
        assert_eq!(cpus("1000000"), Ok(1_000_000_000));
    }
}
