//! What of a pod's limits the host sees to, which has the whole machine: pod init sees to the rest in there.

use pod::AppName;
use pod::manifest::{Limit, Memory, Pids, Resources};
use stage1::failure::{StartFailure, in_units};

use crate::size::{MEBIBYTE, OVERHEAD, Size};

/// What the program that runs a machine takes beside the machine's memory: its own, what it translates, and the files that
/// it reads.
const VMM_OVERHEAD: u64 = 256 * MEBIBYTE;

/// The limits of the host's cgroup of a pod in a machine of this size. The machine is as large as the pod's limit of memory
/// says and what its kernel takes, and the program that runs it takes some, too.
pub(crate) fn of_host(resources: &Resources, size: Size) -> Resources {
    let machine = size.memory.saturating_mul(MEBIBYTE);
    let memory = &resources.memory;
    let with_overhead = |limit: Limit, beside: u64| match limit {
        Limit::At(bytes) => Limit::At(bytes.saturating_add(beside)),
        Limit::Unlimited => Limit::Unlimited,
    };
    // Also where nothing is said of the pod: a program that was taken over takes no more than a machine of this size does.
    let most = machine.saturating_add(VMM_OVERHEAD);
    // As much swap as is asked for.
    let beside = match memory.limit {
        Some(Limit::At(asked)) => most.saturating_sub(asked),
        Some(Limit::Unlimited) | None => most,
    };
    Resources {
        memory: Memory {
            limit: Some(Limit::At(most)),
            swap: memory.swap.map(|swap| with_overhead(swap, beside)),
            ..*memory
        },
        // Those of the program are not the pod's.
        pids: Pids::default(),
        ..resources.clone()
    }
}

/// The same of limits that change while the machine runs. It keeps the memory that it has.
///
/// # Errors
/// If there is not as much memory in it.
pub(crate) fn changed_on_host(
    resources: &Resources,
    size: Size,
) -> Result<Resources, StartFailure> {
    let machine = size.memory.saturating_mul(MEBIBYTE);
    let most = machine.saturating_sub(OVERHEAD);
    if let Some(Limit::At(asked)) = resources.memory.limit
        && asked > most
    {
        return Err(StartFailure::other(format!(
            "the virtual machine has {} MiB of memory since its start, {} MiB of them for apps: the pod can't have more",
            machine / MEBIBYTE,
            most / MEBIBYTE
        )));
    }
    Ok(Resources {
        memory: Memory::default(),
        pids: Pids::default(),
        ..resources.clone()
    })
}

/// Whether the machine has as much memory as the pod may have by its limit.
///
/// # Errors
/// If it has not.
pub(crate) fn expect_pod_within(resources: &Resources, size: Size) -> Result<(), StartFailure> {
    let machine = size.memory.saturating_mul(MEBIBYTE);
    match resources.memory.limit {
        Some(Limit::At(asked)) if asked > machine => Err(StartFailure::other(format!(
            "the pod can't have {} of memory: its virtual machine has {}, which --kvm-memory has set",
            in_units(asked),
            in_units(machine)
        ))),
        _ => Ok(()),
    }
}

/// Whether the machine has as much memory as an app may have by its limit. It has where its size follows the limits.
///
/// # Errors
/// If it has not.
pub(crate) fn expect_within(
    app: &AppName,
    resources: &Resources,
    size: Size,
) -> Result<(), StartFailure> {
    let machine = size.memory.saturating_mul(MEBIBYTE);
    match resources.memory.limit {
        Some(Limit::At(asked)) if asked > machine => Err(StartFailure::other(format!(
            "app {app} can't have {} of memory: its virtual machine has {}, which --kvm-memory or the limits at the pod's \
             start have set",
            in_units(asked),
            in_units(machine)
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(limit: Limit, swap: Option<Limit>) -> Resources {
        Resources {
            memory: Memory {
                limit: Some(limit),
                swap,
                ..Memory::default()
            },
            pids: Pids {
                limit: Some(Limit::At(7)),
            },
            ..Resources::default()
        }
    }

    #[test]
    fn the_host_gives_a_machine_its_memory_and_what_it_takes_beside_that() {
        let size = Size {
            memory: 384,
            cpus: 1,
        };
        let mib = |number: u64| Limit::At(number * MEBIBYTE);
        let host = of_host(&memory(mib(256), Some(mib(512))), size);
        assert_eq!(host.memory.limit, Some(mib(640)));
        assert_eq!(host.memory.swap, Some(mib(896)));
        assert_eq!(host.pids, Pids::default());
        let host = of_host(&memory(Limit::Unlimited, None), size);
        assert_eq!(host.memory.limit, Some(mib(640)));
        let host = of_host(&Resources::default(), size);
        assert_eq!(
            (host.memory.limit, host.memory.swap),
            (Some(mib(640)), None)
        );
        assert_eq!(
            changed_on_host(&memory(mib(256), None), size),
            Ok(Resources::default())
        );
        let refused = changed_on_host(&memory(mib(257), None), size).unwrap_err();
        assert!(refused.message.contains("256 MiB"), "{refused}");
    }

    #[test]
    fn no_pod_is_promised_more_memory_than_its_machine_has() {
        let size = Size {
            memory: 384,
            cpus: 1,
        };
        let pod = |limit| expect_pod_within(&memory(limit, None), size);
        assert_eq!(pod(Limit::At(384 * MEBIBYTE)), Ok(()));
        assert_eq!(pod(Limit::Unlimited), Ok(()));
        let refused = pod(Limit::At(385 * MEBIBYTE)).unwrap_err().message;
        assert!(refused.contains("385 MiB"), "{refused}");
    }

    #[test]
    fn no_app_has_more_memory_than_its_machine() {
        let size = Size {
            memory: 384,
            cpus: 1,
        };
        let app: AppName = "web".parse().unwrap();
        let limit = |limit| expect_within(&app, &memory(limit, None), size);
        assert_eq!(limit(Limit::At(384 * MEBIBYTE)), Ok(()));
        assert_eq!(limit(Limit::Unlimited), Ok(()));
        let refused = limit(Limit::At(385 * MEBIBYTE)).unwrap_err().message;
        assert!(
            refused.contains("app web") && refused.contains("385 MiB"),
            "{refused}"
        );
    }
}
