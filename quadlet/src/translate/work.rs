//! What a file is made into a unit by.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::finding::Findings;
use crate::index::{Index, Parsed};
use crate::settings::Settings;
use crate::unit_file::{Entry, Word};

/// What a file is made into a unit by.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub(crate) parsed: &'a Parsed<'a>,
    pub(crate) index: &'a Index<'a>,
    pub(crate) settings: &'a Settings,
    pub(crate) findings: Findings<'a>,
    pub(crate) needs: Needs,
}

/// What a unit needs of others.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// Units that must have started.
    pub(crate) units: BTreeSet<String>,
    /// The files that these are made of.
    pub(crate) files: Vec<NeededFile>,
    /// Paths whose filesystems must be mounted.
    pub(crate) mounts: BTreeSet<Word>,
}

/// A file without whose unit another one can't start.
#[derive(Debug, Clone)]
pub(crate) struct NeededFile {
    /// As it is named.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Where it is named.
    pub(crate) entry: Entry,
}

impl<'a> Work<'a> {
    pub(crate) fn new(
        parsed: &'a Parsed<'a>,
        index: &'a Index<'a>,
        settings: &'a Settings,
    ) -> Self {
        Self {
            parsed,
            index,
            settings,
            findings: Findings::new(&parsed.source.path, Some(parsed.service.clone())),
            needs: Needs::default(),
        }
    }

    /// The directory that the file is in.
    pub(crate) fn directory(&self) -> &'a Path {
        self.parsed.source.path.parent().unwrap_or(Path::new("/"))
    }

    /// A path that may be relative to the file.
    pub(crate) fn path(&self, text: &str) -> Word {
        // Specifiers, such as %h, give absolute ones.
        match text.starts_with(['/', '%']) {
            true => Word::written(text),
            false => {
                let directory = self.directory().display().to_string();
                let text = text.strip_prefix("./").unwrap_or(text);
                Word::written(text).after(&format!("{}/", Word::literal(&directory).as_str()))
            }
        }
    }

    pub(crate) fn program(&self) -> String {
        self.settings.program.display().to_string()
    }
}
