//! Fills an image store with names and images: `large-store DATA NAMES IMAGES`. For the bench.

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data, names, images] = arguments.as_slice() else {
        return Err("usage: large-store DATA NAMES IMAGES".into());
    };
    harness::LargeStore::fill(Path::new(data), names.parse()?, images.parse()?);
    Ok(())
}
