//! What a machine's facts mean to those who want to run pods on it: pure decisions, and the words for them.

mod area;
mod configuration;
mod confinement;
mod kernel;
mod kubelets;
mod networks;
mod store;
#[cfg(test)]
mod tests;
mod virtual_machines;

use engine::machine::Machine;

pub(crate) use self::area::{Check, Severity};

/// What that machine's facts mean.
pub(crate) fn checks(machine: &Machine) -> Vec<Check> {
    let areas = [
        kernel::checks(machine),
        confinement::checks(machine),
        networks::checks(machine),
        store::checks(&machine.store),
        virtual_machines::checks(machine),
        configuration::checks(&machine.configuration),
        kubelets::checks(machine.cri.as_ref()),
    ];
    areas.into_iter().flat_map(|area| area.checks).collect()
}
