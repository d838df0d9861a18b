//! What would keep a pod from starting, as far as it is known before: looked at where another pod goes for it.
//!
//! Nothing is refused here that could start. What only the start itself shows is left to it.

use std::io::Read;
use std::path::PathBuf;

use image_store::tree::{Found, look_up};
use pod::exit::FailureKind;
use pod::manifest::{App, DEFAULT_PATH};

use crate::error::Error;
use crate::policy::verifier::RunnableImage;

/// Directories of an app in which its image has no say.
const MOUNTED: [&str; 3] = ["dev", "proc", "sys"];
/// Most bytes of a file of accounts that are looked at.
const ACCOUNTS_MAX: u64 = 16 << 20;

/// Looks whether an app's image has its user, group and program.
///
/// # Errors
/// [`Error::Refusing`] as the isolator would, or if the image can't be read.
pub(super) fn check(app: &App, image: &RunnableImage) -> Result<(), Error> {
    // What is mounted may have what the image doesn't.
    if !app.mounts.is_empty() {
        return Ok(());
    }
    let layers = image.image().layers().iter().rev();
    let root = Files(layers.map(|layer| layer.path.clone()).collect());
    let user = &app.execution.user;
    root.knows(app, ("user", &user.user), "/etc/passwd")?;
    root.knows(app, ("group", &user.group), "/etc/group")?;
    root.has_program(app)
}

/// The files of an image: the trees of its layers, topmost first.
struct Files(Vec<PathBuf>);

impl Files {
    fn look_up(&self, path: &str) -> Result<Option<Found>, Error> {
        Ok(look_up(&self.0, path, &MOUNTED)?)
    }

    /// Whether a file of accounts has a name. A number needs no entry.
    fn knows(&self, app: &App, (what, name): (&str, &str), path: &str) -> Result<(), Error> {
        if name.is_empty() || name.parse().is_ok_and(|id: u32| id != u32::MAX) {
            return Ok(());
        }
        let mut text = Vec::new();
        if let Some(Found::File { file, .. }) = self.look_up(path)? {
            let read = file.take(ACCOUNTS_MAX).read_to_end(&mut text);
            read.map_err(Error::io("read the image's", path))?;
        }
        let has_name =
            |line: &[u8]| line.split(|byte| *byte == b':').next() == Some(name.as_bytes());
        match text.split(|byte| *byte == b'\n').any(has_name) {
            true => Ok(()),
            false => Err(Error::Refusing {
                kind: FailureKind::UnknownUser,
                message: match name.parse() {
                    // What the kernel takes for no change.
                    Ok(u32::MAX) => {
                        format!("app {}: {name} means no {what} to the kernel", app.name)
                    }
                    _ => format!(
                        "app {}: the {what} `{name}` is not in the image's {path}",
                        app.name
                    ),
                },
            }),
        }
    }

    /// Whether the program is at one of the places at which it is looked for, and may be executed by somebody.
    fn has_program(&self, app: &App) -> Result<(), Error> {
        let execution = &app.execution;
        let Some(program) = execution.args.first() else {
            return Ok(());
        };
        let candidates = candidates(program, &execution.env, execution.cwd.as_str());
        let mut wrong = Vec::new();
        for path in &candidates {
            match self.look_up(path)? {
                None => {}
                Some(Found::File { mode, .. }) if mode & 0o111 == 0 => {
                    wrong.push(format!("`{path}`: Permission denied"));
                }
                Some(Found::Directory) => wrong.push(format!("`{path}` is a directory")),
                Some(_) => return Ok(()),
            }
        }
        let (kind, why) = match wrong.as_slice() {
            [] if program.contains('/') => (
                FailureKind::NotFound,
                "there is no such file in the image".to_owned(),
            ),
            [] => (
                FailureKind::NotFound,
                format!(
                    "the image has no {} (looked for as PATH says)",
                    candidates.join(", ")
                ),
            ),
            wrong => (FailureKind::NotExecutable, wrong.join("; ")),
        };
        Err(Error::Refusing {
            kind,
            message: format!("cannot execute `{program}` in app {}: {why}", app.name),
        })
    }
}

/// The absolute paths at which a program is looked for.
fn candidates(program: &str, variables: &[String], workdir: &str) -> Vec<String> {
    let absolute = |path: String| match path.starts_with('/') {
        true => path,
        false => format!("{}/{path}", workdir.trim_end_matches('/')),
    };
    if program.contains('/') {
        return vec![absolute(program.to_owned())];
    }
    // Of two variables of a name, the later one counts.
    let set = variables.iter().rev();
    let path = set
        .filter_map(|variable| variable.strip_prefix("PATH="))
        .next()
        .unwrap_or(DEFAULT_PATH);
    path.split(':')
        .map(|folder| match folder {
            "" => absolute(program.to_owned()),
            folder => absolute(format!("{}/{program}", folder.trim_end_matches('/'))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_looked_for_where_the_app_would() {
        let env = ["PATH=/no", "PATH=/a:b/::/"].map(str::to_owned);
        assert_eq!(
            candidates("x", &env, "/srv"),
            ["/a/x", "/srv/b/x", "/srv/x", "/x"]
        );
        assert_eq!(candidates("./x", &env, "/"), ["/./x"]);
        assert_eq!(candidates("/x", &env, "/srv"), ["/x"]);
        assert_eq!(candidates("x", &[], "/").len(), 6);
    }
}
