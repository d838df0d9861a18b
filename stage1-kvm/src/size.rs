//! How large a pod's machine is.

use pod::manifest::{Limit, PodManifest, Resources, VirtualMachine};
use rustix::thread::sched_getaffinity;
use stage1::failure::{StartFailure, in_units};

/// What the kernel of a machine, its page tables and pod init take.
pub(crate) const OVERHEAD: u64 = 128 << 20;
/// What an app gets where nothing is said of it.
const USUAL_APP: u64 = 256 << 20;
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

/// What the host has.
#[derive(Debug, Clone, Copy)]
struct Host {
    /// In bytes.
    memory: u64,
    processors: u32,
}

impl Host {
    fn read() -> Self {
        let system = rustix::system::sysinfo();
        let unit = u64::from(system.mem_unit);
        let processors = sched_getaffinity(None).map_or(1, |set| set.count());
        Self {
            memory: system.totalram.saturating_mul(unit),
            processors: processors.max(1),
        }
    }
}

/// As asked for, or else by the limits of the pod, or of its apps.
///
/// # Errors
/// If the host has less than that.
pub(crate) fn size(asked: &VirtualMachine, manifest: &PodManifest) -> Result<Size, StartFailure> {
    let apps = manifest.apps.iter().map(|app| &app.resources);
    let host = Host::read();
    let size = by_all(asked, &manifest.resources, apps, host);
    expect_of_host(size, host)?;
    Ok(size)
}

/// A machine of more processors than the host has runs none of them in time, and its kernel waits for each of them.
fn expect_of_host(size: Size, host: Host) -> Result<(), StartFailure> {
    let refused = |what: String, there: String, how: &str| {
        Err(StartFailure::other(format!(
            "the pod's virtual machine can't have {what}: this host has {there}; give it less with {how}"
        )))
    };
    if size.cpus > host.processors {
        let what = format!("{} processors", size.cpus);
        return refused(what, host.processors.to_string(), "--kvm-cpus");
    }
    let there = host.memory / MEBIBYTE;
    if size.memory > there {
        let in_words = |memory: u64| in_units(memory.saturating_mul(MEBIBYTE));
        let what = format!("{} of memory", in_words(size.memory));
        let how = "--kvm-memory, or with lower limits of its apps";
        return refused(what, in_words(there), how);
    }
    Ok(())
}

fn by_all<'a>(
    asked: &VirtualMachine,
    pod: &'a Resources,
    apps: impl Iterator<Item = &'a Resources> + Clone,
    host: Host,
) -> Size {
    let of_pod = match pod.memory.limit {
        Some(Limit::At(bytes)) => Some(OVERHEAD.saturating_add(bytes)),
        Some(Limit::Unlimited) | None => None,
    };
    let memory = asked.memory.or(of_pod);
    let memory = memory.unwrap_or_else(|| by_limits(apps.clone()));
    let is_limited = pod.cpu.quota.and_then(Limit::value).is_some();
    let of_pod = is_limited.then(|| processors([pod].into_iter(), host));
    let cpus = asked.cpus.or(of_pod);
    Size {
        memory: memory.div_ceil(MEBIBYTE),
        cpus: cpus.unwrap_or_else(|| processors(apps, host)),
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

/// As many as all apps together may keep busy, if there are so many; one for those that have no limit.
fn processors<'a>(apps: impl Iterator<Item = &'a Resources>, host: Host) -> u32 {
    let wanted = apps.fold(0_u64, |sum, resources| {
        let period = resources.cpu.period.filter(|period| *period > 0);
        let app = match resources.cpu.quota {
            Some(Limit::At(quota)) => quota.div_ceil(period.unwrap_or(PERIOD)),
            Some(Limit::Unlimited) | None => 0,
        };
        sum.saturating_add(app)
    });
    u32::try_from(wanted.max(1)).map_or(host.processors, |wanted| wanted.min(host.processors))
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
        let host = Host {
            memory: 8 << 30,
            processors: 6,
        };
        let cpus = |apps: &[&Resources]| processors(apps.iter().copied(), host);
        assert_eq!((memory(&[&none]), cpus(&[&none])), (384, 1));
        assert_eq!((memory(&[&small]), cpus(&[&small])), (192, 1));
        let three = [&none, &small, &busy];
        assert_eq!((memory(&three), cpus(&three)), (1472, 4));
        let asked = VirtualMachine::default();
        let pod = app(Some(96 << 20), Some(150_000));
        let limited = by_all(&asked, &pod, three.into_iter(), host);
        assert_eq!((limited.memory, limited.cpus), (224, 2));
        let unlimited = by_all(&asked, &none, three.into_iter(), host);
        assert_eq!((unlimited.memory, unlimited.cpus), (1472, 4));
        let greedy = app(None, Some(i64::MAX));
        assert_eq!(cpus(&[&greedy]), 6);
    }

    #[test]
    fn no_machine_is_larger_than_its_host() {
        let host = Host {
            memory: 2 << 30,
            processors: 2,
        };
        let refused = |memory, cpus| {
            let failure = expect_of_host(Size { memory, cpus }, host).unwrap_err();
            failure.message
        };
        assert_eq!(
            expect_of_host(
                Size {
                    memory: 2048,
                    cpus: 2
                },
                host
            ),
            Ok(())
        );
        let words = refused(2048, 3);
        assert!(
            words.contains("3 processors") && words.contains("--kvm-cpus"),
            "{words}"
        );
        let words = refused(2049, 1);
        assert!(
            words.contains("2049 MiB") && words.contains("2 GiB"),
            "{words}"
        );
        let words = refused(u64::MAX / MEBIBYTE, 1);
        assert!(words.contains("this host has 2 GiB"), "{words}");
    }
}
