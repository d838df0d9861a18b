//! Rates and bursts, with their units.
//!
//! Three worlds write rates. Kubernetes (`kubernetes.io/ingress-bandwidth: 10M`) has `k`, `M`, `G` for bits per second, where
//! `m` is a thousandth; tc has `mbit`, and `mbps` for *bytes* a second, where everybody else means bits; for sizes its
//! `kb` is 1024 bytes. What all who know it understand alike is taken, and the rest refused.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A number of bits per second, from 1k to 1P: those that Kubernetes takes for pods, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Rate(u64);

/// A number of bytes that pass at once, at least one, at most what the kernel's 32 bits hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Burst(u32);

const RATE_MIN: u64 = 1000;
const RATE_MAX: u64 = 1_000_000_000_000_000;

/// A packet of 64 KiB as TCP hands it down, where each of its 45 segments counts with its headers: what is larger than
/// the burst is taken apart by the kernel before it is counted, which costs processor time.
const LARGE_PACKET: u64 = 72 << 10;
/// The first window of a connection (ten packets of Ethernet), which no limit should delay.
const FIRST_WINDOW: u64 = 16 << 10;

/// Why a text is no rate or burst.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {what}: {reason}")]
pub struct InvalidQuantity {
    text: String,
    what: &'static str,
    reason: &'static str,
}

const RATE_UNITS: &str = "write bits per second as 10M, 10mbit, 512k, 1.5G or 10Mi";
const BURST_UNITS: &str = "write bytes as 64KiB or bits as 512kbit";
const OUT_OF_RANGE: &str = "it is from 1k to 1P (bits per second)";
const BURST_RANGE: &str = "it is from one byte to below 4GiB";

impl Rate {
    /// In bits per second.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// In whole bytes per second.
    pub fn bytes(self) -> u64 {
        self.0 / 8
    }
}

impl Burst {
    /// In bytes.
    pub fn bytes(self) -> u32 {
        self.0
    }

    /// In bits.
    pub fn bits(self) -> u64 {
        u64::from(self.0) * 8
    }

    /// For a rate that comes without: what passes in 10 ms, so that the rate is kept where the kernel looks at its
    /// clock a hundred times a second; but a large packet, as long as it takes no more than 100 ms, since all
    /// that is sent at once delays what comes after; and a connection's first window in any case.
    pub fn suited_to(rate: Rate) -> Self {
        let in_10_ms = rate.bytes() / 100;
        let in_100_ms = rate.bytes() / 10;
        let bytes = in_10_ms.max(LARGE_PACKET.min(in_100_ms)).max(FIRST_WINDOW);
        Self(u32::try_from(bytes).unwrap_or(u32::MAX))
    }
}

impl TryFrom<u64> for Rate {
    type Error = &'static str;

    fn try_from(bits: u64) -> Result<Self, Self::Error> {
        (RATE_MIN..=RATE_MAX)
            .contains(&bits)
            .then_some(Self(bits))
            .ok_or(OUT_OF_RANGE)
    }
}

impl TryFrom<u64> for Burst {
    type Error = &'static str;

    fn try_from(bytes: u64) -> Result<Self, Self::Error> {
        let bytes = u32::try_from(bytes).map_err(|_| BURST_RANGE)?;
        (bytes > 0).then_some(Self(bytes)).ok_or(BURST_RANGE)
    }
}

impl From<Rate> for u64 {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

impl From<Burst> for u64 {
    fn from(burst: Burst) -> Self {
        burst.0.into()
    }
}

impl FromStr for Rate {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (number, unit) = Decimal::take(text).ok_or(RATE_UNITS)?;
            let unit = match (unit, bits(unit)) {
                (_, Some(unit)) => unit,
                ("", _) => 1,
                ("k", _) => 1000,
                ("M", _) => 1_000_000,
                ("G", _) => 1_000_000_000,
                ("T", _) => 1_000_000_000_000,
                ("P", _) => RATE_MAX,
                ("Ki", _) => 1 << 10,
                ("Mi", _) => 1 << 20,
                ("Gi", _) => 1 << 30,
                ("Ti", _) => 1 << 40,
                (exponent, _) if let Some(power) = power(exponent) => power,
                ("m", _) => {
                    return Err("m is a thousandth in Kubernetes; write M or mbit");
                }
                ("K", _) => return Err("K is 1000 to some and 1024 to others; write k or Ki"),
                (other, _) if other.to_ascii_lowercase().ends_with("ps") => {
                    return Err(
                        "to tc that is bytes per second, and bits to others; write mbit or kbit",
                    );
                }
                (other, _) if other.to_ascii_lowercase().ends_with('b') => {
                    return Err("a rate is in bits per second; write mbit or kbit");
                }
                _ => return Err(RATE_UNITS),
            };
            Self::try_from(number.times(unit, OUT_OF_RANGE)?)
        };
        parse().map_err(|reason| InvalidQuantity {
            text: text.into(),
            what: "rate",
            reason,
        })
    }
}

impl FromStr for Burst {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (number, unit) = Decimal::take(text).ok_or(BURST_UNITS)?;
            let bytes = match (unit, bits(unit)) {
                (_, Some(unit)) => match number.times(unit, BURST_RANGE)? {
                    bits if bits % 8 == 0 => bits / 8,
                    _ => return Err("these are not whole bytes"),
                },
                ("B", _) => number.times(1, BURST_RANGE)?,
                ("KiB", _) => number.times(1 << 10, BURST_RANGE)?,
                ("MiB", _) => number.times(1 << 20, BURST_RANGE)?,
                ("GiB", _) => number.times(1 << 30, BURST_RANGE)?,
                ("", _) => {
                    return Err(
                        "tc takes that for bytes and CNI for bits; write bytes as 64KiB or bits as 512kbit",
                    );
                }
                (other, _) if other.to_ascii_lowercase().ends_with('b') => {
                    return Err(
                        "that may be 1000 bytes, 1024 bytes or bits; write bytes as 64KiB or bits as 512kbit",
                    );
                }
                _ => return Err(BURST_UNITS),
            };
            Self::try_from(bytes)
        };
        parse().map_err(|reason| InvalidQuantity {
            text: text.into(),
            what: "burst",
            reason,
        })
    }
}

/// The units that name bits, as tc has them, in any case.
fn bits(unit: &str) -> Option<u64> {
    Some(match unit.to_ascii_lowercase().as_str() {
        "bit" => 1,
        "kbit" => 1000,
        "mbit" => 1_000_000,
        "gbit" => 1_000_000_000,
        "tbit" => 1_000_000_000_000,
        "kibit" => 1 << 10,
        "mibit" => 1 << 20,
        "gibit" => 1 << 30,
        "tibit" => 1 << 40,
        _ => return None,
    })
}

/// The power of ten that an exponent stands for, as in Kubernetes' `1e6`.
fn power(exponent: &str) -> Option<u64> {
    let digits = exponent.strip_prefix(['e', 'E'])?;
    let digit = |c: u8| c.is_ascii_digit();
    let is_number = !digits.is_empty() && digits.bytes().all(digit);
    let exponent = is_number.then(|| digits.parse().ok()).flatten()?;
    10_u64.checked_pow(exponent)
}

/// A number as it is written, with at most nine digits after the point.
struct Decimal {
    digits: u128,
    scale: u128,
}

impl Decimal {
    /// The number at the beginning of a text, and the rest.
    fn take(text: &str) -> Option<(Self, &str)> {
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, rest) = text.split_at_checked(end)?;
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let is_bare_point = number.contains('.') && part.is_empty();
        if whole.is_empty() || whole.len() > 18 || part.len() > 9 || is_bare_point {
            return None;
        }
        let digits = format!("{whole}{part}").parse().ok()?;
        let scale = 10_u128.pow(u32::try_from(part.len()).ok()?);
        Some((Self { digits, scale }, rest))
    }

    /// That many of a unit, which must be a whole number.
    fn times(&self, unit: u64, too_large: &'static str) -> Result<u64, &'static str> {
        // At most 27 digits times 15: it fits.
        let all = self.digits.saturating_mul(unit.into());
        if all % self.scale != 0 {
            return Err("it is not a whole number of bits or bytes");
        }
        u64::try_from(all / self.scale).map_err(|_| too_large)
    }
}

/// The largest unit of which there is a whole number.
fn whole(amount: u64, units: &[(u64, &'static str)]) -> Option<String> {
    let mut fitting = units
        .iter()
        .filter(|(unit, _)| amount.is_multiple_of(*unit));
    fitting
        .next()
        .map(|(unit, name)| format!("{}{name}", amount / unit))
}

/// As it can be written.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [
            (1_000_000_000_000, "tbit"),
            (1_000_000_000, "gbit"),
            (1 << 30, "gibit"),
            (1_000_000, "mbit"),
            (1 << 20, "mibit"),
            (1000, "kbit"),
            (1 << 10, "kibit"),
        ];
        match whole(self.0, &units) {
            Some(text) => f.write_str(&text),
            None => write!(f, "{}bit", self.0),
        }
    }
}

/// As it can be written.
impl fmt::Display for Burst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match whole(self.0.into(), &units) {
            Some(text) => f.write_str(&text),
            None => write!(f, "{}B", self.0),
        }
    }
}

#[cfg(test)]
mod tests;
