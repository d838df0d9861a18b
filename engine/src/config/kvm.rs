//! The table `[kvm]`: virtual machines of pods, as far as nothing else is asked of them.

use std::path::PathBuf;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::amount::Bytes;

/// Least memory of a virtual machine, in bytes: with less, its kernel does not start.
pub const MEMORY_MIN: u64 = 96 << 20;
/// Most processors of one.
pub const CPUS_MAX: u32 = 64;

/// What the table says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Kvm {
    /// The file of the kernel.
    #[serde(deserialize_with = "file")]
    pub kernel: Option<PathBuf>,
    /// The memory in bytes.
    #[serde(deserialize_with = "memory")]
    pub memory: Option<u64>,
    /// The processors.
    #[serde(deserialize_with = "cpus")]
    pub cpus: Option<u32>,
    /// What executes the instructions.
    pub accel: Option<AcceleratorChoice>,
    /// Whether a machine may be a copy of one that has booted.
    pub template: Option<bool>,
}

/// What is to execute the instructions of a virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AcceleratorChoice {
    /// The processor if it can, a program if not.
    Auto,
    /// The processor.
    Kvm,
    /// A program.
    Tcg,
}

impl Kvm {
    pub(super) fn overridden_by(self, later: Self) -> Self {
        Self {
            kernel: later.kernel.or(self.kernel),
            memory: later.memory.or(self.memory),
            cpus: later.cpus.or(self.cpus),
            accel: later.accel.or(self.accel),
            template: later.template.or(self.template),
        }
    }
}

fn file<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let path = PathBuf::deserialize(deserializer)?;
    match path.is_absolute() {
        true => Ok(Some(path)),
        // Where it leads depends on who starts a pod.
        false => Err(D::Error::custom("it is a path that begins with /")),
    }
}

fn memory<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    match Bytes::deserialize(deserializer)?.0 {
        enough if enough >= MEMORY_MIN => Ok(Some(enough)),
        _ => Err(D::Error::custom(format_args!(
            "a virtual machine needs {}m at least",
            MEMORY_MIN >> 20
        ))),
    }
}

fn cpus<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    match u32::deserialize(deserializer)? {
        some if (1..=CPUS_MAX).contains(&some) => Ok(Some(some)),
        _ => Err(D::Error::custom(format_args!(
            "a virtual machine has 1 to {CPUS_MAX} processors"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Kvm, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn each_setting_is_what_the_flag_of_its_name_takes() {
        assert_eq!(read(""), Ok(Kvm::default()));
        let all = "kernel = '/boot/vmlinuz-6.1'\nmemory = '1G'\ncpus = 2\naccel = 'tcg'\n\
                   template = true";
        let expected = Kvm {
            kernel: Some("/boot/vmlinuz-6.1".into()),
            memory: Some(1 << 30),
            cpus: Some(2),
            accel: Some(AcceleratorChoice::Tcg),
            template: Some(true),
        };
        assert_eq!(read(all), Ok(expected.clone()));
        let later = read("cpus = 3").unwrap();
        let both = expected.clone().overridden_by(later);
        assert_eq!(
            both,
            Kvm {
                cpus: Some(3),
                ..expected
            }
        );
    }

    #[test]
    fn what_no_machine_can_have_is_refused() {
        for (bad, why) in [
            ("kernel = 'vmlinuz-6.1'", "begins with /"),
            ("memory = '95M'", "96m at least"),
            ("cpus = 0", "1 to 64"),
            ("cpus = 1.5", "expected u32"),
            ("cpus = 65", "1 to 64"),
            ("accel = 'xen'", "xen"),
            ("templates = true", "templates"),
        ] {
            let error = read(bad).unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }
}
