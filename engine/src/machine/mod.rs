//! What this machine offers: facts for who judges whether pods can run on it. Reading them changes nothing and leaves nothing
//! behind.

mod cgroups;
mod configuration;
mod cri;
mod kernel;
mod modules;
mod networks;
mod process;
mod security;
mod store;
mod virtual_machines;
mod virtualisation;

pub use self::cgroups::Cgroups;
pub use self::configuration::{Configuration, Part};
pub use self::cri::{Cri, cgroup_lack};
pub use self::kernel::{Calls, Devices, Kernel, Namespaces};
pub use self::modules::{Availability, Modules};
pub use self::networks::Networks;
pub use self::process::Process;
pub use self::security::{Security, Selinux};
pub use self::store::Store;
pub use self::virtual_machines::{GuestKernel, VirtualMachines};
pub use self::virtualisation::kvm_lack;

use crate::engine::Engine;

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The kernel.
    pub kernel: Kernel,
    /// Parts of it that may be modules.
    pub modules: Modules,
    /// Who else makes networks of pods here.
    pub networks: Networks,
    /// Its cgroups.
    pub cgroups: Cgroups,
    /// Its security modules.
    pub security: Security,
    /// What this process may do.
    pub process: Process,
    /// Where images and pods are.
    pub store: Store,
    /// What is installed for virtual machines.
    pub virtual_machines: VirtualMachines,
    /// What the configuration says.
    pub configuration: Configuration,
    /// What kubelets find, if any are meant to come.
    pub cri: Option<Cri>,
}

impl Machine {
    /// As it is now.
    pub fn read(engine: &Engine) -> Self {
        let modules = Modules::read();
        Self {
            kernel: Kernel::read(),
            networks: Networks::read(engine, &modules),
            modules,
            cgroups: Cgroups::read(),
            security: Security::read(&engine.directories),
            process: Process::read(),
            store: Store::read(&engine.directories.data),
            virtual_machines: VirtualMachines::read(&engine.directories),
            configuration: Configuration::read(engine),
            cri: Cri::read(engine),
        }
    }
}
