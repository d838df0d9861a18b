//! The logs of several apps as one, in the order in which they wrote.

use std::path::Path;

use pod::AppName;
use pod::manifest::app_dir;

use super::files::LogFiles;
use super::line::LogLine;
use crate::error::Error;

/// Several logs, read as one.
#[derive(Debug)]
pub struct LogMerge {
    logs: Vec<Source>,
}

#[derive(Debug)]
struct Source {
    log: LogFiles,
    /// Read and not yet given.
    head: Option<LogLine>,
    /// Whether its end was met in this round.
    is_at_end: bool,
}

impl Source {
    fn time(&self) -> Option<&str> {
        self.head.as_ref().map(|line| line.time.as_str())
    }
}

impl LogMerge {
    /// Opens the logs of these apps in a pod's directory.
    ///
    /// # Errors
    /// If a file can't be opened.
    pub fn open(pod: &Path, apps: &[AppName]) -> Result<Self, Error> {
        let mut merge = Self { logs: Vec::new() };
        for app in apps {
            merge.add(pod, app)?;
        }
        Ok(merge)
    }

    /// Opens the log of one more app. It gets the next number.
    ///
    /// # Errors
    /// If a file can't be opened.
    pub fn add(&mut self, pod: &Path, app: &AppName) -> Result<(), Error> {
        self.logs.push(Source {
            log: LogFiles::open(app_dir(pod, app))?,
            head: None,
            is_at_end: false,
        });
        Ok(())
    }

    /// Goes to where the last `tail` whole lines begin. To be called before anything is read.
    ///
    /// # Errors
    /// If a file can't be read.
    pub fn skip_to_tail(&mut self, tail: u64) -> Result<(), Error> {
        let mut lines = 0_u64;
        for source in &mut self.logs {
            lines = lines.saturating_add(source.log.count()?);
        }
        let mut left = lines.saturating_sub(tail);
        while left > 0 {
            let Some((_, line)) = self.next_line()? else {
                break;
            };
            // The end of a line counts it; parts before belong to it.
            left -= u64::from(!line.is_partial);
        }
        Ok(())
    }

    /// Looks for more than there was.
    pub fn read_on(&mut self) {
        for source in &mut self.logs {
            source.is_at_end = false;
        }
    }

    /// The earliest entry that was not given yet, and the number of its app; `None` if there is none
    /// in this round. Entries of one app keep their order.
    ///
    /// # Errors
    /// If a file can't be read.
    pub fn next_line(&mut self) -> Result<Option<(usize, LogLine)>, Error> {
        for source in &mut self.logs {
            if source.head.is_none() && !source.is_at_end {
                source.head = source.log.next()?;
                source.is_at_end = source.head.is_none();
            }
        }
        let heads = self.logs.iter_mut().enumerate();
        // RFC 3339 with nanoseconds sorts as text.
        let first = heads
            .filter(|(_, source)| source.head.is_some())
            .min_by(|(_, a), (_, b)| a.time().cmp(&b.time()));
        Ok(first.and_then(|(at, source)| Some((at, source.head.take()?))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A pod whose apps have logs with these tags, a second apart from each other.
    fn pod(logs: &[(&str, &str)]) -> (tempfile::TempDir, Vec<AppName>) {
        let dir = tempfile::tempdir().unwrap();
        let mut apps = Vec::new();
        for (number, (name, tags)) in logs.iter().enumerate() {
            let app: AppName = name.parse().unwrap();
            let folder = app_dir(dir.path(), &app);
            fs::create_dir_all(&folder).unwrap();
            let line =
                |(at, tag)| format!("2026-01-02T03:04:{at:02}.{number}Z stdout {tag} {at}\n");
            let text: String = tags.chars().enumerate().map(line).collect();
            fs::write(folder.join("log"), text).unwrap();
            apps.push(app);
        }
        (dir, apps)
    }

    fn rest(merge: &mut LogMerge) -> Vec<(usize, String)> {
        std::iter::from_fn(|| merge.next_line().unwrap())
            .map(|(app, line)| (app, String::from_utf8(line.text).unwrap()))
            .collect()
    }

    #[test]
    fn the_tail_counts_whole_lines() {
        for (tags, tail, skipped) in [
            ("FFF", 2, 1),
            ("FFF", 9, 0),
            ("FFF", 0, 3),
            ("FPPF", 1, 1),
            ("FPPFP", 1, 1),
            ("FPPFP", 0, 4),
        ] {
            let (dir, apps) = pod(&[("one", tags)]);
            let mut merge = LogMerge::open(dir.path(), &apps).unwrap();
            merge.skip_to_tail(tail).unwrap();
            assert_eq!(
                rest(&mut merge).len(),
                tags.len() - skipped,
                "{tags} {tail}"
            );
        }
    }

    #[test]
    fn logs_are_merged_by_time_and_read_on() {
        let (dir, apps) = pod(&[("one", "FF"), ("two", "FFF")]);
        let mut merge = LogMerge::open(dir.path(), &apps).unwrap();
        merge.skip_to_tail(4).unwrap();
        let shown: Vec<usize> = rest(&mut merge).into_iter().map(|(app, _)| app).collect();
        assert_eq!(shown, [1, 0, 1, 1]);
        let log = app_dir(dir.path(), &apps[0]).join("log");
        let more = "2026-01-02T03:05:00Z stderr F more\n";
        let text = fs::read_to_string(&log).unwrap() + more;
        fs::write(&log, text).unwrap();
        assert!(rest(&mut merge).is_empty(), "not before it is asked for");
        merge.read_on();
        assert_eq!(rest(&mut merge), [(0, "more".to_owned())]);
    }
}
