//! The environment of an app: from its image, then from files, then from flags.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use pod::activation;

use crate::failure::Failure;

/// Where programs are looked for if the image doesn't say.
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Largest file of variables, in bytes.
const FILE_MAX: u64 = 1 << 20;

/// Variables, each name once, in the order in which the names first came.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    entries: Vec<String>,
}

impl Environment {
    /// Sets a variable by `KEY=VALUE`, over what was set before.
    fn set(&mut self, entry: String) {
        let name = name_of(&entry);
        match self.entries.iter_mut().find(|old| name_of(old) == name) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
    }

    /// Sets a variable as a user gives it: `KEY=VALUE`, or `KEY` for the value that `inherited` gives;
    /// nothing if it gives none.
    ///
    /// # Errors
    /// What is wrong with the entry.
    fn set_given(
        &mut self,
        given: &str,
        inherited: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(), &'static str> {
        let name = name_of(given);
        if name.is_empty() {
            return Err("it has no name before `=`");
        }
        if given.contains('\0') {
            return Err("it holds a zero byte");
        }
        if activation::VARIABLES.contains(&name) {
            return Err(
                "it tells of sockets that a service manager hands over, and is set with them",
            );
        }
        if given.len() > name.len() {
            self.set(given.to_owned());
        } else if let Some(value) = inherited(name) {
            self.set(format!("{name}={value}"));
        }
        Ok(())
    }

    /// Sets what `--env` gives, over what was set before.
    fn set_all(&mut self, given: &[String]) -> Result<(), Failure> {
        for entry in given {
            self.set_given(entry, &own).map_err(|reason| {
                Failure::Usage(format!("--env {entry:?} makes no sense: {reason}"))
            })?;
        }
        Ok(())
    }

    /// The entries, with a `PATH`.
    fn finish(mut self) -> Vec<String> {
        if !self.entries.iter().any(|entry| name_of(entry) == "PATH") {
            self.entries.insert(0, DEFAULT_PATH.to_owned());
        }
        self.entries
    }
}

/// A variable of this process.
fn own(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn name_of(entry: &str) -> &str {
    entry.split_once('=').map_or(entry, |(name, _)| name)
}

/// Puts the environment of an app together.
///
/// # Errors
/// [`Failure::Usage`] for an entry that makes no sense, [`Failure::Io`] for a file that can't be read.
pub(crate) fn build(
    image: &[String],
    files: &[impl AsRef<Path>],
    given: &[String],
) -> Result<Vec<String>, Failure> {
    let mut environment = Environment::default();
    for entry in image {
        // An image may hold anything; what is no variable is left out, as other runtimes do.
        if !name_of(entry).is_empty() && entry.contains('=') && !entry.contains('\0') {
            environment.set(entry.clone());
        }
    }
    for path in files {
        let path = path.as_ref();
        read_file(&mut environment, path, &read(path)?, &own)?;
    }
    environment.set_all(given)?;
    Ok(environment.finish())
}

/// What a user adds to an environment that is there already.
///
/// # Errors
/// [`Failure::Usage`] for an entry that makes no sense.
pub(crate) fn given(given: &[String]) -> Result<Vec<String>, Failure> {
    let mut environment = Environment::default();
    environment.set_all(given)?;
    Ok(environment.entries)
}

fn read(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let file = File::open(path).map_err(Failure::io("open", path))?;
    file.take(FILE_MAX + 1)
        .read_to_string(&mut text)
        .map_err(Failure::io("read", path))?;
    if text.len() as u64 > FILE_MAX {
        return Err(Failure::Other(format!(
            "{} is larger than {FILE_MAX} bytes: no file of variables",
            path.display()
        )));
    }
    Ok(text)
}

/// One variable a line; empty lines and those that begin with `#` or `;` are comments.
fn read_file(
    environment: &mut Environment,
    path: &Path,
    text: &str,
    inherited: &dyn Fn(&str) -> Option<String>,
) -> Result<(), Failure> {
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        environment.set_given(line, inherited).map_err(|reason| {
            Failure::Usage(format!(
                "{}, line {}: {line:?} makes no sense: {reason}",
                path.display(),
                number + 1
            ))
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(entries: &[&str]) -> Vec<String> {
        entries.iter().map(|e| (*e).to_owned()).collect()
    }

    #[test]
    fn later_sources_override_earlier_ones() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("env");
        std::fs::write(&file, "# comment\n; too\n\nA=file\nB=f=g\n").unwrap();
        let image = owned(&["A=image", "C=image", "PATH=/x"]);
        let env = build(&image, &[&file], &owned(&["C=flag", "D="])).unwrap();
        assert_eq!(env, ["A=file", "C=flag", "PATH=/x", "B=f=g", "D="]);
    }

    #[test]
    fn a_path_is_always_there() {
        let env = build(&[], &[] as &[&Path], &[]).unwrap();
        assert_eq!(env, [DEFAULT_PATH]);
    }

    #[test]
    fn a_bare_name_takes_the_callers_value() {
        let mut environment = Environment::default();
        let inherited = |name: &str| (name == "TERM").then(|| "xterm".to_owned());
        environment.set_given("TERM", &inherited).unwrap();
        environment.set_given("UNSET", &inherited).unwrap();
        assert_eq!(environment.entries, ["TERM=xterm"]);
    }

    #[test]
    fn nonsense_is_named_with_its_place() {
        assert!(build(&[], &[] as &[&Path], &owned(&["=x"])).is_err());
        let mut environment = Environment::default();
        for name in activation::VARIABLES {
            for entry in [name.to_owned(), format!("{name}=1")] {
                let error = build(&[], &[] as &[&Path], &[entry]).unwrap_err();
                assert!(error.to_string().contains(name), "{error}");
            }
        }
        let error = read_file(&mut environment, Path::new("/e"), "A=1\n=x", &|_| None).unwrap_err();
        assert!(error.to_string().starts_with("/e, line 2: "), "{error}");
    }

    #[test]
    fn what_an_image_holds_can_not_break_the_environment() {
        let image = owned(&["=x", "novalue", "Z=\0", "GOOD=1"]);
        let env = build(&image, &[] as &[&Path], &[]).unwrap();
        assert_eq!(env, [DEFAULT_PATH, "GOOD=1"]);
    }
}
