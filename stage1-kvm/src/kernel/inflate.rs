//! What kernels and their modules are compressed with.

use std::io::{self, Read};

/// Most bytes that come out.
const MOST: u64 = 512 << 20;

const GZIP: &[u8] = &[0x1f, 0x8b];
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// The form of LZ4 that kernels use: blocks of 8 MiB, each after its length.
const LZ4_LEGACY: &[u8] = &[0x02, 0x21, 0x4c, 0x18];
const LZ4_BLOCK: usize = 8 << 20;

/// The bytes as they were before they were compressed. What follows the compressed bytes is passed over.
///
/// # Errors
/// If they are damaged, or too many.
pub(super) fn inflate(bytes: &[u8]) -> io::Result<Vec<u8>> {
    if bytes.starts_with(GZIP) {
        return read(flate2::read::GzDecoder::new(bytes));
    }
    if bytes.starts_with(XZ) {
        return read(lzma_rust2::XzReader::new(bytes, false));
    }
    if bytes.starts_with(ZSTD) {
        return read(zstd::stream::read::Decoder::new(bytes)?.single_frame());
    }
    match bytes.strip_prefix(LZ4_LEGACY) {
        Some(blocks) => lz4(blocks),
        None => Ok(bytes.to_vec()),
    }
}

fn read(source: impl Read) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    source.take(MOST).read_to_end(&mut all)?;
    if all.len() as u64 == MOST {
        return Err(too_large());
    }
    Ok(all)
}

fn lz4(mut blocks: &[u8]) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut buffer = vec![0; LZ4_BLOCK];
    while let Some((length, rest)) = blocks.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        // What comes after the last block is the size of the whole.
        let Some((block, after)) = rest.split_at_checked(length).filter(|_| length > 0) else {
            break;
        };
        let count = lz4_flex::block::decompress_into(block, &mut buffer)
            .map_err(|error| io::Error::other(error.to_string()))?;
        all.extend_from_slice(buffer.get(..count).unwrap_or_default());
        if all.len() as u64 > MOST {
            return Err(too_large());
        }
        blocks = after;
    }
    Ok(all)
}

fn too_large() -> io::Error {
    io::Error::other("it is larger than 512 MiB")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_compressed_in_any_way_comes_out_whatever_follows_it() {
        let plain: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        let block = lz4_flex::block::compress(&plain);
        let mut lz4 = LZ4_LEGACY.to_vec();
        lz4.extend((block.len() as u32).to_le_bytes());
        lz4.extend(&block);
        let zstd = zstd::stream::encode_all(plain.as_slice(), 1).unwrap();
        for mut packed in [gzip.finish().unwrap(), lz4, zstd] {
            assert!(inflate(&packed).unwrap() == plain);
            packed.extend((plain.len() as u32).to_le_bytes());
            assert!(inflate(&packed).unwrap() == plain);
        }
        assert!(inflate(&plain).unwrap() == plain);
    }

    #[test]
    fn what_is_damaged_is_refused() {
        for start in [GZIP, XZ, ZSTD] {
            let mut bytes = start.to_vec();
            bytes.extend([7; 100]);
            assert!(inflate(&bytes).is_err());
        }
        let mut lz4 = LZ4_LEGACY.to_vec();
        lz4.extend([4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        assert!(inflate(&lz4).is_err());
    }
}
