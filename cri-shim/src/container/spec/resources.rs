//! Limits, from the interface's words and back.

use pod::manifest::{App, Cpu, HugepageLimit, Limit, Memory, Pids, Resources};

use super::{limit_ranges, limit_words, node_limits};
use crate::api::{self, LinuxContainerResources};
use crate::error::CriError;

/// The limits that are asked for. As the interface has it, 0 says nothing.
///
/// # Errors
/// If one makes no sense.
pub(crate) fn limits(field: &str, asked: &LinuxContainerResources) -> Result<Resources, CriError> {
    limit_words::check(field, asked)?;
    limit_ranges::check(field, asked)?;
    let of = |name: &str, value: i64| whole(&format!("{field}.{name}"), value);
    let limit = |name: &str, value: i64| match value {
        -1 => Ok(Some(Limit::Unlimited)),
        value => of(name, value).map(|value| value.map(Limit::At)),
    };
    let huge = asked.hugepage_limits.iter().map(|huge| HugepageLimit {
        page_size: huge.page_size.clone(),
        limit: huge.limit,
    });
    let resources = Resources {
        memory: Memory {
            limit: limit("memory_limit_in_bytes", asked.memory_limit_in_bytes)?,
            swap: limit(
                "memory_swap_limit_in_bytes",
                asked.memory_swap_limit_in_bytes,
            )?,
            ..Memory::default()
        },
        cpu: Cpu {
            shares: of("cpu_shares", asked.cpu_shares)?,
            quota: limit("cpu_quota", asked.cpu_quota)?,
            period: of("cpu_period", asked.cpu_period)?,
            cpus: asked.cpuset_cpus.clone(),
            mems: asked.cpuset_mems.clone(),
        },
        hugepage_limits: huge.collect(),
        unified: asked.unified.clone(),
        ..Resources::default()
    };
    // All that can contradict itself here.
    resources
        .check()
        .map_err(|error| CriError::invalid(format!("{field}.memory_swap_limit_in_bytes"), error))?;
    Ok(resources)
}

/// The same, and as many processes as the pod may have: a kubelet limits those of whole pods.
pub(crate) fn limits_of_new(
    field: &str,
    asked: &LinuxContainerResources,
) -> Result<Resources, CriError> {
    Ok(Resources {
        pids: Pids {
            limit: Some(Limit::Unlimited),
        },
        ..limits(field, asked)?
    })
}

/// The same in a virtual machine, which has no huge pages of the host: kubelets say of each size that a container has none.
pub(crate) fn in_machine(mut limits: Resources) -> Resources {
    limits.hugepage_limits.retain(|huge| huge.limit > 0);
    limits
}

/// Refuses limits of what this node doesn't have.
///
/// # Errors
/// By the field.
pub(crate) fn of_node(field: &str, asked: &LinuxContainerResources) -> Result<(), CriError> {
    node_limits::check(field, asked)
}

/// How soon the kernel kills it when memory is short, of limits that make sense.
pub(crate) fn oom_score(asked: &LinuxContainerResources) -> Option<i16> {
    i16::try_from(asked.oom_score_adj).ok()
}

fn whole(field: &str, value: i64) -> Result<Option<u64>, CriError> {
    match u64::try_from(value) {
        Ok(0) => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(_) => Err(CriError::invalid(field, format!("{value} is negative"))),
    }
}

/// The limits that an app has, in the interface's words.
pub(crate) fn told(app: &App) -> LinuxContainerResources {
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let limit = |limit: Option<Limit>| match limit {
        None => 0,
        Some(Limit::Unlimited) => -1,
        Some(Limit::At(value)) => number(value),
    };
    let resources = &app.resources;
    let huge = resources.hugepage_limits.iter();
    let huge = huge.map(|huge| api::HugepageLimit {
        page_size: huge.page_size.clone(),
        limit: huge.limit,
    });
    LinuxContainerResources {
        cpu_period: resources.cpu.period.map_or(0, number),
        cpu_quota: limit(resources.cpu.quota),
        cpu_shares: resources.cpu.shares.map_or(0, number),
        memory_limit_in_bytes: limit(resources.memory.limit),
        oom_score_adj: app.execution.oom_score_adj.unwrap_or_default().into(),
        cpuset_cpus: resources.cpu.cpus.clone(),
        cpuset_mems: resources.cpu.mems.clone(),
        hugepage_limits: huge.collect(),
        unified: resources.unified.clone(),
        memory_swap_limit_in_bytes: limit(resources.memory.swap),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_nothing_and_less_than_nothing_is_refused() {
        let of = |change: fn(&mut LinuxContainerResources)| {
            let mut asked = LinuxContainerResources::default();
            change(&mut asked);
            limits("linux", &asked).map_err(|error| error.to_string())
        };
        assert!(of(|_| ()).unwrap().is_unlimited());
        let some = of(|asked| {
            asked.memory_limit_in_bytes = 1 << 20;
            asked.memory_swap_limit_in_bytes = 1 << 21;
            asked.cpu_quota = -1;
            asked.cpu_shares = 512;
        })
        .unwrap();
        assert_eq!(some.memory.limit, Some(Limit::At(1 << 20)));
        assert_eq!(some.cpu.quota, Some(Limit::Unlimited));
        assert_eq!(some.cpu.shares, Some(512));
        let refused = of(|asked| asked.cpu_shares = -5).unwrap_err();
        assert!(refused.starts_with("linux.cpu_shares: "), "{refused}");
        let refused = of(|asked| asked.memory_swap_limit_in_bytes = 5).unwrap_err();
        assert!(
            refused.starts_with("linux.memory_swap_limit_in_bytes: "),
            "{refused}"
        );
        let refused = of(|asked| asked.oom_score_adj = 1001).unwrap_err();
        assert!(refused.starts_with("linux.oom_score_adj: "), "{refused}");
    }

    #[test]
    fn no_huge_pages_are_what_a_machine_has() {
        let asked = |limit| LinuxContainerResources {
            hugepage_limits: vec![api::HugepageLimit {
                page_size: "2MB".to_owned(),
                limit,
            }],
            ..LinuxContainerResources::default()
        };
        let of = |limit| in_machine(limits("linux", &asked(limit)).unwrap());
        assert!(of(0).hugepage_limits.is_empty());
        assert_eq!(of(1 << 21).hugepage_limits.len(), 1);
    }
}
