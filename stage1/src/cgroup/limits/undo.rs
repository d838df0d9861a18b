//! What files of a cgroup said before limits were changed: a change that fails half-way is taken back.

use std::path::{Path, PathBuf};

use crate::cgroup::directory;
use crate::cgroup::error::CgroupError;

/// What to write so that a cgroup is limited as it was. Nothing of it is kept on disk: it is for a failure, not for a crash.
#[derive(Debug, Default)]
pub(in crate::cgroup) struct Undo {
    writes: Vec<(PathBuf, String)>,
}

impl Undo {
    /// Reads what a file says, to which `value` is about to be written. One that is not there has nothing to undo.
    pub(super) fn note(&mut self, path: &Path, value: &str) {
        if let Ok(text) = directory::read(path) {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            self.writes
                .push((path.to_path_buf(), earlier(&file, &text, value)));
        }
    }

    /// Takes a change back that has failed, and says what came of that.
    pub(in crate::cgroup) fn after(&self, failure: CgroupError) -> CgroupError {
        let reason = Box::new(failure);
        match self.write_all() {
            None => CgroupError::TakenBack(reason),
            Some(path) => CgroupError::HalfChanged { reason, path },
        }
    }

    /// One file may say no until another is as it was: memory, and memory and swap together. So what fails is tried once
    /// more. The result is what could not be written.
    fn write_all(&self) -> Option<PathBuf> {
        let is_written = |(path, text): &&(PathBuf, String)| directory::write(path, text).is_ok();
        let failed = self.writes.iter().rev().filter(|write| !is_written(write));
        let failed: Vec<_> = failed.collect();
        let still = failed.into_iter().find(|write| !is_written(write));
        still.map(|(path, _)| path.clone())
    }
}

/// What to write to a file that said `text`, so that it says so again after `value` was written.
fn earlier(file: &str, text: &str, value: &str) -> String {
    let device = value.split_once(' ').filter(|(key, _)| key.contains(':'));
    let is_weight = file.ends_with("weight") || file.ends_with("weight_device");
    match device {
        // A line for each device; one of which nothing was said has no line.
        Some((device, written)) => {
            let is_same = |line: &&str| line.split(' ').next() == Some(device);
            let line = text.lines().find(is_same).map(str::to_owned);
            line.unwrap_or_else(|| match written.split_once('=') {
                Some((key, _)) => format!("{device} {key}=max"),
                None if is_weight => format!("{device} default"),
                None => format!("{device} 0"),
            })
        }
        // Lines of devices may follow.
        None if is_weight => text.lines().next().unwrap_or_default().to_owned(),
        // With its end of line: a list may be empty, and nothing at all is not written.
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_again_what_it_said() {
        for (file, text, value, earlier_value) in [
            ("memory.max", "max\n", "4096", "max\n"),
            ("cpuset.cpus", "\n", "0", "\n"),
            ("cpu.weight", "100\n", "", "100"),
            ("io.weight", "default 100\n8:0 200\n", "4950", "default 100"),
            ("io.weight", "default 100\n8:0 200\n", "8:0 7", "8:0 200"),
            ("io.bfq.weight", "default 100\n", "8:0 7", "8:0 default"),
            ("blkio.bfq.weight_device", "", "8:0 7", "8:0 default"),
            (
                "io.max",
                "8:0 rbps=1 wbps=max riops=max wiops=2\n",
                "8:0 rbps=7",
                "8:0 rbps=1 wbps=max riops=max wiops=2",
            ),
            ("io.max", "8:16 rbps=1\n", "8:1 rbps=7", "8:1 rbps=max"),
            ("blkio.throttle.read_bps_device", "", "8:0 7", "8:0 0"),
            (
                "blkio.throttle.read_bps_device",
                "8:0 5\n",
                "8:0 7",
                "8:0 5",
            ),
        ] {
            assert_eq!(earlier(file, text, value), earlier_value, "{file}: {value}");
        }
    }

    #[test]
    fn what_can_not_be_taken_back_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pids.max");
        std::fs::write(&file, "max\n").unwrap();
        let mut undo = Undo::default();
        undo.note(&file, "5");
        undo.note(&folder.path().join("memory.max"), "4096");
        std::fs::write(&file, "5").unwrap();
        let failed = || CgroupError::NoController("cpu");
        let told = undo.after(failed()).to_string();
        assert!(told.ends_with("no limit was changed"), "{told}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "max\n");
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        let told = undo.after(failed()).to_string();
        assert!(told.contains("pids.max could not be set back"), "{told}");
    }
}
