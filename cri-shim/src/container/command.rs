//! Commands of requests.

use crate::error::CriError;

/// Most words, and most bytes of them all: no program takes more than the kernel has room for on its stack.
const WORDS_MAX: usize = 32_768;
const BYTES_MAX: usize = 1 << 20;

/// Refuses words that can't be handed to a program.
///
/// # Errors
/// [`CriError::Invalid`], by the name of the field.
pub(crate) fn require_words(field: &str, words: &[String]) -> Result<(), CriError> {
    let bytes: usize = words.iter().map(|word| word.len() + 1).sum();
    let reason = if words.len() > WORDS_MAX {
        format!("{} words are more than {WORDS_MAX}", words.len())
    } else if bytes > BYTES_MAX {
        format!("{bytes} bytes are more than {BYTES_MAX}")
    } else if words.iter().any(|word| word.contains('\0')) {
        "a word holds a NUL byte".to_owned()
    } else {
        return Ok(());
    };
    Err(CriError::invalid(field, reason))
}

/// Refuses what is no command: it has to name a program.
///
/// # Errors
/// As [`require_words`].
pub(crate) fn require_command(field: &str, words: &[String]) -> Result<(), CriError> {
    match words.first().is_none_or(String::is_empty) {
        true => Err(CriError::missing(field)),
        false => require_words(field, words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_a_program_and_fits_where_programs_find_it() {
        let words = |words: &[&str]| -> Vec<String> {
            words.iter().map(|word| (*word).to_owned()).collect()
        };
        require_command("cmd", &words(&["/bin/true", ""])).unwrap();
        require_words("args", &[]).unwrap();
        for (bad, reason) in [
            (words(&[]), "missing"),
            (words(&["", "x"]), "missing"),
            (words(&["x", "a\0b"]), "NUL"),
            (vec!["x".to_owned(); WORDS_MAX + 1], "words"),
            (vec!["x".repeat(BYTES_MAX)], "bytes"),
        ] {
            let refused = require_command("cmd", &bad).unwrap_err().to_string();
            assert!(
                refused.starts_with("cmd: ") && refused.contains(reason),
                "{refused}"
            );
        }
    }
}
