//! Limits that are numbers: which no kernel takes, wherever they are to be written.

use std::ops::RangeInclusive;

use crate::api::LinuxContainerResources;
use crate::error::CriError;

/// Shares of processor time, sched(7).
const SHARES: RangeInclusive<i64> = 2..=262_144;
/// Periods of processor time, in microseconds: from a millisecond to a second.
const PERIODS: RangeInclusive<i64> = 1000..=1_000_000;
/// Processor time in a period, in microseconds: from a millisecond to what the kernel can count.
const QUOTAS: RangeInclusive<i64> = 1000..=(1 << 44) - 1;
/// How soon the kernel kills when memory is short, proc(5).
const OOM_SCORES: RangeInclusive<i64> = -1000..=1000;

/// Refuses numbers that can't be limits. As the interface has it, 0 says nothing, and -1 stands for no limit.
///
/// # Errors
/// [`CriError::Invalid`].
pub(super) fn check(field: &str, asked: &LinuxContainerResources) -> Result<(), CriError> {
    let unlimited: &[i64] = &[0, -1];
    let numbers = [
        ("cpu_shares", asked.cpu_shares, SHARES, &[0][..]),
        ("cpu_period", asked.cpu_period, PERIODS, &[0][..]),
        ("cpu_quota", asked.cpu_quota, QUOTAS, unlimited),
        ("oom_score_adj", asked.oom_score_adj, OOM_SCORES, &[]),
    ];
    for (name, value, range, others) in numbers {
        if !range.contains(&value) && !others.contains(&value) {
            let (least, most) = range.into_inner();
            return Err(CriError::invalid(
                format!("{field}.{name}"),
                format!("{value} is not from {least} to {most}"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_that_a_kernel_takes() {
        type Set = fn(&mut LinuxContainerResources, i64);
        let fields: [(&str, Set, &[i64], &[i64]); 4] = [
            (
                "cpu_shares",
                |asked, value| asked.cpu_shares = value,
                &[0, 2, 1024, 262_144],
                &[-1, 1, 262_145, i64::MAX],
            ),
            (
                "cpu_period",
                |asked, value| asked.cpu_period = value,
                &[0, 1000, 100_000, 1_000_000],
                &[-1, 999, 1_000_001, i64::MIN],
            ),
            (
                "cpu_quota",
                |asked, value| asked.cpu_quota = value,
                &[0, -1, 1000, 150_000],
                &[-2, 999, 1 << 44],
            ),
            (
                "oom_score_adj",
                |asked, value| asked.oom_score_adj = value,
                &[0, -1000, -997, 1000],
                &[-1001, 1001, i64::MAX],
            ),
        ];
        for (field, set, good, bad) in fields {
            let of = |value: i64| {
                let mut asked = LinuxContainerResources::default();
                set(&mut asked, value);
                check("linux", &asked).map_err(|error| error.to_string())
            };
            good.iter().for_each(|value| of(*value).unwrap());
            for value in bad {
                let refused = of(*value).unwrap_err();
                let begin = format!("linux.{field}: {value} is not from ");
                assert!(refused.starts_with(&begin), "{refused}");
            }
        }
    }
}
