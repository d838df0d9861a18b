//! Numbers of bytes, as people write them.

/// Parses a number of bytes: a number, which may have decimals, and `k`, `m`, `g` or `t` (powers of 1024, with or
/// without `b` or `ib`).
pub fn bytes(text: &str) -> Result<u64, String> {
    let bytes = u64::try_from(counted(text)?).ok();
    bytes
        .filter(|bytes| i64::try_from(*bytes).is_ok())
        .ok_or_else(|| "it is too large".to_owned())
}

/// The same; what is more than `most` is `most`.
///
/// # Errors
/// What is wrong with the text.
pub fn bytes_up_to(text: &str, most: u64) -> Result<u64, String> {
    Ok(u64::try_from(counted(text)?).map_or(most, |bytes| bytes.min(most)))
}

/// Most digits behind the point: as many as the kernel's largest number has, so that no product is too large to count.
const DECIMALS_MAX: usize = 18;

fn counted(text: &str) -> Result<u128, String> {
    let malformed = || "it must be a number such as 64m, 1.5g or 2g".to_owned();
    let is_number = |c: &u8| c.is_ascii_digit() || *c == b'.';
    let length = text.bytes().take_while(is_number).count();
    let (number, unit) = text.split_at(length);
    let (whole, part) = match number.split_once('.') {
        // `.5` is as good as `0.5`.
        Some(("", part)) => ("0", part),
        Some(parts) => parts,
        None => (number, "0"),
    };
    if part.len() > DECIMALS_MAX {
        return Err(format!("{DECIMALS_MAX} decimals at most"));
    }
    let whole: u128 = whole.parse().map_err(|_| malformed())?;
    let decimals: u128 = part.parse().map_err(|_| malformed())?;
    let power = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        "p" | "pb" | "pib" => 5,
        "e" | "eb" | "eib" => 6,
        _ => return Err(format!("unknown unit {unit:?}; use k, m, g, t, p or e")),
    };
    let unit = 1024_u128.pow(power);
    let places = part.bytes().fold(1_u128, |places, _| places * 10);
    // Bytes are whole; a part of one is not nothing, which may mean that there is no limit.
    let bytes = unit
        .saturating_mul(whole)
        .saturating_add(unit * decimals / places);
    match bytes {
        0 if decimals > 0 => Err("it is less than a byte; is the unit missing?".to_owned()),
        bytes => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_powers_of_1024() {
        for (text, number) in [
            ("0", 0),
            ("1048576", 1 << 20),
            ("64m", 64 << 20),
            ("64MB", 64 << 20),
            ("2GiB", 2 << 30),
            ("1t", 1 << 40),
            ("0.5g", 512 << 20),
            ("1.5GiB", 1536 << 20),
            (".25k", 256),
            ("7.000000000000000001e", (7 << 60) + 1),
        ] {
            assert_eq!(bytes(text), Ok(number), "{text}");
        }
        for (bad, reason) in [
            ("", "a number such as"),
            ("m", "a number such as"),
            ("-1", "a number such as"),
            (".", "a number such as"),
            ("1.g", "a number such as"),
            ("1.5.5g", "a number such as"),
            ("0.5", "less than a byte; is the unit missing?"),
            ("0.0001k", "less than a byte"),
            ("1,5g", "unknown unit \",5g\""),
            ("0.0000000000000000001e", "18 decimals at most"),
            ("64x", "unknown unit \"x\""),
            ("99999999999999999999", "too large"),
            ("8388608t", "too large"),
            ("9999999999t", "too large"),
        ] {
            let error = bytes(bad).unwrap_err();
            assert!(error.contains(reason), "{bad}: {error}");
        }
        assert_eq!(bytes("8388607t"), Ok(8_388_607 << 40));
    }
}
