//! The help of the program as a whole: its commands, by what they are about.

/// Headings, and the commands below each.
const GROUPS: &[(&str, &[&str])] = &[
    (
        "Start and end pods",
        &[
            "run",
            "prepare",
            "run-prepared",
            "play",
            "down",
            "start",
            "restart",
            "stop",
            "kill",
            "pause",
            "resume",
            "update",
            "auto-update",
            "wait",
            "rm",
            "rename",
            "gc",
        ],
    ),
    (
        "Look at pods, and into them",
        &[
            "ps",
            "list",
            "status",
            "inspect",
            "logs",
            "enter",
            "attach",
            "cp",
            "diff",
            "top",
            "stats",
            "port",
            "export",
            "commit",
            "cat-manifest",
            "generate",
            "kube",
            "app",
        ],
    ),
    (
        "Images and registries",
        &["fetch", "push", "save", "load", "login", "logout", "image"],
    ),
    (
        "What may run, and where",
        &["trust", "network", "volume", "units"],
    ),
    (
        "This fairing",
        &["doctor", "system", "version", "completion", "help"],
    ),
];

/// What the parser has of the commands in one list.
const LIST: &str = "Commands:\n";

/// The parser's help, with its list of commands in groups.
pub(crate) fn grouped(help: &str) -> String {
    let Some((before, rest)) = help.split_once(LIST) else {
        return help.to_owned();
    };
    let (list, after) = rest.split_once("\n\n").unwrap_or((rest, ""));
    // A command's text may take several lines, of which the first alone begins with its name.
    let mut entries: Vec<(&str, String)> = Vec::new();
    for line in list.lines() {
        match line
            .strip_prefix("  ")
            .filter(|rest| !rest.starts_with(' '))
        {
            Some(rest) => {
                let name = rest.split_whitespace().next().unwrap_or_default();
                entries.push((name, format!("{line}\n")));
            }
            None => {
                if let Some((_, text)) = entries.last_mut() {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
    }
    let mut text = before.to_owned();
    for (heading, names) in GROUPS {
        text.push_str(heading);
        text.push_str(":\n");
        for name in *names {
            let found = entries.iter().find(|(other, _)| other == name);
            text.extend(found.map(|(_, text)| text.as_str()));
        }
        text.push('\n');
    }
    text.push_str(after);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_in_one_group_and_keeps_its_text() {
        let mut definition = crate::command::definition();
        definition.build();
        let help = definition.render_help().to_string();
        let grouped = grouped(&help);
        let visible = definition
            .get_subcommands()
            .filter(|command| !command.is_hide_set());
        for name in visible.map(clap::Command::get_name) {
            let of = GROUPS.iter().filter(|(_, names)| names.contains(&name));
            assert_eq!(of.count(), 1, "{name}");
        }
        let sorted = |text: &str| {
            let mut lines: Vec<_> = text
                .lines()
                .filter(|line| line.starts_with(' '))
                .map(str::to_owned)
                .collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&help), sorted(&grouped));
        assert!(
            grouped.lines().all(|line| line.chars().count() <= 80),
            "{grouped}"
        );
        assert!(!grouped.contains(LIST));
        assert_eq!(super::grouped("no list"), "no list");
    }
}
