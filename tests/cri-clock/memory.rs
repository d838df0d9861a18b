//! What processes take of memory, in KiB.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;

/// All processes that there are.
pub(crate) fn processes() -> Result<BTreeSet<u32>, Box<dyn Error>> {
    let listed = fs::read_dir("/proc")?.flatten();
    let numbers = listed.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(numbers.collect())
}

/// What a process has in memory, and what of that is its share where it is not alone.
pub(crate) fn of(pid: u32) -> Result<(u64, u64), Box<dyn Error>> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let number = |name: &str| {
        let line = rollup.lines().find(|line| line.starts_with(name));
        let words = line.and_then(|line| line.split_whitespace().nth(1));
        words.and_then(|word| word.parse().ok()).unwrap_or(0)
    };
    Ok((number("Rss:"), number("Pss:")))
}

/// How many processes have come since, and what they take together: all but the server, and the apps of this name.
pub(crate) fn of_new(
    before: &BTreeSet<u32>,
    server: u32,
    app: &str,
) -> Result<(usize, u64, u64), Box<dyn Error>> {
    let mut sums = (0, 0, 0);
    for pid in processes()?.difference(before) {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        if *pid == server || name.trim_end() == app {
            continue;
        }
        if let Ok((resident, proportional)) = of(*pid) {
            sums = (sums.0 + 1, sums.1 + resident, sums.2 + proportional);
        }
    }
    Ok(sums)
}
