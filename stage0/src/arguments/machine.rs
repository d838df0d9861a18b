//! Flags of the virtual machine that a pod runs in.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use engine::config::kvm::{CPUS_MAX, MEMORY_MIN};
use engine::pods::spec::{AcceleratorChoice, MachineSpec};

use super::quantity::memory;

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
    #[arg(long, value_name = "NUMBER", value_parser = processors)]
    #[arg(hide_short_help = true)]
    kvm_cpus: Option<u32>,
    /// What executes its instructions: the processor (kvm), a program (tcg), or what there is (auto)
    #[arg(long, value_enum, value_name = "HOW", hide_short_help = true)]
    #[arg(hide_possible_values = true)]
    kvm_accel: Option<Accelerator>,
    /// Start it as a copy of one that has booted: faster, and with kernel addresses that other copies have too
    #[arg(long, value_name = "BOOL", hide_short_help = true, action = clap::ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    kvm_template: Option<bool>,
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
        _ => Err(format!(
            "a virtual machine needs {}m at least",
            MEMORY_MIN >> 20
        )),
    }
}

fn processors(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if (1..=CPUS_MAX).contains(&number) => Ok(number),
        // Parts of one are for limits.
        _ => Err(format!(
            "a virtual machine has whole processors, 1 to {CPUS_MAX}; --pod-cpus limits how much of them it gets"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_whole_processors() {
        assert_eq!((processors("1"), processors("64")), (Ok(1), Ok(64)));
        for bad in ["0", "65", "1.5", "-1", "", "x"] {
            let error = processors(bad).unwrap_err();
            assert!(error.contains("--pod-cpus"), "{bad}: {error}");
        }
    }
}
