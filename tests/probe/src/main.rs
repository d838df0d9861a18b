//! Prints what an app sees: its identity, its limits, its file system, and what the kernel
//! answers when it asks for what it must not have.
//!
//! The text is sorted and holds nothing that differs from run to run, so that a test can compare
//! it with a reviewed file. `probe SECTION…` prints only those sections; `probe namespaces-raw`
//! prints the namespaces' inode numbers, which do differ. `probe serve WHO COUNT` serves sockets that it is handed;
//! `probe terminals COUNT` takes so many pseudo-terminals; `probe with-key COMMAND…` becomes a command that has a key;
//! `probe hunt SECONDS` traces what becomes its user; `probe bomb` forks without end; `probe orphans COUNT` leaves so many processes to pid 1;
//! `probe talk RATE LINE CHUNK SECONDS` writes so many bytes a second, in lines of so many, so many at once;
//! `probe notify LINE…` says something of itself, `probe barrier` waits until that was heard, `probe flood SECONDS` says too much;
//! `probe answer PORT` answers datagrams;
//! in the place of QEMU it plays what a machine may that means ill;
//! as `/init` of a machine it plays what a pod init may that means ill;
//! `probe play NAME` plays one attack; `probe leave-project PATH…` takes files out of their project; `probe stop-children PID` stops what that process starts.

mod activation;
mod attempt;
mod filesystem;
mod greed;
mod hold;
mod hostile_init;
mod hostile_machine;
mod hunt;
mod identity;
mod keys;
mod notify;
mod play;
mod project;
mod recent;
mod socket;
mod surroundings;
mod sys;
mod talk;
mod text;
mod writable;

use std::io::Write;
use std::process::ExitCode;

/// A titled part of the report: its lines in the order in which they are printed.
struct Section {
    name: &'static str,
    lines: fn() -> Vec<String>,
}

const SECTIONS: &[Section] = &[
    Section {
        name: "identity",
        lines: identity::identity,
    },
    Section {
        name: "capabilities",
        lines: identity::capabilities,
    },
    Section {
        name: "confinement",
        lines: identity::confinement,
    },
    Section {
        name: "session",
        lines: identity::session,
    },
    Section {
        name: "limits",
        lines: identity::limits,
    },
    Section {
        name: "descriptors",
        lines: surroundings::descriptors,
    },
    Section {
        name: "environment",
        lines: surroundings::environment,
    },
    Section {
        name: "processes",
        lines: surroundings::processes,
    },
    Section {
        name: "namespaces",
        lines: surroundings::namespaces,
    },
    Section {
        name: "cgroups",
        lines: surroundings::cgroups,
    },
    Section {
        name: "network",
        lines: surroundings::network,
    },
    Section {
        name: "mounts",
        lines: filesystem::mounts,
    },
    Section {
        name: "root",
        lines: filesystem::root,
    },
    Section {
        name: "devices",
        lines: filesystem::devices,
    },
    Section {
        name: "paths",
        lines: filesystem::paths,
    },
    Section {
        name: "syscalls",
        lines: attempt::system_calls,
    },
    Section {
        name: "sockets",
        lines: socket::sockets,
    },
];

/// What is printed only if it is asked for: what differs from run to run or from machine to machine, and attacks.
const ON_REQUEST: &[Section] = &[
    Section {
        name: "namespaces-raw",
        lines: surroundings::namespaces_raw,
    },
    Section {
        name: "writable",
        lines: writable::writable,
    },
    Section {
        name: "hold-on-init",
        lines: hold::hold_on_init,
    },
    Section {
        name: "recent-calls",
        lines: recent::recent_calls,
    },
    Section {
        name: "callers-key",
        lines: keys::key_of_the_caller,
    },
];

/// What an app says of itself, if that is what is asked for.
fn notified(command: &str, rest: &[String]) -> Option<std::io::Result<()>> {
    match (command, rest) {
        ("notify", lines) => Some(notify::say(lines)),
        ("barrier", []) => Some(notify::barrier()),
        ("flood", [seconds]) => Some(notify::flood(seconds.parse().ok()?).map(|said| {
            let _ = writeln!(std::io::stdout(), "{said}");
        })),
        _ => None,
    }
}

fn main() -> ExitCode {
    if std::process::id() == 1 && std::env::args().next().is_some_and(|name| name == "/init") {
        let played = hostile_init::play();
        let _ = writeln!(std::io::stderr(), "probe: {played:?}");
        return ExitCode::FAILURE;
    }
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if wanted.first().is_some_and(|word| word == "-nodefaults") {
        let played = hostile_machine::other_roles::play(&wanted);
        let told = played.unwrap_or_else(|| hostile_machine::play(&wanted));
        let _ = writeln!(std::io::stderr(), "{told}");
        return ExitCode::FAILURE;
    }
    if let [command, who, count] = wanted.as_slice()
        && command == "serve"
    {
        return match activation::serve(who, count) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "probe: {error}");
                ExitCode::FAILURE
            }
        };
    }
    if let [command, count] = wanted.as_slice()
        && command == "terminals"
        && let Ok(enough) = count.parse()
    {
        let _ = writeln!(std::io::stdout(), "{}", greed::terminals(enough));
        return ExitCode::SUCCESS;
    }
    if let [command, name] = wanted.as_slice()
        && command == "play"
        && let Some(outcome) = play::play(name)
    {
        let _ = writeln!(std::io::stdout(), "{outcome}");
        return ExitCode::SUCCESS;
    }
    if let [command, rest @ ..] = wanted.as_slice()
        && let Some(done) = notified(command, rest)
    {
        return match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "probe: {error}");
                ExitCode::FAILURE
            }
        };
    }
    if let [command, pid] = wanted.as_slice()
        && command == "stop-children"
        && let Ok(pid) = pid.parse()
    {
        sys::stop_children_of(pid, || {
            let _ = writeln!(std::io::stdout(), "traces");
        });
        return ExitCode::FAILURE;
    }
    if let [command, paths @ ..] = wanted.as_slice()
        && command == "leave-project"
    {
        for path in paths {
            let _ = writeln!(std::io::stdout(), "{}", project::leave(path));
        }
        return ExitCode::SUCCESS;
    }
    if let [command, numbers @ ..] = wanted.as_slice()
        && command == "talk"
        && let numbers = numbers.iter().map(|number| number.parse().ok())
        && let Some([rate, line, chunk, seconds]) = numbers.collect::<Option<Vec<u64>>>().as_deref()
        && let (Ok(line), Ok(chunk)) = (usize::try_from(*line), usize::try_from(*chunk))
    {
        return match talk::talk(*rate, line, chunk, *seconds) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    if let [command, port] = wanted.as_slice()
        && command == "answer"
        && let Ok(port) = port.parse()
    {
        let ended = talk::answer(port);
        let _ = writeln!(std::io::stderr(), "probe: {ended:?}");
        return ExitCode::FAILURE;
    }
    if let [command, count] = wanted.as_slice()
        && command == "orphans"
        && let Ok(count) = count.parse()
    {
        sys::leave_orphans(count);
        let _ = writeln!(std::io::stdout(), "left");
        return ExitCode::SUCCESS;
    }
    if wanted == ["bomb"] {
        greed::bomb();
    }
    if let [command, seconds] = wanted.as_slice()
        && command == "hunt"
        && let Ok(seconds) = seconds.parse()
    {
        let time = std::time::Duration::from_secs(seconds);
        let _ = writeln!(std::io::stdout(), "{}", hunt::hunt(time));
        return ExitCode::SUCCESS;
    }
    if let [command, own @ ..] = wanted.as_slice()
        && command == "with-key"
    {
        let _ = writeln!(std::io::stderr(), "probe: {}", keys::with_key(own));
        return ExitCode::FAILURE;
    }
    let mut report = String::new();
    let chosen: Vec<&Section> = if wanted.is_empty() {
        SECTIONS.iter().collect()
    } else {
        SECTIONS
            .iter()
            .chain(ON_REQUEST)
            .filter(|section| wanted.iter().any(|name| name == section.name))
            .collect()
    };
    if chosen.len() < wanted.len() {
        let _ = writeln!(
            std::io::stderr(),
            "probe: no such section among: {}",
            wanted.join(" ")
        );
        return ExitCode::FAILURE;
    }
    for section in chosen {
        report.push_str(&format!("[{}]\n", section.name));
        for line in (section.lines)() {
            report.push_str(&line);
            report.push('\n');
        }
        report.push('\n');
    }
    match std::io::stdout().write_all(report.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
