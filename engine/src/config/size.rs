//! Numbers of bytes, as people write them.

/// Parses a number of bytes: a number and `k`, `m`, `g` or `t` (powers of 1024, with or without `b`
/// or `ib`).
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

fn counted(text: &str) -> Result<u128, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u128 = number
        .parse()
        .map_err(|_| "it must be a number such as 64m or 2g".to_owned())?;
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
    Ok(1024_u128.pow(power).saturating_mul(number))
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
        ] {
            assert_eq!(bytes(text), Ok(number), "{text}");
        }
        for (bad, reason) in [
            ("", "a number such as"),
            ("m", "a number such as"),
            ("-1", "a number such as"),
            ("1.5g", "unknown unit \".5g\""),
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
