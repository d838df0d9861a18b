//! Changes of how an image is run, in the words of a Dockerfile.

use std::num::NonZeroU16;
use std::str::FromStr;

use serde_json::{Map, Value, json};

/// A change of an image's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigChange {
    /// Arguments, or the program if there is no entry point.
    Cmd(Vec<String>),
    /// The program that is always run.
    Entrypoint(Vec<String>),
    /// Environment variables, `NAME=VALUE` each.
    Env(Vec<String>),
    /// Ports that it listens at, `PORT/PROTOCOL` each.
    Expose(Vec<String>),
    /// Labels.
    Label(Vec<(String, String)>),
    /// An instruction for who builds on it.
    OnBuild(String),
    /// The signal that asks it to end.
    StopSignal(String),
    /// User, and perhaps group.
    User(String),
    /// Paths where it wants volumes.
    Volume(Vec<String>),
    /// Working directory.
    Workdir(String),
}

/// The instructions that are known.
const KNOWN: &str =
    "CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME and WORKDIR";

impl FromStr for ConfigChange {
    type Err = String;

    /// `INSTRUCTION VALUE` or `INSTRUCTION=VALUE`.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let end = text.find(|c: char| c.is_whitespace() || c == '=');
        let (instruction, value) = text.split_at(end.unwrap_or(text.len()));
        let value = value.trim_start();
        let value = value.strip_prefix('=').unwrap_or(value).trim();
        let instruction = instruction.to_ascii_uppercase();
        if value.contains('\0') {
            return Err("it holds a NUL byte".to_owned());
        }
        if value.is_empty() && !matches!(&*instruction, "CMD" | "ENTRYPOINT") {
            return Err(format!(
                "write it as `INSTRUCTION VALUE`, with one of {KNOWN}"
            ));
        }
        // What a value is shown in has lines: only words that a program is given may have any.
        if !matches!(
            &*instruction,
            "CMD" | "ENTRYPOINT" | "ENV" | "LABEL" | "VOLUME"
        ) && value.contains(char::is_control)
        {
            return Err("it holds a control character".to_owned());
        }
        let some = || value.to_owned();
        Ok(match &*instruction {
            "CMD" => Self::Cmd(command(value)?),
            "ENTRYPOINT" => Self::Entrypoint(command(value)?),
            "ENV" => {
                let pairs = pairs(value)?;
                let odd = |c: char| c.is_whitespace() || c.is_control();
                if let Some((name, _)) = pairs.iter().find(|(name, _)| name.contains(odd)) {
                    return Err(format!(
                        "{name:?} is no name of a variable: it has a blank or a control character"
                    ));
                }
                let entry = |(name, value)| format!("{name}={value}");
                Self::Env(pairs.into_iter().map(entry).collect())
            }
            "EXPOSE" => {
                let all: Result<Vec<_>, _> = words(value)?.iter().map(|word| ports(word)).collect();
                Self::Expose(all?.concat())
            }
            "LABEL" => {
                let pairs = pairs(value)?;
                if pairs.iter().any(|(key, _)| key.contains(char::is_control)) {
                    return Err("a label's key holds a control character".to_owned());
                }
                Self::Label(pairs)
            }
            "ONBUILD" => Self::OnBuild(some()),
            "STOPSIGNAL" => Self::StopSignal(some()),
            "USER" if value.contains(char::is_whitespace) => {
                return Err("write a user as USER or USER:GROUP, without blanks".to_owned());
            }
            "USER" => Self::User(some()),
            "VOLUME" => {
                let paths = list(value)?;
                paths.iter().try_for_each(|path| mount_point(path))?;
                Self::Volume(paths)
            }
            "WORKDIR" if value.starts_with('/') => Self::Workdir(some()),
            "WORKDIR" => return Err("the working directory must begin with `/`".to_owned()),
            _ => return Err(format!("{instruction} is none of {KNOWN}")),
        })
    }
}

impl ConfigChange {
    /// Makes the changes in `config` of an image's configuration, in their order. As in a Dockerfile, a new entry point takes
    /// the old arguments away.
    pub(super) fn apply(changes: &[Self], config: &mut Map<String, Value>) {
        let has = |wanted: fn(&Self) -> bool| changes.iter().any(wanted);
        if has(|change| matches!(change, Self::Entrypoint(_)))
            && !has(|change| matches!(change, Self::Cmd(_)))
        {
            config.remove("Cmd");
        }
        for change in changes {
            change.apply_one(config);
        }
    }

    fn apply_one(&self, config: &mut Map<String, Value>) {
        let mut set = |name: &str, value: Value, is_nothing: bool| match is_nothing {
            true => drop(config.remove(name)),
            false => drop(config.insert(name.to_owned(), value)),
        };
        match self {
            Self::Cmd(words) => set("Cmd", json!(words), words.is_empty()),
            Self::Entrypoint(words) => set("Entrypoint", json!(words), words.is_empty()),
            Self::StopSignal(signal) => set("StopSignal", json!(signal), false),
            Self::User(user) => set("User", json!(user), false),
            Self::Workdir(directory) => set("WorkingDir", json!(directory), false),
            Self::OnBuild(instruction) => {
                change_list(config, "OnBuild", |list| list.push(json!(instruction)));
            }
            Self::Env(variables) => {
                change_list(config, "Env", |env| set_variables(env, variables));
            }
            Self::Expose(ports) => add_to(
                config,
                "ExposedPorts",
                ports.iter().map(|port| (port, json!({}))),
            ),
            Self::Volume(paths) => add_to(
                config,
                "Volumes",
                paths.iter().map(|path| (path, json!({}))),
            ),
            Self::Label(labels) => {
                add_to(
                    config,
                    "Labels",
                    labels.iter().map(|(name, value)| (name, json!(value))),
                );
            }
        }
    }
}

/// Changes the list of this name, which is one from now on.
fn change_list(config: &mut Map<String, Value>, name: &str, change: impl FnOnce(&mut Vec<Value>)) {
    let mut list = match config.remove(name) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    change(&mut list);
    config.insert(name.to_owned(), Value::Array(list));
}

/// Sets variables, each name once.
fn set_variables(env: &mut Vec<Value>, variables: &[String]) {
    let name = |entry: &str| entry.split_once('=').map(|(name, _)| name.to_owned());
    for variable in variables {
        let of_name = |old: &&mut Value| old.as_str().and_then(name) == name(variable);
        match env.iter_mut().find(of_name) {
            Some(old) => *old = json!(variable),
            None => env.push(json!(variable)),
        }
    }
}

fn add_to<'a>(
    config: &mut Map<String, Value>,
    name: &str,
    members: impl Iterator<Item = (&'a String, Value)>,
) {
    let mut all = match config.remove(name) {
        Some(Value::Object(all)) => all,
        _ => Map::new(),
    };
    all.extend(members.map(|(name, value)| (name.clone(), value)));
    config.insert(name.to_owned(), Value::Object(all));
}

/// A JSON array of words, or a line for the shell.
fn command(text: &str) -> Result<Vec<String>, String> {
    match text {
        "" => Ok(Vec::new()),
        array if array.starts_with('[') => words_of_json(array),
        line => Ok(["/bin/sh", "-c", line].map(str::to_owned).into()),
    }
}

/// A JSON array of words, or words.
fn list(text: &str) -> Result<Vec<String>, String> {
    match text.starts_with('[') {
        true => words_of_json(text),
        false => words(text),
    }
}

fn words_of_json(text: &str) -> Result<Vec<String>, String> {
    serde_json::from_str(text)
        .map_err(|error| format!("it is not a JSON array of strings: {error}"))
}

/// `NAME=VALUE`, several, or one as `NAME VALUE`.
fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let words = words(text)?;
    let pair = |word: &String| {
        let (name, value) = word.split_once('=')?;
        (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
    };
    match words.split_first() {
        Some((name, rest)) if !name.contains('=') && !rest.is_empty() => {
            Ok(vec![(name.clone(), rest.join(" "))])
        }
        _ => words
            .iter()
            .map(|word| pair(word).ok_or_else(|| format!("{word:?} is not written as NAME=VALUE")))
            .collect(),
    }
}

/// The ports of a word, each by itself: images know no ranges.
fn ports(word: &str) -> Result<Vec<String>, String> {
    let (numbers, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let number = |text: &str| text.parse::<NonZeroU16>().ok().map(NonZeroU16::get);
    let protocol = protocol.to_ascii_lowercase();
    match (number(first), number(last)) {
        (Some(first), Some(last))
            if first <= last && matches!(&*protocol, "tcp" | "udp" | "sctp") =>
        {
            Ok((first..=last)
                .map(|port| format!("{port}/{protocol}"))
                .collect())
        }
        _ => Err(format!(
            "{word:?} is not a port: write PORT, FIRST-LAST or PORT/PROTOCOL"
        )),
    }
}

/// Where a volume can be: below the root, by a path that leads nowhere else.
fn mount_point(path: &str) -> Result<(), String> {
    let reason = match path {
        path if !path.starts_with('/') => "must begin with `/`",
        path if path.split('/').all(|part| matches!(part, "" | ".")) => {
            "is the whole of the app's files"
        }
        path if path.split('/').any(|part| part == "..") => "must do without `..`",
        path if path.contains(char::is_control) => "holds a control character",
        _ => return Ok(()),
    };
    Err(format!("the path {path:?} of a volume {reason}"))
}

/// Words with blanks between them; in quotes, or behind a backslash, a blank belongs to a word.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, quote) {
            ('\\', Some('"') | None) => word.get_or_insert_default().extend(rest.next()),
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    if let Some(quote) = quote {
        return Err(format!("a {quote} is not closed"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(texts: &[&str]) -> Value {
        let mut config = json!({
            "Entrypoint": ["/old"], "Cmd": ["old"], "Env": ["PATH=/bin", "A=1"], "Labels": { "a": "1" }, "OnBuild": null,
        });
        let changes: Vec<_> = texts.iter().map(|text| text.parse().unwrap()).collect();
        ConfigChange::apply(&changes, config.as_object_mut().unwrap());
        config
    }

    #[test]
    fn instructions_of_a_dockerfile_change_the_configuration() {
        for (texts, member, value) in [
            (
                &["CMD echo $A"][..],
                "Cmd",
                json!(["/bin/sh", "-c", "echo $A"]),
            ),
            (&["CMD=[\"/x\", \"a b\"]"], "Cmd", json!(["/x", "a b"])),
            (&["cmd [\"/x\"]"], "Cmd", json!(["/x"])),
            (&["CMD"], "Cmd", json!(null)),
            (&["ENTRYPOINT [\"/x\"]"], "Entrypoint", json!(["/x"])),
            (&["ENTRYPOINT [\"/x\"]"], "Cmd", json!(null)),
            (&["CMD [\"c\"]", "ENTRYPOINT [\"/x\"]"], "Cmd", json!(["c"])),
            (
                &["ENV A=2 B=\"x y\""],
                "Env",
                json!(["PATH=/bin", "A=2", "B=x y"]),
            ),
            (
                &["ENV A some words"],
                "Env",
                json!(["PATH=/bin", "A=some words"]),
            ),
            (
                &["LABEL b='c d'"],
                "Labels",
                json!({ "a": "1", "b": "c d" }),
            ),
            (
                &["EXPOSE 80 53/udp"],
                "ExposedPorts",
                json!({ "80/tcp": {}, "53/udp": {} }),
            ),
            (
                &["EXPOSE 79-80 7/UDP"],
                "ExposedPorts",
                json!({ "79/tcp": {}, "80/tcp": {}, "7/udp": {} }),
            ),
            (&["CMD=[\"a\\nb\"]"], "Cmd", json!(["a\nb"])),
            (
                &["LABEL b=\"c\nd\""],
                "Labels",
                json!({ "a": "1", "b": "c\nd" }),
            ),
            (&["VOLUME /a /b"], "Volumes", json!({ "/a": {}, "/b": {} })),
            (&["VOLUME [\"/a b\"]"], "Volumes", json!({ "/a b": {} })),
            (&["WORKDIR /srv"], "WorkingDir", json!("/srv")),
            (&["USER=7:8"], "User", json!("7:8")),
            (&["STOPSIGNAL SIGQUIT"], "StopSignal", json!("SIGQUIT")),
            (&["ONBUILD RUN x"], "OnBuild", json!(["RUN x"])),
        ] {
            assert_eq!(changed(texts)[member], value, "{texts:?}");
        }
    }

    #[test]
    fn what_is_no_instruction_is_told() {
        for (text, part) in [
            ("", "INSTRUCTION VALUE"),
            ("RUN make", "RUN is none of"),
            ("ENV A", "NAME=VALUE"),
            ("ENV =x", "NAME=VALUE"),
            ("LABEL a=\"x", "not closed"),
            ("CMD [1]", "JSON array"),
            ("WORKDIR srv", "must begin"),
            ("EXPOSE http", "not a port"),
            ("EXPOSE 70000", "not a port"),
            ("USER", "INSTRUCTION VALUE"),
            ("EXPOSE 0", "not a port"),
            ("EXPOSE 80-79", "not a port"),
            ("EXPOSE 1-2-3", "not a port"),
            ("EXPOSE 80/icmp", "not a port"),
            ("EXPOSE 80/", "not a port"),
            ("USER a\0b", "NUL"),
            ("USER a\nb", "control character"),
            ("USER a b", "without blanks"),
            ("STOPSIGNAL TERM\nKILL", "control character"),
            ("WORKDIR /a\nb", "control character"),
            ("ONBUILD RUN x\nRUN y", "control character"),
            ("ENV \"A B\"", "NAME=VALUE"),
            ("ENV \"A B\"=c", "no name of a variable"),
            ("ENV \"A B\" c", "no name of a variable"),
            ("ENV \"A\nB=c\"", "no name of a variable"),
            ("LABEL \"a\nb\"=c", "a label's key holds"),
            ("VOLUME /", "whole of the app's files"),
            ("VOLUME [\"/a\", \"//./\"]", "whole of the app's files"),
            ("VOLUME srv", "must begin"),
            ("VOLUME /a/../..", "`..`"),
            ("VOLUME [\"/a\\nb\"]", "control character"),
            ("VOLUME [\"\"]", "must begin"),
        ] {
            let error = text.parse::<ConfigChange>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
