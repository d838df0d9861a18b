//! Dates in the headers of HTTP (RFC 9110, 5.6.7).

use std::time::{Duration, SystemTime};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Parses a date in the one form that is written today (`Sun, 06 Nov 1994 08:49:37 GMT`) and the two
/// that were (`Sunday, 06-Nov-94 08:49:37 GMT`, `Sun Nov  6 08:49:37 1994`). The name of the day tells
/// nothing.
pub(super) fn parse(text: &str) -> Option<SystemTime> {
    let words: Vec<&str> = text
        .split([' ', '-', ','])
        .filter(|word| !word.is_empty())
        .collect();
    let (day, month, year, time) = match words.as_slice() {
        [_, day, month, year, time, "GMT"] if day.len() == 2 => (day, month, year, time),
        [_, month, day, time, year] => (day, month, year, time),
        _ => return None,
    };
    let month = MONTHS.iter().position(|name| name == month)?;
    let year: u64 = match (year.len(), year.parse().ok()?) {
        (2, year @ 0..70) => 2000 + year,
        (2, year) => 1900 + year,
        (4, year) => year,
        _ => return None,
    };
    let day: u64 = day.parse().ok().filter(|day| (1..=31).contains(day))?;
    let mut seconds = 0;
    let mut parts = time.split(':');
    // A leap second is the last but one of its minute, as near as matters.
    for most in [23, 59, 60] {
        let part: u64 = parts.next().filter(|part| part.len() == 2)?.parse().ok()?;
        seconds = seconds * 60 + Some(part).filter(|part| *part <= most)?;
    }
    if parts.next().is_some() || year < 1970 {
        return None;
    }
    let days = days_since_1970(year, u64::try_from(month).ok()?, day);
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(days * 86400 + seconds))
}

/// Days from 1970 to a day of a month, which is counted from 0.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    // Years from March on, so that the day of a leap year comes last.
    let (year, month) = match month {
        0 | 1 => (year - 1, month + 10),
        month => (year, month - 2),
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    let before_month = (month * 306 + 5) / 10;
    (year * 365 + leap_days + before_month + day) - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_all_three_forms_are_read() {
        let at = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse(text), at(784_111_777), "{text}");
        }
        assert_eq!(parse("Thu, 01 Jan 1970 00:00:00 GMT"), at(0));
        assert_eq!(parse("Thu, 29 Feb 2024 23:59:59 GMT"), at(1_709_251_199));
        assert_eq!(parse("Fri, 01 Mar 2024 00:00:00 GMT"), at(1_709_251_200));
        assert_eq!(parse("Mon, 01 Mar 2100 00:00:00 GMT"), at(4_107_542_400));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "120",
            "tomorrow",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 06 Non 1994 08:49:37 GMT",
            "Sun, 06 Nov 1894 08:49:37 GMT",
            "Sun, 06 Nov 99999999999999999999 08:49:37 GMT",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
