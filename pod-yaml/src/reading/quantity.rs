//! Amounts as Kubernetes writes them: `500m`, `0.5`, `64Mi`, `1e3`.

use super::findings::Error;
use super::value::At;

/// An amount, exactly, in billionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Quantity(i128);

const BILLION: i128 = 1_000_000_000;

const SUFFIXES: [(&str, i128); 15] = [
    ("n", 1),
    ("u", 1_000),
    ("m", 1_000_000),
    ("", BILLION),
    ("k", BILLION * 1_000),
    ("M", BILLION * 1_000_000),
    ("G", BILLION * 1_000_000_000),
    ("T", BILLION * 1_000_000_000_000),
    ("P", BILLION * 1_000_000_000_000_000),
    ("Ki", BILLION << 10),
    ("Mi", BILLION << 20),
    ("Gi", BILLION << 30),
    ("Ti", BILLION << 40),
    ("Pi", BILLION << 50),
    ("Ei", BILLION << 60),
];

impl Quantity {
    /// Parses an amount that is not negative.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('+').unwrap_or(text);
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, suffix) = text.split_at_checked(end)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || whole.len() > 18 || fraction.len() > 9 {
            return None;
        }
        let digits = |digits: &str| match digits {
            "" => Some(0),
            digits => digits.parse::<i128>().ok(),
        };
        let places = u32::try_from(fraction.len()).ok()?;
        let exponent = |text: &str| text.parse::<i32>().ok().filter(|e| (-9..=18).contains(e));
        let factor = match SUFFIXES.iter().find(|(word, _)| *word == suffix) {
            Some((_, factor)) => *factor,
            None if suffix == "E" => BILLION.checked_mul(10_i128.pow(18))?,
            None => {
                let exponent = exponent(suffix.strip_prefix(['e', 'E'])?)?;
                match u32::try_from(exponent) {
                    Ok(exponent) => BILLION.checked_mul(10_i128.checked_pow(exponent)?)?,
                    Err(_) => BILLION.checked_div(10_i128.checked_pow(exponent.unsigned_abs())?)?,
                }
            }
        };
        let scale = 10_i128.checked_pow(places)?;
        let number = digits(whole)?
            .checked_mul(scale)?
            .checked_add(digits(fraction)?)?;
        let product = number.checked_mul(factor)?;
        // What is less than a billionth is one.
        Some(Self(
            product.checked_add(scale - 1)?.checked_div_euclid(scale)?,
        ))
    }

    /// How many of `unit` billionths, rounded up.
    fn of(self, unit: i128) -> u64 {
        let whole = self.0.saturating_add(unit - 1).div_euclid(unit);
        u64::try_from(whole).unwrap_or(u64::MAX)
    }

    /// The number, rounded up.
    pub(crate) fn whole(self) -> u64 {
        self.of(BILLION)
    }

    /// Thousandths, rounded up.
    pub(crate) fn thousandths(self) -> u64 {
        self.of(BILLION / 1000)
    }

    /// How often `divisor` is in it, rounded up.
    pub(crate) fn divided_by(self, divisor: Self) -> Option<u64> {
        (divisor.0 > 0).then(|| self.of(divisor.0))
    }

    /// So many.
    pub(crate) fn from_whole(number: u64) -> Self {
        Self(i128::from(number).saturating_mul(BILLION))
    }

    /// Reads an amount of bytes. Who writes `64m` doesn't mean thousandths of one.
    pub(crate) fn read_bytes(at: &At<'_>) -> Result<Self, Error> {
        let amount = Self::read(at)?;
        let text = at.raw()?;
        let Some(number) = text.strip_suffix(['m', 'u', 'n']) else {
            return Ok(amount);
        };
        Err(at.wrong(format!(
            "{text:?} is a part of a byte, since `m` stands for thousandths: write {number}Mi, or {number}M"
        )))
    }

    /// Reads an amount, which may stand without quotes.
    pub(crate) fn read(at: &At<'_>) -> Result<Self, Error> {
        let text = at.raw()?;
        Self::parse(text).ok_or_else(|| {
            at.wrong(format!(
                "{text:?} is not an amount such as 500m, 1.5, 64Mi or 1G"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        let bytes = |text| Quantity::parse(text).unwrap().whole();
        for (text, expected) in [
            ("64Mi", 64 << 20),
            ("1G", 1_000_000_000),
            ("1.5Gi", 3 << 29),
            ("1e3", 1000),
            ("12E2", 1200),
            ("1E", 1_000_000_000_000_000_000),
            ("0", 0),
            ("128974848", 128_974_848),
            ("129e6", 129_000_000),
            ("100m", 1),
            (".5k", 500),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
        let thousandths = |text| Quantity::parse(text).unwrap().thousandths();
        for (text, expected) in [
            ("500m", 500),
            ("0.1", 100),
            ("2", 2000),
            ("1u", 1),
            ("100n", 1),
        ] {
            assert_eq!(thousandths(text), expected, "{text}");
        }
        let million = Quantity::parse("1Mi").unwrap();
        assert_eq!(
            Quantity::parse("1.5Mi").unwrap().divided_by(million),
            Some(2)
        );
        for bad in [
            "",
            "-1",
            "1.2.3",
            "Mi",
            "1mi",
            "1 Mi",
            "1e99",
            "1234567890123456789",
            "é",
        ] {
            assert_eq!(Quantity::parse(bad), None, "{bad}");
        }
    }
}
