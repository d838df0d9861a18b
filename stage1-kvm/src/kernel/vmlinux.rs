//! The kernel itself out of the file that boot loaders take: a machine that is given it starts sooner (PVH).
//!
//! The file is described in the kernel's `Documentation/arch/x86/boot.rst`.

use std::io;

use super::inflate::inflate;

const ELF: &[u8] = b"\x7fELF";
/// Where the header says what it is, and where the compressed kernel lies.
const MAGIC: (usize, &[u8]) = (0x202, b"HdrS");
const SETUP_SECTORS: usize = 0x1f1;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;
const SECTOR: usize = 512;

/// The kernel as an ELF file.
///
/// # Errors
/// If the file is no kernel, or is damaged.
pub(crate) fn extract(file: &[u8]) -> io::Result<Vec<u8>> {
    if file.starts_with(ELF) {
        return Ok(file.to_vec());
    }
    let payload = payload(file).ok_or_else(|| io::Error::other("it is no kernel for x86"))?;
    let kernel = inflate(payload)?;
    match kernel.starts_with(ELF) {
        true => Ok(kernel),
        false => Err(io::Error::other(
            "the kernel in it is compressed in a way that is not known",
        )),
    }
}

fn payload(file: &[u8]) -> Option<&[u8]> {
    let (at, magic) = MAGIC;
    if !file.get(at..)?.starts_with(magic) {
        return None;
    }
    let number = |at: usize| {
        let bytes = file.get(at..)?.first_chunk::<4>()?;
        usize::try_from(u32::from_le_bytes(*bytes)).ok()
    };
    let sectors = match file.get(SETUP_SECTORS)? {
        0 => 4,
        sectors => usize::from(*sectors),
    };
    let begin = (sectors + 1) * SECTOR;
    let begin = begin.checked_add(number(PAYLOAD_OFFSET)?)?;
    file.get(begin..begin.checked_add(number(PAYLOAD_LENGTH)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(payload: &[u8]) -> Vec<u8> {
        let mut file = vec![0; 3 * SECTOR + 16];
        file[SETUP_SECTORS] = 2;
        file[0x202..0x206].copy_from_slice(b"HdrS");
        file[PAYLOAD_OFFSET] = 16;
        let length = (payload.len() as u32).to_le_bytes();
        file[PAYLOAD_LENGTH..][..4].copy_from_slice(&length);
        file.extend(payload);
        file
    }

    #[test]
    fn the_kernel_comes_out_of_the_file_of_a_boot_loader_or_is_it() {
        let kernel = [ELF, &[7; 5000]].concat();
        assert!(extract(&kernel).unwrap() == kernel);
        let packed = zstd::stream::encode_all(kernel.as_slice(), 1).unwrap();
        assert!(extract(&image(&packed)).unwrap() == kernel);
    }

    #[test]
    fn what_is_no_kernel_or_half_a_one_is_refused() {
        let packed = zstd::stream::encode_all(&[ELF, &[7; 5000]].concat()[..], 1).unwrap();
        let mut short = image(&packed);
        short.truncate(short.len() - 1);
        for (file, why) in [
            (vec![], "no kernel"),
            (vec![0; 4096], "no kernel"),
            (short, "no kernel"),
            (image(b"something else"), "not known"),
        ] {
            let error = extract(&file).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
