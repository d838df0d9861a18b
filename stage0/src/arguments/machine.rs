//! Flags of the virtual machine that a pod runs in.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use engine::pods::spec::{AcceleratorChoice, MachineSpec};

use super::quantity::memory;

/// Least memory of a virtual machine: with less, its kernel does not start.
const MEMORY_MIN: u64 = 96 << 20;

/// What is asked of the virtual machine of a pod.
#[derive(Debug, Clone, Args)]
pub(crate) struct MachineArguments {
    /// Kernel of the pod's virtual machine (--stage1=kvm) [default: the newest in /boot]
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    kvm_kernel: Option<PathBuf>,
    /// Its memory [default: 128m more than its apps may use]
    #[arg(long, value_name = "BYTES", value_parser = machine_memory, hide_short_help = true)]
    kvm_memory: Option<u64>,
    /// Its processors [default: as many as its apps may use, or 1]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=64))]
    #[arg(hide_short_help = true)]
    kvm_cpus: Option<u32>,
    /// What executes its instructions: the processor (kvm), a program (tcg), or what there is (auto)
    #[arg(long, value_enum, value_name = "HOW", hide_short_help = true)]
    #[arg(hide_possible_values = true)]
    kvm_accel: Option<Accelerator>,
    /// Start it as a copy of one that has booted: faster, and with kernel addresses that other copies have too
    #[arg(long, hide_short_help = true)]
    kvm_template: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Accelerator {
    Auto,
    Kvm,
    Tcg,
}

impl MachineArguments {
    pub(crate) fn spec(self) -> MachineSpec {
        MachineSpec {
            kernel: self.kvm_kernel,
            memory: self.kvm_memory,
            cpus: self.kvm_cpus,
            accelerator: self.kvm_accel.map(|accelerator| match accelerator {
                Accelerator::Auto => AcceleratorChoice::Auto,
                Accelerator::Kvm => AcceleratorChoice::Kvm,
                Accelerator::Tcg => AcceleratorChoice::Tcg,
            }),
            template: self.kvm_template,
        }
    }
}

fn machine_memory(text: &str) -> Result<u64, String> {
    match memory(text)? {
        enough if enough >= MEMORY_MIN => Ok(enough),
        _ => Err("a virtual machine needs 96m at least".to_owned()),
    }
}
