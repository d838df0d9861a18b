//! Program, arguments and environment of an app, ready for execve(2).

use std::collections::HashSet;
use std::ffi::CString;

use pod::activation;
use pod::exit::FailureKind;
use pod::manifest::DEFAULT_PATH;

use crate::app::sockets::AppSockets;
use crate::failure::StartFailure;
use crate::sys::CStringArray;

/// Everything that execve(2) needs.
#[derive(Debug)]
pub(crate) struct CommandLine {
    pub(crate) sought: Sought,
    pub(crate) argv: CStringArray,
    pub(crate) envp: CStringArray,
}

/// A program and where it may be.
#[derive(Debug)]
pub(crate) struct Sought {
    /// What the user asked for.
    pub(crate) asked: String,
    /// Paths to try, in this order.
    pub(crate) candidates: Vec<CString>,
}

/// The environment of a process: `PATH` and `HOME` if nothing sets them, then `variables`, of which a
/// later one replaces an earlier one of the same name. What would tell of sockets is left out: only those who
/// hand some over say so ([`CommandLine::new`]).
pub(crate) fn environment(
    variables: &[String],
    home: &str,
    hostname: &str,
    tty: bool,
) -> Vec<String> {
    let mut all = vec![
        format!("PATH={DEFAULT_PATH}"),
        format!("HOME={home}"),
        format!("HOSTNAME={hostname}"),
        "container=fairing".to_owned(),
    ];
    if tty {
        all.push("TERM=xterm".to_owned());
    }
    all.extend(variables.iter().cloned());
    let name = |variable: &str| variable.split('=').next().unwrap_or_default().to_owned();
    let mut seen = HashSet::new();
    let mut kept: Vec<String> = all
        .into_iter()
        .rev()
        .filter(|variable| !activation::VARIABLES.contains(&name(variable).as_str()))
        .filter(|variable| seen.insert(name(variable)))
        .collect();
    kept.reverse();
    kept
}

impl CommandLine {
    /// Prepares `argv` to be run with `environment`, and with what tells of `sockets`: a program without a slash is
    /// looked for in `PATH`.
    pub(crate) fn new(
        argv: &[String],
        environment: &[String],
        sockets: &AppSockets,
    ) -> Result<Self, StartFailure> {
        let program = argv.first().map(String::as_str).unwrap_or_default();
        if program.is_empty() {
            return Err(StartFailure {
                kind: FailureKind::NotFound,
                message: "there is no program to run".into(),
            });
        }
        let path = environment
            .iter()
            .find_map(|variable| variable.strip_prefix("PATH="))
            .unwrap_or(DEFAULT_PATH);
        let nul = |_| StartFailure::other("a NUL byte in the command line or the environment");
        let candidates = if program.contains('/') {
            vec![CString::new(program).map_err(nul)?]
        } else {
            path.split(':')
                .map(|folder| if folder.is_empty() { "." } else { folder })
                .map(|folder| CString::new(format!("{folder}/{program}")).map_err(nul))
                .collect::<Result<_, _>>()?
        };
        let tells = sockets.variables();
        let variables = environment.iter().chain(&tells).map(String::as_str);
        let mut envp = CStringArray::new(variables).map_err(nul)?;
        if !tells.is_empty() {
            envp = envp.with_own_pid();
        }
        Ok(Self {
            sought: Sought {
                asked: program.to_owned(),
                candidates,
            },
            argv: CStringArray::new(argv.iter().map(String::as_str)).map_err(nul)?,
            envp,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_variables_win_and_defaults_fill_gaps() {
        let variables = ["A=1", "HOME=/h", "A=2", "LISTEN_FDS=1", "LISTEN_PID=7"];
        let variables = variables.map(str::to_owned);
        let environment = environment(&variables, "/root", "pod", false);
        assert!(environment.contains(&"A=2".to_owned()));
        assert!(!environment.contains(&"A=1".to_owned()));
        assert!(!environment.iter().any(|v| v.starts_with("LISTEN_")));
        assert!(environment.contains(&"HOME=/h".to_owned()));
        assert!(
            environment
                .iter()
                .any(|v| v.starts_with("PATH=/usr/local/sbin"))
        );
    }

    #[test]
    fn programs_are_looked_up_as_a_shell_does() {
        let environment = ["PATH=/a::/b".to_owned()];
        let new = |argv: &[String], environment: &[String]| {
            CommandLine::new(argv, environment, &AppSockets::default())
        };
        let found = new(&["x".into()], &environment).unwrap().sought.candidates;
        assert_eq!(found, [c"/a/x", c"./x", c"/b/x"].map(CString::from));
        let found = new(&["./x".into()], &environment)
            .unwrap()
            .sought
            .candidates;
        assert_eq!(found, [CString::from(c"./x")]);
        for argv in [vec![], vec!["".to_owned()]] {
            let error = new(&argv, &environment).map(|_| ()).unwrap_err();
            assert_eq!(error.kind, FailureKind::NotFound, "{error}");
        }
        for argv in [vec!["a\0b".to_owned()], vec!["a".into(), "b\0".into()]] {
            let error = new(&argv, &environment).map(|_| ()).unwrap_err();
            assert!(error.to_string().contains("NUL byte"), "{error}");
        }
    }
}
