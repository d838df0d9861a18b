//! Amounts of memory and processor time, as people write them.

use engine::config::size::bytes_up_to;
use pod::manifest::{HugepageLimit, Limit};

/// Least memory that an app can be given: one page. Catches `16` where `16m` was meant.
const MEMORY_MIN: u64 = 4096;

/// The most memory that the kernel counts, in bytes: in pages, what a signed number holds.
const MEMORY_MAX: u64 = i64::MAX as u64 & !(MEMORY_MIN - 1);

/// The most processes that the kernel counts.
const PIDS_MAX: u64 = 4 << 20;

/// The most processor time in a period that the kernel counts, in microseconds.
const CPU_QUOTA_MAX: u64 = (1 << 44) - 1;

/// Parses a limit of memory as [`memory`] parses an amount; 0 is no limit.
pub(crate) fn memory_limit(text: &str) -> Result<Limit, String> {
    match bytes_up_to(text, MEMORY_MAX) {
        Ok(0) => Ok(Limit::Unlimited),
        _ => memory(text).map(Limit::At),
    }
}

/// Parses an amount of memory: [`bytes_up_to`], a page of them at least. What the kernel can't count is the most that it can.
pub(crate) fn memory(text: &str) -> Result<u64, String> {
    let bytes = bytes_up_to(text, MEMORY_MAX)?;
    if bytes < MEMORY_MIN {
        let has_unit = text.ends_with(|c: char| c.is_ascii_alphabetic());
        let doubt = if has_unit {
            ""
        } else {
            "; is the unit missing?"
        };
        return Err(format!(
            "{bytes} bytes are less than a page, which has {MEMORY_MIN}{doubt}"
        ));
    }
    Ok(bytes)
}

/// Parses a limit of memory and swap together; -1 is no limit.
pub(crate) fn memory_swap(text: &str) -> Result<Limit, String> {
    match text {
        "-1" => Ok(Limit::Unlimited),
        "0" => Err("0 is no limit of memory and swap together; -1 takes the limit off".to_owned()),
        _ => memory(text).map(Limit::At),
    }
}

/// Parses how readily memory is swapped; -1 is as readily as the host's.
pub(crate) fn swappiness(text: &str) -> Result<i8, String> {
    let number = text.parse().ok();
    number
        .filter(|number| (-1..=100).contains(number))
        .ok_or_else(|| "it must be a number from 0 to 100, or -1 for the host's".to_owned())
}

/// Parses processor time in each period, in microseconds; -1 is no limit.
pub(crate) fn cpu_quota(text: &str) -> Result<Limit, String> {
    match text.parse::<i64>() {
        Ok(-1 | 0) => Ok(Limit::Unlimited),
        Ok(number) if (1000..=CPU_QUOTA_MAX).contains(&number.unsigned_abs()) && number > 0 => {
            Ok(Limit::At(number.unsigned_abs()))
        }
        _ => Err(format!(
            "it must be 1000 to {CPU_QUOTA_MAX} microseconds, or -1 for no limit"
        )),
    }
}

/// Parses the length of a period of processor time, within what the kernel takes.
pub(crate) fn cpu_period(text: &str) -> Result<u64, String> {
    let number = text.parse().ok();
    number
        .filter(|number| (1000..=1_000_000).contains(number))
        .ok_or_else(|| "it must be 1000 to 1000000 microseconds".to_owned())
}

/// Parses a size of huge pages, and how much may be taken of them.
pub(crate) fn hugetlb(text: &str) -> Result<HugepageLimit, String> {
    let parts = text.split_once('=');
    let (size, limit) = parts.ok_or("it must be a size and a limit, such as 2MB=64m")?;
    let bytes = bytes_up_to(size, MEMORY_MAX)?;
    let page_size = match bytes {
        bytes if !bytes.is_power_of_two() || bytes < MEMORY_MIN => {
            return Err(format!("no huge pages have {bytes} bytes"));
        }
        // As the kernel calls them.
        bytes if bytes >= 1 << 30 => format!("{}GB", bytes >> 30),
        bytes if bytes >= 1 << 20 => format!("{}MB", bytes >> 20),
        bytes => format!("{}KB", bytes >> 10),
    };
    let limit = bytes_up_to(limit, MEMORY_MAX)?;
    Ok(HugepageLimit { page_size, limit })
}

/// Parses a weight for processor time, within what the kernel takes; 0 is the usual one.
pub(crate) fn cpu_shares(text: &str) -> Result<u64, String> {
    let weight = text.parse().ok();
    weight
        .filter(|weight| matches!(weight, 0 | 2..=262_144))
        .ok_or_else(|| "it must be a number from 2 to 262144, or 0 for the usual weight".to_owned())
}

/// Parses a number of processes; -1 is no limit, and what the kernel can't count is the most that it can.
pub(crate) fn pids(text: &str) -> Result<Limit, String> {
    match text.parse::<i64>() {
        Ok(-1 | 0) => Ok(Limit::Unlimited),
        Ok(number) if number > 0 => Ok(Limit::At(number.unsigned_abs().min(PIDS_MAX))),
        _ => Err("it must be a number from 1 on, or 0 or -1 for no limit".to_owned()),
    }
}

/// Parses a number of processors, such as `1.5`, to thousandths; 0 is no limit.
pub(crate) fn cpus(text: &str) -> Result<Limit, String> {
    let malformed = || "it must be a number of processors such as 2 or 0.5".to_owned();
    // `.5` is as good as `0.5`.
    let (whole, part) = match text.split_once('.') {
        Some(("", part)) => ("0", part),
        Some(parts) => parts,
        None => (text, "0"),
    };
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
    match millis {
        0 => Ok(Limit::Unlimited),
        1..10 => Err("it must be at least 0.01, or 0 for no limit".to_owned()),
        _ => Ok(Limit::At(millis)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_beyond_the_kernels_are_the_kernels() {
        assert_eq!(memory("7E"), Ok(7 << 60));
        for text in [
            "8E",
            "16E",
            "9223372036854775807",
            "99999999999999999999999t",
        ] {
            assert_eq!(memory(text), Ok(9_223_372_036_854_771_712), "{text}");
        }
        assert_eq!(pids("4194305"), Ok(Limit::At(4_194_304)));
        assert_eq!(pids("99999999999"), Ok(Limit::At(4_194_304)));
        assert_eq!(pids("-1"), Ok(Limit::Unlimited));
        assert_eq!(pids("0"), Ok(Limit::Unlimited));
        for bad in ["-2", "", "1.5", "x"] {
            assert!(pids(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn periods_swap_and_huge_pages_are_as_docker_and_the_kernel_write_them() {
        assert_eq!(memory_swap("-1"), Ok(Limit::Unlimited));
        assert_eq!(memory_swap("1.5g"), Ok(Limit::At(1536 << 20)));
        assert!(memory_swap("-2").is_err());
        let none = memory_swap("0").unwrap_err();
        assert!(none.contains("-1 takes the limit off"), "{none}");
        assert!(!memory("1k").unwrap_err().contains("unit"));
        assert_eq!((swappiness("0"), swappiness("-1")), (Ok(0), Ok(-1)));
        assert!(swappiness("101").is_err() && swappiness("-2").is_err());
        assert_eq!(cpu_quota("50000"), Ok(Limit::At(50_000)));
        assert_eq!(cpu_quota("-1"), Ok(Limit::Unlimited));
        assert_eq!(cpu_quota("17592186044415"), Ok(Limit::At((1 << 44) - 1)));
        for bad in [
            "999",
            "x",
            "-2",
            "-5000",
            "17592186044416",
            "9223372036854775807",
        ] {
            assert!(cpu_quota(bad).is_err(), "{bad}");
        }
        assert_eq!(cpu_period("20000"), Ok(20_000));
        assert!(cpu_period("999").is_err() && cpu_period("1000001").is_err());
        for (text, size, limit) in [
            ("2MB=64m", "2MB", 64 << 20),
            ("2m=0", "2MB", 0),
            ("1g=2g", "1GB", 2 << 30),
            ("64k=1m", "64KB", 1 << 20),
        ] {
            let parsed = hugetlb(text).unwrap();
            assert_eq!((parsed.page_size.as_str(), parsed.limit), (size, limit));
        }
        for bad in ["", "2MB", "2MB=", "3MB=1m", "1=1m", "=1m"] {
            assert!(hugetlb(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_weight_of_0_is_the_usual_one() {
        for (text, weight) in [("0", 0), ("2", 2), ("512", 512), ("262144", 262_144)] {
            assert_eq!(cpu_shares(text), Ok(weight));
        }
        for bad in ["1", "262145", "-1", "1.5", "", "x"] {
            let error = cpu_shares(bad).unwrap_err();
            assert!(error.contains("from 2 to 262144, or 0"), "{bad}: {error}");
        }
    }

    #[test]
    fn no_memory_at_all_is_no_limit_and_no_amount() {
        for none in ["0", "0m", "0GiB"] {
            assert_eq!(memory_limit(none), Ok(Limit::Unlimited), "{none}");
            assert!(memory(none).is_err(), "{none}");
        }
        assert_eq!(memory_limit("64m"), Ok(Limit::At(64 << 20)));
        for bad in ["16", "-1", "", "x", "0.5"] {
            assert!(memory_limit(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn memory_takes_the_usual_units() {
        for (text, bytes) in [
            ("4096", 4096),
            ("64m", 64 << 20),
            ("64M", 64 << 20),
            ("2GiB", 2 << 30),
            ("16kb", 16 << 10),
            ("0.5g", 512 << 20),
            ("1t", 1 << 40),
        ] {
            assert_eq!(memory(text), Ok(bytes), "{text}");
        }
        for (bad, reason) in [
            ("", "a number such as"),
            ("16", "less than a page"),
            (
                "4095",
                "less than a page, which has 4096; is the unit missing?",
            ),
            ("64x", "unknown unit"),
        ] {
            let error = memory(bad).unwrap_err();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }

    #[test]
    fn processors_are_counted_in_thousandths() {
        for (text, millis) in [
            ("1", 1000),
            ("1.5", 1500),
            ("0.01", 10),
            ("0.125", 125),
            (".5", 500),
        ] {
            assert_eq!(cpus(text), Ok(Limit::At(millis)), "{text}");
        }
        for none in ["0", "0.0", "0.000"] {
            assert_eq!(cpus(none), Ok(Limit::Unlimited), "{none}");
        }
        for (bad, reason) in [
            ("", "a number of processors"),
            (".", "a number of processors"),
            ("1.", "a number of processors"),
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
        assert_eq!(cpus("1000000"), Ok(Limit::At(1_000_000_000)));
    }
}
