//! Signals, as image configurations and people write them.

use nix::sys::signal::Signal;

/// The first real-time signal, as programs that are linked with glibc or systemd count them.
const REAL_TIME_MIN: i32 = 34;
/// The last one.
const REAL_TIME_MAX: i32 = 64;

/// Parses `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3` or `RTMAX-1` to the signal's number.
pub fn parse(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse::<i32>() {
        return (1..=REAL_TIME_MAX).contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let offset = |rest: &str, sign: char| match rest {
        "" => Some(0),
        _ => rest.strip_prefix(sign)?.parse::<u8>().ok().map(i32::from),
    };
    let number = if let Some(rest) = name.strip_prefix("RTMIN") {
        REAL_TIME_MIN + offset(rest, '+')?
    } else if let Some(rest) = name.strip_prefix("RTMAX") {
        REAL_TIME_MAX - offset(rest, '-')?
    } else {
        return format!("SIG{name}")
            .parse::<Signal>()
            .ok()
            .map(|s| s as i32);
    };
    (REAL_TIME_MIN..=REAL_TIME_MAX)
        .contains(&number)
        .then_some(number)
}

/// The name of a signal, such as `SIGKILL`; its number where it has none.
pub fn name(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) => format!("signal {number}"),
    }
}

/// The names of all signals that have one, without `SIG`.
pub fn all() -> impl Iterator<Item = &'static str> {
    Signal::iterator().map(|signal| {
        let name = signal.as_str();
        name.strip_prefix("SIG").unwrap_or(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_understood() {
        for (text, number) in [
            ("SIGTERM", 15),
            ("TERM", 15),
            ("sigquit", 3),
            ("9", 9),
            ("SIGRTMIN+3", 37),
            ("RTMIN", 34),
            ("RTMAX-1", 63),
            ("SIGWINCH", 28),
        ] {
            assert_eq!(parse(text), Some(number), "{text}");
        }
        for bad in [
            "",
            "0",
            "65",
            "-1",
            "SIG",
            "NOPE",
            "RTMIN+99",
            "RTMIN-1",
            "RTMAX+1",
            "SIGSIGTERM",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn signals_are_shown_by_name() {
        assert_eq!(name(9), "SIGKILL");
        assert_eq!(name(40), "signal 40");
    }
}
