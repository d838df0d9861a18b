//! What is told of a file: what it says and nobody here does.

use std::cell::RefCell;
use std::fmt;

/// Something about a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// In which file.
    pub file: String,
    /// In which line, from 1 on.
    pub line: usize,
    /// Which field: `spec.containers[0].image`, with what it is a part of before it.
    pub path: String,
    /// What is to be said of it.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        match self.path.is_empty() {
            true => f.write_str(&self.text),
            false => write!(f, "{}: {}", self.path, self.text),
        }
    }
}

/// Where something stands that is looked at later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) path: String,
}

impl Place {
    pub(crate) fn finding(&self, text: impl fmt::Display) -> Finding {
        Finding {
            file: self.file.clone(),
            line: self.line,
            path: self.path.clone(),
            text: text.to_string(),
        }
    }

    /// What is wrong with it.
    pub(crate) fn wrong(&self, text: impl fmt::Display) -> Error {
        self.finding(text).into()
    }
}

/// Why nothing comes of a file: at least one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(pub Vec<Finding>);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, finding) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("; ")?;
            }
            finding.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<Finding> for Error {
    fn from(finding: Finding) -> Self {
        Self(vec![finding])
    }
}

/// Most of a kind that are told.
const MOST: usize = 100;

/// What is found while a file is read. Reading goes on after what is refused, so that all of it is told at once.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// The file that is read.
    pub(crate) file: String,
    refused: RefCell<Vec<Finding>>,
    ignored: RefCell<Vec<Finding>>,
}

impl Findings {
    /// Those of a file.
    pub(crate) fn of(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            ..Self::default()
        }
    }

    /// The documents of the file.
    pub(crate) fn documents(&self, text: &str) -> Result<Vec<yaml::Node>, Error> {
        yaml::documents(text).map_err(|error| {
            let (file, line) = (self.file.clone(), error.line);
            let (path, text) = (String::new(), error.reason);
            Finding {
                file,
                line,
                path,
                text,
            }
            .into()
        })
    }

    pub(crate) fn refuse(&self, finding: Finding) {
        keep(&mut self.refused.borrow_mut(), finding);
    }

    pub(crate) fn ignore(&self, finding: Finding) {
        keep(&mut self.ignored.borrow_mut(), finding);
    }

    /// What was made of the file, and what of it is ignored.
    ///
    /// # Errors
    /// What was refused, and `made` if it is.
    pub(crate) fn judge<T>(self, made: Result<T, Error>) -> Result<(T, Vec<Finding>), Error> {
        let mut refused = self.refused.into_inner();
        match made {
            Ok(made) if refused.is_empty() => Ok((made, self.ignored.into_inner())),
            Ok(_) => Err(Error(refused)),
            Err(Error(last)) => {
                refused.extend(last);
                Err(Error(refused))
            }
        }
    }
}

fn keep(all: &mut Vec<Finding>, finding: Finding) {
    if all.len() < MOST && !all.contains(&finding) {
        all.push(finding);
    }
}
