//! Passphrases of private keys: from a file, from the environment, or from the person at the
//! terminal.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use trust::Zeroizing;

use crate::terminal::question;
use crate::wording::failure::Failure;

/// Environment variables that may hold a passphrase, the one that counts first; the second is the
/// one that cosign reads.
const VARIABLES: [&str; 2] = ["FAIRING_PASSPHRASE", "COSIGN_PASSWORD"];
/// Longest passphrase, in bytes.
const MAX: u64 = 4 << 10;

/// A passphrase. Wiped from memory when dropped.
pub(crate) type Passphrase = Zeroizing<String>;

/// Where the passphrase of a key comes from, unless a person types it.
#[derive(Debug, Args)]
pub(crate) struct PassphraseArguments {
    /// File of the key's passphrase; else FAIRING_PASSPHRASE or COSIGN_PASSWORD, else the terminal
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseArguments {
    /// The passphrase that was given without a question.
    ///
    /// # Errors
    /// If the file can't be read or has several lines, or the variable no text.
    pub(crate) fn given(&self) -> Result<Option<Passphrase>, Failure> {
        if let Some(path) = &self.passphrase_file {
            return read(path).map(Some);
        }
        for variable in VARIABLES {
            match std::env::var(variable) {
                Ok(passphrase) => return Ok(Some(Zeroizing::new(passphrase))),
                Err(std::env::VarError::NotPresent) => {}
                Err(std::env::VarError::NotUnicode(_)) => {
                    return Err(Failure::Other(format!("{variable} is not UTF-8 text")));
                }
            }
        }
        Ok(None)
    }

    /// The passphrase that opens a key.
    ///
    /// # Errors
    /// As [`PassphraseArguments::given`], and if nobody is there to type it.
    pub(crate) fn to_open(&self, key: &Path) -> Result<Passphrase, Failure> {
        if let Some(passphrase) = self.given()? {
            return Ok(passphrase);
        }
        if !question::somebody_is_there() {
            return Err(Failure::Other(format!(
                "key {} has a passphrase, and there is no terminal to ask for it; give \
                 --passphrase-file, or set {}",
                key.display(),
                VARIABLES.join(" or ")
            )));
        }
        let prompt = format!("Passphrase of {}: ", key.display());
        question::ask(&prompt, true).map(Zeroizing::new)
    }

    /// The passphrase for a new key, asked for twice; `None` where who is there wants none.
    ///
    /// # Errors
    /// As [`PassphraseArguments::given`], if nobody is there to type one, and if the two differ.
    pub(crate) fn for_new_key(&self) -> Result<Option<Passphrase>, Failure> {
        if let Some(given) = self.given()? {
            return Ok(Some(given));
        }
        // A key that anyone who reads the file can use is never made unasked.
        if !question::somebody_is_there() {
            return Err(Failure::Usage(format!(
                "there is no terminal to ask for a passphrase; give --passphrase-file, set {}, or say \
                 --no-passphrase",
                VARIABLES.join(" or ")
            )));
        }
        let prompt = "Passphrase for the new key (empty for none): ";
        let first = Zeroizing::new(question::ask(prompt, true)?);
        if first.is_empty() {
            return Ok(None);
        }
        let second = Zeroizing::new(question::ask("Repeat it: ", true)?);
        match first == second {
            true => Ok(Some(first)),
            false => Err(Failure::Other(
                "the two passphrases differ; no key was made".to_owned(),
            )),
        }
    }
}

/// The first line of a file; an editor's newline at its end is no part of it.
fn read(path: &Path) -> Result<Passphrase, Failure> {
    let mut text = Zeroizing::new(String::new());
    File::open(path)
        .map_err(Failure::io("open", path))?
        .take(MAX + 1)
        .read_to_string(&mut text)
        .map_err(Failure::io("read", path))?;
    let wrong =
        |reason: &str| Failure::Other(format!("passphrase file {}: {reason}", path.display()));
    let mut lines = text.lines();
    match (lines.next(), lines.next()) {
        _ if text.len() as u64 > MAX => Err(wrong("it is too long")),
        // The passphrase of a key that has an empty one, as cosign makes them.
        (None, _) => Ok(Zeroizing::new(String::new())),
        (Some(_), Some(_)) => Err(wrong("it has more than one line")),
        (Some(line), None) => Ok(Zeroizing::new(line.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passphrase");
        let given = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read(&path).map(|passphrase| passphrase.to_string())
        };
        assert_eq!(given("a b \n").unwrap(), "a b ");
        assert_eq!(given("secret").unwrap(), "secret");
        assert_eq!(given("secret\r\n").unwrap(), "secret");
        assert_eq!(given("\n").unwrap(), "");
        assert_eq!(given("").unwrap(), "");
        let longest = usize::try_from(MAX).unwrap();
        assert_eq!(given(&"x".repeat(longest)).unwrap().len(), longest);
        let refused = |result: Result<_, Failure>| result.map(|_| ()).unwrap_err().to_string();
        for (text, reason) in [
            ("a\nb\n", "more than one line"),
            (&"x".repeat(longest + 1), "too long"),
        ] {
            let error = refused(given(text));
            assert!(error.contains(reason), "{error}");
        }
        let error = refused(read(&dir.path().join("none")).map(|_| String::new()));
        assert!(error.contains("/none"), "{error}");
    }
}
