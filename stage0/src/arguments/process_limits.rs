//! What processes are limited by beside their cgroup, as people write it.

use pod::manifest::{Rlimit, RlimitKind};

/// A value of `--ulimit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ulimit {
    /// All as the caller has them, which they are.
    Host,
    /// One limit.
    One(Rlimit),
}

/// Parses `NAME=SOFT[:HARD]`, or `host`.
pub(crate) fn ulimit(text: &str) -> Result<Ulimit, String> {
    if text == "host" {
        return Ok(Ulimit::Host);
    }
    let (name, values) = text
        .split_once('=')
        .ok_or("a limit is NAME=SOFT[:HARD], such as nofile=1024:4096")?;
    let kind = RlimitKind::named(name).ok_or_else(|| {
        let names = RlimitKind::ALL
            .iter()
            .filter_map(|kind| kind.word().strip_prefix("RLIMIT_"));
        let names: Vec<_> = names.map(str::to_ascii_lowercase).collect();
        format!("there is no limit `{name}`; there are {}", names.join(", "))
    })?;
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let (soft, hard) = (bound(soft)?, bound(hard)?);
    match soft <= hard {
        true => Ok(Ulimit::One(Rlimit { kind, soft, hard })),
        false => Err(format!(
            "the soft limit {soft} is above the hard limit {hard}"
        )),
    }
}

/// A number; -1 and `unlimited` are what the kernel writes as the highest one.
fn bound(text: &str) -> Result<u64, String> {
    match text {
        "-1" | "unlimited" => Ok(u64::MAX),
        _ => text
            .parse()
            .map_err(|_| format!("`{text}` is no limit: a number, or -1 for none")),
    }
}

/// Parses an adjustment of the OOM score.
pub(crate) fn oom_score(text: &str) -> Result<i16, String> {
    let score = text.parse().ok();
    score
        .filter(|score| (-1000..=1000).contains(score))
        .ok_or_else(|| "it must be a number from -1000 (never) to 1000".to_owned())
}

/// Parses a file mode creation mask.
pub(crate) fn umask(text: &str) -> Result<u32, String> {
    let mask = u32::from_str_radix(text, 8).ok();
    mask.filter(|mask| *mask <= 0o777)
        .ok_or_else(|| format!("`{text}` is no mask in octal, such as 0027"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_have_the_names_of_setrlimit() {
        let limit = |kind, soft, hard| Ok(Ulimit::One(Rlimit { kind, soft, hard }));
        assert_eq!(ulimit("host"), Ok(Ulimit::Host));
        assert_eq!(ulimit("nofile=10:20"), limit(RlimitKind::Nofile, 10, 20));
        assert_eq!(ulimit("RLIMIT_CORE=0"), limit(RlimitKind::Core, 0, 0));
        assert_eq!(
            ulimit("core=-1"),
            limit(RlimitKind::Core, u64::MAX, u64::MAX)
        );
        for (bad, part) in [
            ("nofile", "NAME=SOFT"),
            ("files=1", "nofile, nproc"),
            ("nofile=20:10", "above"),
            ("nofile=-1:10", "above"),
            ("nofile=x", "no limit"),
            ("nofile=1:2:3", "no limit"),
        ] {
            let error = ulimit(bad).unwrap_err();
            assert!(error.contains(part), "{bad}: {error}");
        }
    }

    #[test]
    fn scores_and_masks_have_bounds() {
        assert_eq!(oom_score("-1000"), Ok(-1000));
        assert_eq!(umask("0027"), Ok(0o27));
        for bad in ["1001", "-1001", "x", ""] {
            oom_score(bad).unwrap_err();
        }
        for bad in ["8", "1000", "-1", ""] {
            umask(bad).unwrap_err();
        }
    }
}
