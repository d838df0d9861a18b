//! The environment that a command line gives an app: from files, then from flags.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use engine::pods::environment::{InvalidVariable, Variable};

use crate::wording::failure::Failure;

/// Largest file of variables, in bytes.
const FILE_MAX: u64 = 1 << 20;

/// What some editors begin a file of UTF-8 with.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A variable of this process.
fn own(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Parses an entry that stands at `place`.
fn variable(
    place: &str,
    entry: &str,
    inherited: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<Variable>, Failure> {
    let mut is_text = true;
    let parsed = Variable::parse(entry, |name| {
        let value = inherited(name)?.into_string();
        is_text = value.is_ok();
        value.ok()
    });
    match parsed {
        Err(reason) => Err(Failure::Usage(format!(
            "{place}{entry:?} makes no sense: {reason}"
        ))),
        Ok(_) if !is_text => Err(Failure::Usage(format!(
            "{place}{entry:?} can't be passed on: its value here is not UTF-8"
        ))),
        Ok(variable) => Ok(variable),
    }
}

/// What files and then `--env` give, in order.
///
/// # Errors
/// [`Failure::Usage`] for an entry that makes no sense, or why a file can't be read.
pub(crate) fn variables(
    files: &[impl AsRef<Path>],
    given: &[String],
) -> Result<Vec<Variable>, Failure> {
    let mut variables = Vec::new();
    for path in files {
        let path = path.as_ref();
        let text = read(path)
            .map_err(|failure| Failure::Other(format!("--env-file: {}", failure.line())))?;
        variables.extend(of_file(path, &text, &own)?);
    }
    for entry in given {
        variables.extend(variable("--env ", entry, &own)?);
    }
    Ok(variables)
}

/// All variables of this process but those of a protocol between it and who started it.
///
/// # Errors
/// [`Failure::Usage`] for one that can't be passed on.
pub(crate) fn whole() -> Result<Vec<Variable>, Failure> {
    of_pairs(std::env::vars_os())
}

fn of_pairs(pairs: impl Iterator<Item = (OsString, OsString)>) -> Result<Vec<Variable>, Failure> {
    let mut variables = Vec::new();
    for (name, value) in pairs {
        let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else {
            return Err(Failure::Usage(format!(
                "--inherit-env: {} can't be passed on: it is not UTF-8",
                name.display()
            )));
        };
        match Variable::parse(&format!("{name}={value}"), |_| None) {
            Ok(variable) => variables.extend(variable),
            Err(InvalidVariable::Reserved) => {}
            Err(reason) => {
                return Err(Failure::Usage(format!(
                    "--inherit-env: {name:?} makes no sense: {reason}"
                )));
            }
        }
    }
    Ok(variables)
}

pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Failure::io("open", path))?;
    file.take(FILE_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(Failure::io("read", path))?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(Failure::Other(format!(
            "{} is larger than {FILE_MAX} bytes, the most that is read",
            path.display()
        )));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = error
            .as_bytes()
            .iter()
            .take(error.utf8_error().valid_up_to());
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        Failure::Usage(format!("{}, line {line}: it is not UTF-8", path.display()))
    })
}

/// One variable a line; empty lines and those that begin with `#` or `;` are comments.
fn of_file(
    path: &Path,
    text: &str,
    inherited: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Vec<Variable>, Failure> {
    let mut variables = Vec::new();
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let place = format!("{}, line {}: ", path.display(), number + 1);
        let name = line.split('=').next().unwrap_or_default();
        if name.contains(char::is_whitespace) {
            return Err(Failure::Usage(format!(
                "{place}the name {name:?} contains whitespace"
            )));
        }
        variables.extend(variable(&place, line, inherited)?);
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(variables: &[Variable]) -> Vec<&str> {
        variables.iter().map(Variable::as_str).collect()
    }

    #[test]
    fn files_come_before_flags() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("env");
        std::fs::write(&file, "# comment\n; too\n\n  A=file\nB=f=g\n").unwrap();
        let given = ["C=flag".to_owned(), "A=".to_owned()];
        let variables = variables(&[&file], &given).unwrap();
        assert_eq!(texts(&variables), ["A=file", "B=f=g", "C=flag", "A="]);
    }

    #[test]
    fn a_bare_name_takes_the_callers_value() {
        let inherited = |name: &str| (name == "TERM").then(|| OsString::from("xterm"));
        let variables = of_file(Path::new("/e"), "TERM\nUNSET", &inherited).unwrap();
        assert_eq!(texts(&variables), ["TERM=xterm"]);
    }

    #[test]
    fn a_whole_environment_is_passed_on_but_for_sockets_of_a_service_manager() {
        use std::os::unix::ffi::OsStringExt;
        let pair = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
        let pairs = [pair("A", "1"), pair("LISTEN_FDS", "3"), pair("B%", "x=y")];
        let variables = of_pairs(pairs.into_iter()).unwrap();
        assert_eq!(texts(&variables), ["A=1", "B%=x=y"]);
        let odd = (OsString::from("C"), OsString::from_vec(vec![0xff]));
        let error = of_pairs([odd].into_iter()).unwrap_err().to_string();
        assert_eq!(
            error,
            "--inherit-env: C can't be passed on: it is not UTF-8"
        );
    }

    #[test]
    fn nonsense_is_named_with_its_place() {
        let none = &[] as &[&Path];
        let error = variables(none, &["=x".to_owned()]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().starts_with("--env \"=x\""), "{error}");
        let error = of_file(Path::new("/e"), "A=1\n=x", &|_| None).unwrap_err();
        assert!(error.to_string().starts_with("/e, line 2: "), "{error}");
    }

    #[test]
    fn a_name_with_whitespace_is_refused_in_a_file() {
        for line in ["B = 2", "B =2", "B C", "export B=2"] {
            let text = format!("A=1\n{line}\n");
            let error = of_file(Path::new("/e"), &text, &|_| None).unwrap_err();
            let name = line.split('=').next().unwrap();
            let said = format!("/e, line 2: the name {name:?} contains whitespace");
            assert_eq!(error.to_string(), said);
        }
        let kept = of_file(Path::new("/e"), "A= b c \n", &|_| None).unwrap();
        assert_eq!(texts(&kept), ["A= b c "]);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_name() {
        let variables = of_file(Path::new("/e"), "\u{feff}A=1\nB=2", &|_| None).unwrap();
        assert_eq!(texts(&variables), ["A=1", "B=2"]);
    }

    #[test]
    fn what_is_not_utf_8_is_refused_with_its_place() {
        use std::os::unix::ffi::OsStringExt;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("env");
        std::fs::write(&file, b"A=1\nB=\xff\n").unwrap();
        let error = variables(&[&file], &[]).unwrap_err();
        assert!(
            error.to_string().ends_with("env, line 2: it is not UTF-8"),
            "{error}"
        );
        let inherited = |_: &str| Some(OsString::from_vec(vec![0xff]));
        let error = of_file(Path::new("/e"), "A", &inherited).unwrap_err();
        assert!(
            error.to_string().contains("value here is not UTF-8"),
            "{error}"
        );
    }
}
