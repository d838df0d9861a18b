//! Which pod a command is about.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Command};

use crate::wording::failure::Failure;

/// One pod.
#[derive(Debug, Args)]
pub(crate) struct OnePod {
    /// Name or UUID of the pod, or the beginning of its UUID
    #[arg(value_name = "POD", required_unless_present = "uuid_file")]
    #[arg(conflicts_with = "uuid_file")]
    pod: Option<String>,
    /// File that holds the UUID, as --uuid-file-save writes it
    #[arg(long, value_name = "FILE")]
    uuid_file: Option<PathBuf>,
}

/// Any number of pods.
#[derive(Debug, Args)]
pub(crate) struct Pods {
    /// Names or UUIDs of pods, or the beginnings of UUIDs
    #[arg(value_name = "POD", required_unless_present_any = ["uuid_file", "all"])]
    pods: Vec<String>,
    /// File that holds the UUID of one more, as --uuid-file-save writes it
    #[arg(long, value_name = "FILE", alias = "cidfile")]
    uuid_file: Option<PathBuf>,
    /// All pods that can be meant
    #[arg(short, long, conflicts_with_all = ["pods", "uuid_file"])]
    pub(crate) all: bool,
    /// Pods that are not there are no failure
    #[arg(short, long)]
    pub(crate) ignore: bool,
}

/// Takes the short forms of these flags away from a command: other tools have the letters for something else there.
pub(crate) fn without_letters(command: Command, flags: &[&str]) -> Command {
    flags.iter().fold(command, |command, flag| {
        command.mut_arg(flag, |arg| arg.short(None))
    })
}

impl OnePod {
    /// What the user calls the pod.
    ///
    /// # Errors
    /// If the file can't be read.
    pub(crate) fn selector(self) -> Result<String, Failure> {
        match (self.pod, self.uuid_file) {
            (Some(pod), _) => Ok(pod),
            (None, Some(file)) => read(file),
            (None, None) => Ok(String::new()),
        }
    }
}

impl Pods {
    /// This one.
    pub(crate) fn one(pod: String) -> Self {
        Self {
            pods: vec![pod],
            uuid_file: None,
            all: false,
            ignore: false,
        }
    }

    /// All that can be meant.
    pub(crate) fn all() -> Self {
        Self {
            pods: Vec::new(),
            uuid_file: None,
            all: true,
            ignore: false,
        }
    }

    /// Whether some are named.
    pub(crate) fn are_named(&self) -> bool {
        !self.pods.is_empty() || self.uuid_file.is_some()
    }

    /// What the user calls the pods.
    ///
    /// # Errors
    /// If the file can't be read.
    pub(crate) fn selectors(self) -> Result<Vec<String>, Failure> {
        let mut selectors = self.pods;
        if let Some(file) = self.uuid_file {
            selectors.push(read(file)?);
        }
        Ok(selectors)
    }
}

fn read(file: PathBuf) -> Result<String, Failure> {
    let text = fs::read_to_string(&file).map_err(Failure::io("read", &file))?;
    Ok(text.trim().to_owned())
}
