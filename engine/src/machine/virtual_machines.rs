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
    pub(super) fn read(directories: &Directories) -> Self {
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
