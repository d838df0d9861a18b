//! Bodies of the fuzz targets: ordinary functions that take any bytes, and panic only where the code under test has a bug.

use crate::unit_file::{Command, Word, words};
use crate::{DropIn, Settings, Source, generate};

/// What separates the files in an input. The first line of each is its name.
const SEPARATOR: &str = "\n%%\n";

/// Files of units: whatever they say, a unit's text is lines of `[Section]` and `Key=value`, and the words that it starts are
/// read again as the same.
pub fn unit_files(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut sources: Vec<Source> = Vec::new();
    for file in text.split(SEPARATOR).take(16) {
        let (name, text) = file.split_once('\n').unwrap_or((file, ""));
        match name.parse() {
            Ok(name) => {
                let path = format!("/etc/fairing/pods.d/{name}").into();
                let drop_ins = Vec::new();
                let text = text.as_bytes().to_vec();
                sources.push(Source {
                    name,
                    path,
                    text,
                    drop_ins,
                });
            }
            Err(()) => {
                if let Some(source) = sources.last_mut() {
                    source.drop_ins.push(DropIn {
                        path: "/etc/fairing/pods.d/x.d/x.conf".into(),
                        text: text.as_bytes().to_vec(),
                    });
                }
            }
        }
    }
    sources.sort_by(|one, other| one.name.cmp(&other.name));
    sources.dedup_by(|one, other| one.name == other.name);
    let settings = Settings {
        program: "/usr/bin/fairing".into(),
        data: "/var/lib/fairing".into(),
    };
    let generated = generate(&sources, &settings);
    for unit in &generated.units {
        assert!(!unit.name.contains('/'), "{:?}", unit.name);
        for line in unit.text.lines() {
            let is_line = line.is_empty() || line.starts_with(['#', '[']) || line.contains('=');
            assert!(is_line, "{line:?}");
        }
        assert_eq!(
            unit.text.matches("\nExecStart=/usr/bin/fairing ").count(),
            1,
            "{}",
            unit.text
        );
        for link in &unit.links {
            assert!(
                link.path.split('/').count() <= 2 && !link.path.starts_with('.'),
                "{link:?}"
            );
        }
    }
    for finding in &generated.findings {
        assert!(
            !finding.to_string().contains(char::is_control),
            "{finding:?}"
        );
    }
    if let Ok(split) = words(&text) {
        let mut command = Command::new("/x");
        command.extend(split.iter().map(Word::written));
        if !command.is_too_long() {
            let again = words(&command.to_string());
            assert_eq!(
                again.ok().as_deref().and_then(|words| words.get(1..)),
                Some(split.as_slice())
            );
        }
    }
}

#[cfg(test)]
mod targets {
    replay::targets! {
        unit_files: 4000,
    }
}
