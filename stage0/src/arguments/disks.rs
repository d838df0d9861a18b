//! Limits of disks, as docker and podman write them: `/dev/sda:1mb`.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;

use engine::config::size::bytes;
use nix::sys::stat::{major, minor};
use pod::manifest::ThrottleDevice;

/// The most operations in a second that the kernel counts, which is no limit to it: more would be cut to a few.
const OPERATIONS_MAX: u64 = u32::MAX as u64;

/// A rate, and the file of the device that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceRate {
    path: PathBuf,
    rate: u64,
}

/// Parses a weight for disks.
pub(crate) fn weight(text: &str) -> Result<u16, String> {
    let weight = text.parse().ok();
    weight
        .filter(|weight| (10..=1000).contains(weight))
        .ok_or_else(|| {
            "it must be a number from 10 to 1000, of which 100 is the usual weight".to_owned()
        })
}

/// Parses `DEVICE:BYTES`.
pub(crate) fn bytes_per_second(text: &str) -> Result<DeviceRate, String> {
    device_rate(text, bytes)
}

/// Parses `DEVICE:NUMBER`. What the kernel can't count is the most that it can.
pub(crate) fn operations_per_second(text: &str) -> Result<DeviceRate, String> {
    device_rate(text, |rate| {
        rate.parse()
            .map(|rate: u64| rate.min(OPERATIONS_MAX))
            .map_err(|_| "the rate must be a number such as 1000".to_owned())
    })
}

/// Parses `DEVICE:WEIGHT`.
pub(crate) fn weight_of_device(text: &str) -> Result<DeviceRate, String> {
    device_rate(text, |text| weight(text).map(u64::from))
}

fn device_rate(
    text: &str,
    rate: impl Fn(&str) -> Result<u64, String>,
) -> Result<DeviceRate, String> {
    let parts = text.rsplit_once(':');
    let (path, number) = parts
        .filter(|(path, _)| path.starts_with('/'))
        .ok_or("it must be the path of a device and a rate, such as /dev/sda:1mb")?;
    Ok(DeviceRate {
        path: path.into(),
        rate: rate(number)?,
    })
}

impl DeviceRate {
    /// The device, which is looked for.
    ///
    /// # Errors
    /// If there is no such device.
    pub(crate) fn device(&self) -> Result<ThrottleDevice, String> {
        let path = self.path.display();
        let file = fs::metadata(&self.path).map_err(|error| format!("{path}: {error}"))?;
        if !file.file_type().is_block_device() {
            return Err(format!("{path} is not a block device"));
        }
        // The kernel's own are of 32 bits.
        let number = |number| u32::try_from(number).map_err(|_| format!("{path}: no such device"));
        Ok(ThrottleDevice {
            major: number(major(file.rdev()))?,
            minor: number(minor(file.rdev()))?,
            rate: self.rate,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_for_a_device() {
        let rate = bytes_per_second("/dev/disk/by-id/a:b:1mb").unwrap();
        assert_eq!(rate.path, PathBuf::from("/dev/disk/by-id/a:b"));
        assert_eq!(rate.rate, 1 << 20);
        assert_eq!(operations_per_second("/dev/sda:0").unwrap().rate, 0);
        let most = operations_per_second("/dev/sda:4294967297").unwrap();
        assert_eq!(most.rate, OPERATIONS_MAX);
        for bad in ["", "/dev/sda", "sda:1mb", "/dev/sda:", "/dev/sda:x"] {
            assert!(bytes_per_second(bad).is_err(), "{bad}");
            assert!(operations_per_second(bad).is_err(), "{bad}");
        }
        assert!(operations_per_second("/dev/sda:1mb").is_err());
        for (path, reason) in [
            ("/dev/null", "is not a block device"),
            ("/nowhere", "/nowhere: No such file"),
        ] {
            let rate = bytes_per_second(&format!("{path}:1")).unwrap();
            let error = rate.device().unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn weights_are_those_of_docker() {
        assert_eq!((weight("10"), weight("1000")), (Ok(10), Ok(1000)));
        for bad in ["9", "1001", "", "x", "-1", "1.5"] {
            assert!(weight(bad).is_err(), "{bad}");
        }
    }
}
