//! Numbers in files of cgroups: alone, behind a key, or one for each device.

/// A file that is one number. `max` is none.
pub(super) fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// A line `KEY NUMBER` of a file of such lines.
pub(crate) fn field(text: &str, key: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| number(line.strip_prefix(key)?.strip_prefix(' ')?))
}

/// All numbers behind a word and this sign, of lines about one device each.
pub(super) fn sum(text: &str, word: &str, sign: char) -> u64 {
    let of_device = |line: &str| {
        let (device, rest) = line.split_once(' ')?;
        device.contains(':').then_some(())?;
        let mut fields = match sign {
            ' ' => vec![rest],
            _ => rest.split(' ').collect(),
        };
        fields.retain(|field| field.starts_with(word));
        number(fields.first()?.strip_prefix(word)?.strip_prefix(sign)?)
    };
    text.lines()
        .filter_map(of_device)
        .fold(0, u64::saturating_add)
}
