//! What pods in virtual machines need of this machine.

use std::path::PathBuf;

use pod::machine_parts::{
    Kernel, MODULES, ModuleFiles, QEMU, VERITY, VIRTIOFS, VIRTIOFSD, find, installed,
};

use crate::config::directories::Directories;
use crate::config::files::Config;

/// What is installed for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualMachines {
    /// Where QEMU is.
    pub qemu: Option<PathBuf>,
    /// Where virtiofsd is.
    pub virtiofsd: Option<PathBuf>,
    /// The kernel that is configured, or else the newest that has its modules; or why there is none.
    pub kernel: Result<GuestKernel, String>,
}

/// A kernel that machines can boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestKernel {
    /// Its file.
    pub image: PathBuf,
    /// Modules that it lacks and no pod can do without.
    pub missing: Vec<&'static str>,
    /// Whether it can check disks while it reads them.
    pub checks_disks: bool,
    /// Whether files can be shared with it.
    pub shares_files: bool,
}

impl VirtualMachines {
    /// As it is now.
    pub fn read(directories: &Directories) -> Self {
        // Why it can't be read is told where the rest of it is looked at.
        let config = Config::read(directories).unwrap_or_default();
        let kernel = find(config.kvm().kernel.as_deref()).map_err(|error| error.to_string());
        Self {
            qemu: installed(&QEMU),
            virtiofsd: installed(&VIRTIOFSD),
            kernel: kernel.and_then(GuestKernel::read),
        }
    }
}

impl VirtualMachines {
    /// What no pod in a virtual machine can do without, and is not there.
    pub fn lack(&self) -> Option<String> {
        let kernel = match (&self.qemu, &self.kernel) {
            (None, _) => return Some("QEMU is not installed".to_owned()),
            (_, Err(why)) => return Some(why.clone()),
            (Some(_), Ok(kernel)) => kernel,
        };
        if !kernel.missing.is_empty() {
            let (image, missing) = (kernel.image.display(), kernel.missing.join(", "));
            return Some(format!("the kernel {image} lacks the modules {missing}"));
        }
        if self.virtiofsd.is_none() {
            return Some("virtiofsd is not installed".to_owned());
        }
        let (image, lacks) = (kernel.image.display(), "has no virtiofs");
        (!kernel.shares_files).then(|| format!("the kernel {image} {lacks}"))
    }
}

impl GuestKernel {
    fn read(kernel: Kernel) -> Result<Self, String> {
        let modules = ModuleFiles::read(&kernel.modules);
        let modules = modules
            .map_err(|error| format!("cannot read {}: {error}", kernel.modules.display()))?;
        let missing = MODULES.into_iter().filter(|name| !modules.has(name));
        Ok(Self {
            image: kernel.image,
            missing: missing.collect(),
            checks_disks: modules.has(VERITY),
            shares_files: modules.has(VIRTIOFS),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_needs_all_of_its_parts() {
        let whole = || VirtualMachines {
            qemu: Some("/usr/bin/qemu".into()),
            virtiofsd: Some("/usr/libexec/virtiofsd".into()),
            kernel: Ok(GuestKernel {
                image: "/boot/vmlinuz".into(),
                missing: Vec::new(),
                checks_disks: false,
                shares_files: true,
            }),
        };
        assert_eq!(whole().lack(), None);
        let kernel = |change: fn(&mut GuestKernel)| {
            let mut all = whole();
            change(all.kernel.as_mut().unwrap());
            all
        };
        for (parts, lack) in [
            (
                VirtualMachines {
                    qemu: None,
                    ..whole()
                },
                "QEMU",
            ),
            (
                VirtualMachines {
                    virtiofsd: None,
                    ..whole()
                },
                "virtiofsd",
            ),
            (
                VirtualMachines {
                    kernel: Err("no kernel".to_owned()),
                    ..whole()
                },
                "no kernel",
            ),
            (kernel(|one| one.missing = vec!["erofs"]), "modules erofs"),
            (kernel(|one| one.shares_files = false), "virtiofs"),
        ] {
            let told = parts.lack().unwrap();
            assert!(told.contains(lack), "{told}");
        }
    }
}
