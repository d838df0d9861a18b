//! The environment that a command line gives an app: from files, then from flags.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use engine::pods::environment::Variable;

use crate::wording::failure::Failure;

/// Largest file of variables, in bytes.
const FILE_MAX: u64 = 1 << 20;

/// A variable of this process.
fn own(name: &str) -> Option<String> {
    std::env::var(name).ok()
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
        variables.extend(of_file(path, &read(path)?, &own)?);
    }
    for entry in given {
        let variable = Variable::parse(entry, own).map_err(|reason| {
            Failure::Usage(format!("--env {entry:?} makes no sense: {reason}"))
        })?;
        variables.extend(variable);
    }
    Ok(variables)
}

fn read(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let file = File::open(path).map_err(Failure::io("open", path))?;
    file.take(FILE_MAX + 1)
        .read_to_string(&mut text)
        .map_err(Failure::io("read", path))?;
    if text.len() as u64 > FILE_MAX {
        return Err(Failure::Other(format!(
            "{} is larger than {FILE_MAX} bytes: not a file of variables",
            path.display()
        )));
    }
    Ok(text)
}

/// One variable a line; empty lines and those that begin with `#` or `;` are comments.
fn of_file(
    path: &Path,
    text: &str,
    inherited: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Variable>, Failure> {
    let mut variables = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let variable = Variable::parse(line, inherited).map_err(|reason| {
            Failure::Usage(format!(
                "{}, line {}: {line:?} makes no sense: {reason}",
                path.display(),
                number + 1
            ))
        })?;
        variables.extend(variable);
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
        let inherited = |name: &str| (name == "TERM").then(|| "xterm".to_owned());
        let variables = of_file(Path::new("/e"), "TERM\nUNSET", &inherited).unwrap();
        assert_eq!(texts(&variables), ["TERM=xterm"]);
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
}
