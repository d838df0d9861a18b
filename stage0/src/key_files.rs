//! Reading and writing key files.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use trust::{PrivateKey, PublicKey, Zeroizing};

use crate::failure::Failure;
use crate::passphrase::PassphraseArguments;

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
    PublicKey::from_pem(&read(path)?).map_err(|source| Failure::Key {
        path: path.to_path_buf(),
        source,
    })
}

fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    File::open(path)
        .map_err(Failure::io("open", path))?
        .take(FILE_MAX)
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
        .map_err(Failure::io("create", path))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(Failure::io("write", path))
}
