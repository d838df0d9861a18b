//! Why a pod can't have the virtual machine that is asked for.

/// Why a pod can't have the virtual machine that is asked for.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// Nothing of this machine executes its instructions.
    #[error("a virtual machine can't be accelerated by KVM: {0}")]
    NoKvm(&'static str),
    /// Templates that nobody needs can't be removed.
    #[error("cannot remove a template of virtual machines: {0}")]
    Templates(#[source] std::io::Error),
}
