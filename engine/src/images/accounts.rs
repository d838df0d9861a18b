//! Users and groups of an image that nothing runs of.

use std::io::Read;
use std::path::PathBuf;

use image_store::Image;
use image_store::tree::{Found, look_up};
use pod::accounts::Accounts;

use crate::error::Error;

/// Most bytes of a file of accounts that are looked at.
const ACCOUNTS_MAX: u64 = 16 << 20;

/// The files of accounts of an image; empty where it has none.
///
/// # Errors
/// If the store can't be read.
pub fn read(image: &Image) -> Result<Accounts, Error> {
    let layers = image.layers().iter().rev();
    let trees: Vec<PathBuf> = layers.map(|layer| layer.path.clone()).collect();
    let text = |path: &str| -> Result<String, Error> {
        let mut bytes = Vec::new();
        if let Some(Found::File { file, .. }) = look_up(&trees, path, &[])? {
            let read = file.take(ACCOUNTS_MAX).read_to_end(&mut bytes);
            read.map_err(Error::io("read the image's", path))?;
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    Ok(Accounts {
        passwd: text("/etc/passwd")?,
        group: text("/etc/group")?,
    })
}
