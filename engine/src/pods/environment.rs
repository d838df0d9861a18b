//! The environment of an app: what its image says, overridden by what is asked for.

use std::fmt;

use pod::activation;

/// Where programs are looked for if the image doesn't say.
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A variable that an app can be given: `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable(String);

/// Why a text does not name a variable that an app can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidVariable {
    /// Nothing stands before the `=`.
    #[error("it has no name before `=`")]
    NoName,
    /// It can't be handed to a program.
    #[error("it holds a NUL byte")]
    ZeroByte,
    /// It belongs to a protocol that the isolator speaks.
    #[error("it announces sockets that a service manager passes on, and is set with them")]
    Reserved,
}

impl Variable {
    /// Parses what a user gives: `KEY=VALUE`, or `KEY` for the value that `inherited` gives; `None` if it gives
    /// none.
    ///
    /// # Errors
    /// [`InvalidVariable`].
    pub fn parse(
        given: &str,
        inherited: impl FnOnce(&str) -> Option<String>,
    ) -> Result<Option<Self>, InvalidVariable> {
        let name = name_of(given);
        if name.is_empty() {
            return Err(InvalidVariable::NoName);
        }
        if given.contains('\0') {
            return Err(InvalidVariable::ZeroByte);
        }
        if activation::VARIABLES.contains(&name) {
            return Err(InvalidVariable::Reserved);
        }
        if given.len() > name.len() {
            return Ok(Some(Self(given.to_owned())));
        }
        Ok(inherited(name).map(|value| Self(format!("{name}={value}"))))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        name_of(&self.0)
    }

    /// As `KEY=VALUE`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Variables, each name once, in the order in which the names first came.
#[derive(Debug, Default)]
struct Environment {
    entries: Vec<String>,
}

impl Environment {
    /// Sets a variable by `KEY=VALUE`, over what was set before.
    fn set(&mut self, entry: &str) {
        let name = name_of(entry);
        match self.entries.iter_mut().find(|old| name_of(old) == name) {
            Some(old) => entry.clone_into(old),
            None => self.entries.push(entry.to_owned()),
        }
    }
}

fn name_of(entry: &str) -> &str {
    entry.split_once('=').map_or(entry, |(name, _)| name)
}

/// Puts the environment of an app together. There is always a `PATH`.
pub(super) fn build(inherited: &[Variable], image: &[String], given: &[Variable]) -> Vec<String> {
    let mut environment = Environment::default();
    for variable in inherited {
        environment.set(variable.as_str());
    }
    for entry in image {
        // An image may hold anything; what is no variable is left out, as other runtimes do.
        if !name_of(entry).is_empty() && entry.contains('=') && !entry.contains('\0') {
            environment.set(entry);
        }
    }
    for variable in given {
        environment.set(variable.as_str());
    }
    let mut entries = environment.entries;
    if !entries.iter().any(|entry| name_of(entry) == "PATH") {
        entries.insert(0, DEFAULT_PATH.to_owned());
    }
    entries
}

/// What is added to an environment that is there already: each name once, as it was given last.
pub fn merged(given: &[Variable]) -> Vec<String> {
    let mut environment = Environment::default();
    for variable in given {
        environment.set(variable.as_str());
    }
    environment.entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(entries: &[&str]) -> Vec<String> {
        entries.iter().map(|e| (*e).to_owned()).collect()
    }

    fn variables(entries: &[&str]) -> Vec<Variable> {
        let parse = |entry: &&str| Variable::parse(entry, |_| None).unwrap().unwrap();
        entries.iter().map(parse).collect()
    }

    #[test]
    fn later_sources_override_earlier_ones() {
        let image = owned(&["A=image", "C=image", "PATH=/x"]);
        let given = variables(&["A=file", "B=f=g", "C=flag", "D="]);
        let env = build(&[], &image, &given);
        assert_eq!(env, ["A=file", "C=flag", "PATH=/x", "B=f=g", "D="]);
        assert_eq!(merged(&variables(&["A=1", "B=2", "A=3"])), ["A=3", "B=2"]);
    }

    #[test]
    fn a_path_is_always_there() {
        assert_eq!(build(&[], &[], &[]), [DEFAULT_PATH]);
    }

    #[test]
    fn a_bare_name_takes_the_callers_value() {
        let inherited = |name: &str| (name == "TERM").then(|| "xterm".to_owned());
        let term = Variable::parse("TERM", inherited).unwrap().unwrap();
        assert_eq!((term.name(), term.as_str()), ("TERM", "TERM=xterm"));
        assert_eq!(Variable::parse("UNSET", inherited), Ok(None));
    }

    #[test]
    fn nonsense_is_no_variable() {
        let parse = |text: &str| Variable::parse(text, |_| None);
        assert_eq!(parse("=x"), Err(InvalidVariable::NoName));
        assert_eq!(parse("A=\0"), Err(InvalidVariable::ZeroByte));
        for name in activation::VARIABLES {
            assert_eq!(parse(name), Err(InvalidVariable::Reserved));
            assert_eq!(parse(&format!("{name}=1")), Err(InvalidVariable::Reserved));
        }
    }

    #[test]
    fn what_an_image_holds_can_not_break_the_environment() {
        let image = owned(&["=x", "novalue", "Z=\0", "GOOD=1"]);
        assert_eq!(build(&[], &image, &[]), [DEFAULT_PATH, "GOOD=1"]);
    }
}
