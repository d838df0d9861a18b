//! The virtual machine of a sandbox, where its handler runs it in one.

use std::num::NonZeroU64;
use std::thread;

use engine::pods::spec::PodSpec;
use pod::feature::Feature;
use pod::manifest::{Cpu, Limit};
use pod::stage1::Stage1;

use crate::api::LinuxContainerResources;
use crate::container::limits;
use crate::error::CriError;

const FIELD: &str = "config.linux.resources";
/// The period of processor time where none is given, in microseconds.
const PERIOD: u64 = 100_000;

/// Whether an isolator runs pods in virtual machines.
pub(super) fn is_of(stage1: &Stage1) -> bool {
    stage1.manifest.features.contains(&Feature::VirtualMachine)
}

/// Sizes it by what all containers together may use: it boots before there are any. Where they have no limits, the
/// configuration says it.
///
/// # Errors
/// If a limit makes no sense.
pub(super) fn size(
    asked: Option<&LinuxContainerResources>,
    spec: &mut PodSpec,
) -> Result<(), CriError> {
    let Some(asked) = asked else {
        return Ok(());
    };
    let all = limits(FIELD, asked)?;
    if let Some(limit @ Limit::At(_)) = all.memory.limit {
        spec.resources.memory.limit = Some(limit);
    }
    let most = thread::available_parallelism().map_or(1, |there| there.get() as u64);
    spec.machine.cpus = processors(&all.cpu, most);
    Ok(())
}

/// As many processors as the containers may keep busy, if there are so many.
fn processors(cpu: &Cpu, most: u64) -> Option<u32> {
    let quota = cpu.quota.and_then(Limit::value)?;
    let period = cpu.period.and_then(NonZeroU64::new);
    let wanted = quota.div_ceil(period.map_or(PERIOD, NonZeroU64::get));
    u32::try_from(wanted.clamp(1, most.max(1))).ok()
}

#[cfg(test)]
mod tests {
    use cni_glue::config::Selection;
    use engine::networks::spec::NetworkSpec;

    use super::*;

    fn sized(change: impl FnOnce(&mut LinuxContainerResources)) -> PodSpec {
        let mut asked = LinuxContainerResources::default();
        change(&mut asked);
        let mut spec = PodSpec::new(NetworkSpec::from(Selection::Host), Vec::new());
        size(Some(&asked), &mut spec).unwrap();
        spec
    }

    #[test]
    fn a_machine_has_what_all_containers_may_use() {
        let spec = sized(|asked| asked.memory_limit_in_bytes = 64 << 20);
        assert_eq!(spec.resources.memory.limit, Some(Limit::At(64 << 20)));
        assert_eq!(spec.machine.cpus, None);
        assert_eq!(sized(|_| ()).resources.memory.limit, None);
        let unlimited = sized(|asked| (asked.cpu_quota, asked.memory_limit_in_bytes) = (-1, -1));
        assert_eq!(unlimited.machine.cpus, None);
        assert_eq!(unlimited.resources.memory.limit, None);
        assert_eq!(sized(|asked| asked.cpu_quota = 1000).machine.cpus, Some(1));
    }

    #[test]
    fn processors_are_whole_and_those_that_there_are() {
        let of = |quota, period| {
            let cpu = Cpu {
                quota: Some(Limit::At(quota)),
                period,
                ..Cpu::default()
            };
            processors(&cpu, 4)
        };
        assert_eq!(of(150_000, None), Some(2));
        assert_eq!(of(150_000, Some(50_000)), Some(3));
        assert_eq!(of(9_000_000, None), Some(4));
    }
}
