//! A value as words, as systemd takes it apart: quotes, and the escapes of C.

/// Why a value can't be taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// A quote has no end.
    Quote,
    /// Bytes were written that are no text together.
    Bytes,
    /// A NUL, which no word can hold.
    Nul,
}

impl Unfit {
    /// What is wrong.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Quote => "a quotation mark has no counterpart",
            Self::Bytes => "its escapes are no UTF-8 text",
            Self::Nul => "no word can hold a NUL",
        }
    }
}

/// Takes a value apart. An escape that there isn't stays as it is written, as in systemd.
///
/// # Errors
/// [`Unfit`].
pub fn words(value: &str) -> Result<Vec<String>, Unfit> {
    let mut words = Vec::new();
    let mut rest = value.chars();
    let is_blank = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r');
    loop {
        let mut word: Option<Vec<u8>> = None;
        let mut quote: Option<char> = None;
        let mut more = false;
        while let Some(c) = rest.next() {
            let bytes = match (quote, c) {
                (None, c) if is_blank(c) => {
                    if word.is_none() {
                        continue;
                    }
                    more = true;
                    break;
                }
                (None, '"' | '\'') => {
                    quote = Some(c);
                    word.get_or_insert_default();
                    continue;
                }
                (Some(mark), c) if mark == c => {
                    quote = None;
                    continue;
                }
                (_, '\\') => escaped(&mut rest)?,
                (_, '\0') => return Err(Unfit::Nul),
                (_, c) => utf8(c),
            };
            word.get_or_insert_default().extend(bytes);
        }
        if quote.is_some() {
            return Err(Unfit::Quote);
        }
        if let Some(word) = word {
            words.push(String::from_utf8(word).map_err(|_| Unfit::Bytes)?);
        }
        if !more {
            return Ok(words);
        }
    }
}

fn utf8(c: char) -> Vec<u8> {
    c.encode_utf8(&mut [0; 4]).as_bytes().to_vec()
}

/// What an escape stands for, of which the backslash is behind us.
fn escaped(rest: &mut std::str::Chars<'_>) -> Result<Vec<u8>, Unfit> {
    let mut ahead = rest.clone();
    let Some(c) = ahead.next() else {
        return Ok(b"\\".to_vec());
    };
    let plain = match c {
        'a' => Some(7),
        'b' => Some(8),
        'f' => Some(12),
        'n' => Some(b'\n'),
        'r' => Some(b'\r'),
        't' => Some(b'\t'),
        'v' => Some(11),
        '\\' => Some(b'\\'),
        '"' => Some(b'"'),
        '\'' => Some(b'\''),
        's' => Some(b' '),
        _ => None,
    };
    if let Some(byte) = plain {
        *rest = ahead;
        return Ok(vec![byte]);
    }
    let (digits, radix, skip) = match c {
        'x' => (2, 16, 1),
        'u' => (4, 16, 1),
        'U' => (8, 16, 1),
        '0'..='7' => (3, 8, 0),
        _ => (0, 16, 0),
    };
    let text: String = rest.clone().skip(skip).take(digits).collect();
    let is_whole = digits > 0 && text.len() == digits && text.chars().all(|c| c.is_digit(radix));
    let number = u32::from_str_radix(&text, radix).ok().filter(|_| is_whole);
    let bytes = number.and_then(|number| match c {
        'u' | 'U' => char::from_u32(number).map(utf8),
        _ => u8::try_from(number).ok().map(|byte| vec![byte]),
    });
    match bytes {
        // systemd refuses the escape, and then takes it as it is written: nobody means that.
        Some(bytes) if bytes == [0] => Err(Unfit::Nul),
        Some(bytes) => {
            for _ in 0..skip.saturating_add(digits) {
                rest.next();
            }
            Ok(bytes)
        }
        None => {
            *rest = ahead;
            let mut bytes = b"\\".to_vec();
            bytes.extend(utf8(c));
            Ok(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_taken_apart_as_in_systemd() {
        for (value, wanted) in [
            ("", &[][..]),
            ("  a\tb ", &["a", "b"]),
            (r#"a"b c"'d e'f"#, &["ab cd ef"]),
            (r#""" ''"#, &["", ""]),
            (r"a\ b c", &[r"a\ b", "c"]),
            (r"\x41\101\u00e9\U0001F600\s", &["AAé😀 "]),
            (r"\q \x4 \400 \", &[r"\q", r"\x4", r"\400", "\\"]),
            (r#""\"\\\n""#, &["\"\\\n"]),
            ("%n $X ${Y}", &["%n", "$X", "${Y}"]),
        ] {
            assert_eq!(words(value).unwrap(), wanted, "{value}");
        }
        assert_eq!(words("a 'b"), Err(Unfit::Quote));
        assert_eq!(words(r"\xff"), Err(Unfit::Bytes));
        assert_eq!(words(r"\x00"), Err(Unfit::Nul));
    }
}
