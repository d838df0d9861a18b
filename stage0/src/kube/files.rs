//! Files of pods in YAML.

use std::fs::File;
use std::io::{Read, stdin};

use pod_yaml::{Error, Finding, Source};

use crate::console::output;
use crate::wording::failure::Failure;

/// Bytes of a file.
const FILE_MAX: u64 = 16 << 20;

/// A file, as it was read.
#[derive(Debug)]
pub(crate) struct PodFile {
    name: String,
    text: String,
}

impl PodFile {
    /// Reads a file, or standard input for `-`.
    ///
    /// # Errors
    /// If it can't be read, or is no text.
    pub(crate) fn read(name: &str) -> Result<Self, Failure> {
        if name.starts_with("http://") || name.starts_with("https://") {
            return Err(Failure::Usage(format!(
                "{name} is not a file; `curl {name} | fairing play -` runs what is there"
            )));
        }
        let mut bytes = Vec::new();
        let (name, read) = match name {
            "-" => (
                "standard input",
                stdin().take(FILE_MAX + 1).read_to_end(&mut bytes),
            ),
            path => {
                let file = File::open(path).map_err(Failure::io("open", path))?;
                (path, file.take(FILE_MAX + 1).read_to_end(&mut bytes))
            }
        };
        read.map_err(Failure::io("read", name))?;
        if bytes.len() as u64 > FILE_MAX {
            return Err(Failure::Other(format!(
                "{name} is larger than {} MiB, the most that is read",
                FILE_MAX >> 20
            )));
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| Failure::Usage(format!("{name} is not UTF-8, so it is no YAML")))?;
        let name = name.to_owned();
        Ok(Self { name, text })
    }

    /// Reads several, in their order.
    ///
    /// # Errors
    /// As [`PodFile::read`], of the first that can't be read.
    pub(crate) fn read_all(names: &[String]) -> Result<Vec<Self>, Failure> {
        names.iter().map(|name| Self::read(name)).collect()
    }

    /// What is read.
    pub(crate) fn source(&self) -> Source<'_> {
        Source {
            name: &self.name,
            text: &self.text,
        }
    }
}

/// What is wrong with files: all but the last of it is told here.
pub(crate) fn refused(Error(findings): Error) -> Failure {
    let mut findings = findings.into_iter();
    let last = findings.next_back();
    for finding in findings {
        output::failure(&finding.to_string());
    }
    Failure::Usage(last.as_ref().map(Finding::to_string).unwrap_or_default())
}
