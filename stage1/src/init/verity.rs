//! Disks of a machine that its kernel checks while it reads them (dm-verity).
//!
//! What a disk holds is a file of the host's that was checked before the machine began. From here on each block is compared
//! with a hash tree when it is read, so that one that was changed meanwhile is an error of reading and not other content.

use std::os::fd::{AsFd, OwnedFd};

use pod::manifest::Verity;
use rustix::fs::{Mode, OFlags, fstat, major, minor, openat};
use rustix::io::Errno;

use crate::failure::StartFailure;
use crate::sys::device_mapper::{CREATE, HEADER, LOAD, REMOVE, RESUME, request};

/// By which the device mapper is reached, and its devices, below a machine's root.
const CONTROL: &str = "dev/mapper/control";
/// The version of the requests: that of Linux 2.6.
const VERSION: [u32; 3] = [4, 0, 0];
/// The flag for what can't be written.
const READ_ONLY: u32 = 1;
/// Where fields of the header are.
const DATA_SIZE: usize = 12;
const DATA_START: usize = 16;
const TARGETS: usize = 20;
const FLAGS: usize = 28;
const DEVICE: usize = 40;
const NAME: usize = 48;
/// Bytes of the kernel's `struct dm_target_spec`, and of the type in it.
const TARGET: usize = 40;
const SECTORS_OF_BLOCK: u64 = 8;

/// The device that shows a disk, checked. `name` is what nobody else calls one.
///
/// # Errors
/// What failed, such as where the kernel has no device mapper.
pub(super) fn checked(
    root: &OwnedFd,
    disk: &OwnedFd,
    name: &str,
    verity: &Verity,
) -> Result<OwnedFd, StartFailure> {
    let failed = |what| StartFailure::os::<Errno>(format!("{what} for a checked disk"));
    let number = fstat(disk).map_err(failed("look at the device"))?.st_rdev;
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    let control = openat(root, CONTROL, flags, Mode::empty());
    let control = control.map_err(failed("open the device mapper"))?;
    let ask = |request_number, bytes: &mut [u8]| request(control.as_fd(), request_number, bytes);
    let mut create = header(name, READ_ONLY, &[]);
    ask(CREATE, &mut create).map_err(failed("make a device"))?;
    let made = device_of(&create);
    let table = target(verity.data_blocks, &table(number, verity));
    let set_up = ask(LOAD, &mut header(name, READ_ONLY, &table))
        .and_then(|()| ask(RESUME, &mut header(name, READ_ONLY, &[])));
    if let Err(error) = set_up {
        // The failure at hand says more.
        let _ = ask(REMOVE, &mut header(name, 0, &[]));
        return Err(failed("set up a device")(error));
    }
    let path = format!("dev/dm-{}", minor(made));
    openat(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(failed("open the device"))
}

/// The parameters of a table: the same disk holds the data and, behind them, the hashes.
fn table(disk: u64, verity: &Verity) -> String {
    let Verity {
        root_hash,
        salt,
        data_blocks,
    } = verity;
    let disk = format!("{}:{}", major(disk), minor(disk));
    format!(
        "1 {disk} {disk} 4096 4096 {data_blocks} {data_blocks} sha256 {} {}",
        root_hash.hex(),
        salt.hex()
    )
}

/// A request about the device of this name, with what follows the header.
fn header(name: &str, flags: u32, rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    let size = u32::try_from(HEADER + rest.len()).unwrap_or(u32::MAX);
    for (number, part) in VERSION.iter().enumerate() {
        put(&mut bytes, number * 4, &part.to_ne_bytes());
    }
    put(&mut bytes, DATA_SIZE, &size.to_ne_bytes());
    put(&mut bytes, DATA_START, &(HEADER as u32).to_ne_bytes());
    put(
        &mut bytes,
        TARGETS,
        &u32::from(!rest.is_empty()).to_ne_bytes(),
    );
    put(&mut bytes, FLAGS, &flags.to_ne_bytes());
    put(&mut bytes, NAME, name.as_bytes());
    bytes.extend_from_slice(rest);
    bytes
}

/// The one target of a table.
fn target(blocks: u64, parameters: &str) -> Vec<u8> {
    let mut bytes = vec![0; TARGET];
    let sectors = blocks.saturating_mul(SECTORS_OF_BLOCK);
    put(&mut bytes, 8, &sectors.to_ne_bytes());
    put(&mut bytes, 24, b"verity");
    bytes.extend_from_slice(parameters.as_bytes());
    // A string ends with a zero byte, and the next target would begin at a multiple of eight.
    bytes.push(0);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// The number of the device that was made.
fn device_of(answer: &[u8]) -> u64 {
    let field = answer.get(DEVICE..).and_then(|field| field.first_chunk());
    field.copied().map_or(0, u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_names_the_disk_twice_and_says_where_its_hashes_begin() {
        let hash = |digit: &str| format!("sha256:{}", digit.repeat(64)).parse().unwrap();
        let verity = Verity {
            root_hash: hash("a"),
            salt: hash("b"),
            data_blocks: 77,
        };
        let table = table(rustix::fs::makedev(254, 16), &verity);
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        let expected = format!("1 254:16 254:16 4096 4096 77 77 sha256 {a} {b}");
        assert_eq!(table, expected);
        let target = target(77, &table);
        assert_eq!(target[8..16], 616_u64.to_ne_bytes());
        assert!(target.len().is_multiple_of(8) && target.ends_with(&[0]));
        let request = header("image-0", READ_ONLY, &target);
        assert_eq!(request[12..16], (request.len() as u32).to_ne_bytes());
        assert_eq!(request[20..24], 1_u32.to_ne_bytes());
        assert!(request[48..].starts_with(b"image-0\0"));
    }
}
