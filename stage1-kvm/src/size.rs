//! How large a pod's machine is.

use pod::manifest::{Limit, PodManifest, Resources, VirtualMachine};

/// What the kernel of a machine, its page tables and pod init take.
pub(crate) const OVERHEAD: u64 = 128 << 20;
/// What an app gets where nothing is said of it.
const USUAL_APP: u64 = 256 << 20;
/// Most processors.
const CPUS_MAX: u64 = 64;
pub(crate) const MEBIBYTE: u64 = 1 << 20;
/// The period of processor time where none is given, in microseconds.
const PERIOD: u64 = 100_000;

/// The size of a machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// In MiB.
    pub(crate) memory: u64,
    /// Processors.
    pub(crate) cpus: u32,
}

/// As asked for, or else by the limits of the pod, or of its apps.
pub(crate) fn size(asked: &VirtualMachine, manifest: &PodManifest) -> Size {
    let apps = manifest.apps.iter().map(|app| &app.resources);
    by_all(asked, &manifest.resources, apps)
}

fn by_all<'a>(
    asked: &VirtualMachine,
    pod: &'a Resources,
    apps: impl Iterator<Item = &'a Resources> + Clone,
) -> Size {
    let of_pod = match pod.memory.limit {
        Some(Limit::At(bytes)) => Some(OVERHEAD.saturating_add(bytes)),
        Some(Limit::Unlimited) | None => None,
    };
    let memory = asked.memory.or(of_pod);
    let memory = memory.unwrap_or_else(|| by_limits(apps.clone()));
    let is_limited = pod.cpu.quota.and_then(Limit::value).is_some();
    let of_pod = is_limited.then(|| processors([pod].into_iter()));
    let cpus = asked.cpus.or(of_pod);
    Size {
        memory: memory.div_ceil(MEBIBYTE),
        cpus: cpus.unwrap_or_else(|| processors(apps)),
    }
}

fn by_limits<'a>(apps: impl Iterator<Item = &'a Resources>) -> u64 {
    let mut apps = apps.peekable();
    if apps.peek().is_none() {
        // One will join.
        return OVERHEAD + USUAL_APP;
    }
    apps.fold(OVERHEAD, |sum, resources| {
        let app = match resources.memory.limit {
            Some(Limit::At(bytes)) => bytes,
            Some(Limit::Unlimited) | None => USUAL_APP,
        };
        sum.saturating_add(app)
    })
}

/// As many as all apps together may keep busy; one for those that have no limit.
fn processors<'a>(apps: impl Iterator<Item = &'a Resources>) -> u32 {
    let wanted = apps.fold(0_u64, |sum, resources| {
        let period = resources.cpu.period.filter(|period| *period > 0);
        let app = match resources.cpu.quota {
            Some(Limit::At(quota)) => quota.div_ceil(period.unwrap_or(PERIOD)),
            Some(Limit::Unlimited) | None => 0,
        };
        sum.saturating_add(app)
    });
    u32::try_from(wanted.clamp(1, CPUS_MAX)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use pod::manifest::{Cpu, Memory};

    use super::*;

    fn app(memory: Option<i64>, quota: Option<i64>) -> Resources {
        Resources {
            memory: Memory {
                limit: memory.map(|bytes| serde_json::from_str(&bytes.to_string()).unwrap()),
                ..Memory::default()
            },
            cpu: Cpu {
                quota: quota.map(|quota| serde_json::from_str(&quota.to_string()).unwrap()),
                ..Cpu::default()
            },
            ..Resources::default()
        }
    }

    #[test]
    fn a_machine_has_what_its_apps_may_use_and_what_its_kernel_takes() {
        let none = app(None, None);
        let small = app(Some(64 << 20), Some(50_000));
        let busy = app(Some(1 << 30), Some(250_000));
        let memory = |apps: &[&Resources]| by_limits(apps.iter().copied()) >> 20;
        let cpus = |apps: &[&Resources]| processors(apps.iter().copied());
        assert_eq!((memory(&[&none]), cpus(&[&none])), (384, 1));
        assert_eq!((memory(&[&small]), cpus(&[&small])), (192, 1));
        let three = [&none, &small, &busy];
        assert_eq!((memory(&three), cpus(&three)), (1472, 4));
        let asked = VirtualMachine::default();
        let pod = app(Some(96 << 20), Some(150_000));
        let limited = by_all(&asked, &pod, three.into_iter());
        assert_eq!((limited.memory, limited.cpus), (224, 2));
        let unlimited = by_all(&asked, &none, three.into_iter());
        assert_eq!((unlimited.memory, unlimited.cpus), (1472, 4));
        let greedy = app(None, Some(i64::MAX));
        assert_eq!(cpus(&[&greedy]), 64);
    }
}
