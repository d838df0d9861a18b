//! Reading and writing key files.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use trust::{PrivateKey, PublicKey, Zeroizing};

use crate::keys::passphrase::PassphraseArguments;
use crate::wording::failure::Failure;

/// Largest key file that is read, in bytes; far more than any key needs.
const FILE_MAX: u64 = 64 << 10;

/// Reads a private key, which may be under a passphrase.
///
/// # Errors
/// [`Failure::Key`] if the file holds none, or another passphrase opens it.
pub(crate) fn read_private(
    path: &Path,
    passphrase: &PassphraseArguments,
) -> Result<PrivateKey, Failure> {
    let text = read(path)?;
    let key = match PrivateKey::is_encrypted(&text) {
        true => PrivateKey::from_encrypted_pem(&text, passphrase.to_open(path)?.as_bytes()),
        false => PrivateKey::from_pem(&text),
    };
    key.map_err(|source| Failure::Key {
        path: path.to_path_buf(),
        source,
    })
}

/// Reads a public key.
///
/// # Errors
/// [`Failure::Key`] if the file holds none.
pub(crate) fn read_public(path: &Path) -> Result<PublicKey, Failure> {
    parse_public(&read(path)?, path)
}

/// Parses a public key that came from `place`.
///
/// # Errors
/// [`Failure::Key`] if it is none.
pub(crate) fn parse_public(text: &str, place: &Path) -> Result<PublicKey, Failure> {
    PublicKey::from_pem(text).map_err(|source| Failure::Key {
        path: place.to_path_buf(),
        source,
    })
}

/// Reads a public key that is going to be trusted: only from a file that nobody but its owner can
/// write.
///
/// # Errors
/// As [`read_public`], and for a file that somebody else could have written.
pub(crate) fn read_public_to_trust(path: &Path) -> Result<PublicKey, Failure> {
    let file = File::open(path).map_err(Failure::io("open", path))?;
    let metadata = file.metadata().map_err(Failure::io("look at", path))?;
    if metadata.is_file() && metadata.mode() & 0o022 != 0 {
        return Err(Failure::Other(format!(
            "key {} is refused: users other than its owner may write to it; `chmod go-w` it, and compare \
             its fingerprint",
            path.display()
        )));
    }
    parse_public(&read_from(file, path)?, path)
}

/// Largest key that is read, in bytes.
pub(crate) const fn largest() -> u64 {
    FILE_MAX
}

fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    read_from(File::open(path).map_err(Failure::io("open", path))?, path)
}

fn read_from(file: impl Read, path: &Path) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    file.take(FILE_MAX)
        .read_to_string(&mut text)
        .map_err(Failure::io("read", path))?;
    Ok(text)
}

/// Writes a new key file with this mode. A file that is there already is left alone.
///
/// # Errors
/// If it exists or can't be written.
pub(crate) fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Failure::Other(format!(
                "{} exists already, and a key is never written over: choose another name, or move it away",
                path.display()
            )),
            _ => Failure::io("create", path)(error),
        })?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(Failure::io("write", path))
}
