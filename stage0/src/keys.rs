//! Key files and their passphrases.

pub(crate) mod files;
pub(crate) mod passphrase;
