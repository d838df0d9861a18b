//! A server for sockets that it is handed, as sd_listen_fds(3) describes it.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

use crate::sys;

/// `probe serve WHO COUNT`: prints what it was handed, then answers COUNT connections, whichever socket they
/// come to, with a line that says who answers at which socket. Gives an error as text.
pub(crate) fn serve(who: &str, count: &str) -> Result<(), String> {
    let count: usize = count.parse().map_err(|_| "COUNT is no number")?;
    let names = handed()?;
    let mut report = String::new();
    for (number, name) in (3..).zip(&names) {
        report.push_str(&format!("{who} has {number} {name}\n"));
    }
    std::io::stdout()
        .write_all(report.as_bytes())
        .map_err(|error| error.to_string())?;
    let numbers: Vec<i32> = (3..).take(names.len()).collect();
    for _ in 0..count {
        let ready = sys::readable(&numbers).map_err(|error| format!("poll: {error}"))?;
        let connection: OwnedFd = sys::accept(ready).map_err(|error| format!("accept: {error}"))?;
        let name = (3..).zip(&names).find(|(number, _)| *number == ready);
        let name = name.map_or("", |(_, name)| name.as_str());
        writeln!(File::from(connection), "{who} at {name}").map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The names of the sockets from 3 on, if they are for this process.
fn handed() -> Result<Vec<String>, String> {
    let variable = |name: &str| std::env::var(name).map_err(|error| format!("{name}: {error}"));
    let pid = variable("LISTEN_PID")?;
    if pid != std::process::id().to_string() {
        return Err(format!("LISTEN_PID={pid} is not {}", std::process::id()));
    }
    let names: Vec<String> = variable("LISTEN_FDNAMES")?
        .split(':')
        .map(str::to_owned)
        .collect();
    let count = variable("LISTEN_FDS")?;
    if count != names.len().to_string() {
        return Err(format!("LISTEN_FDS={count}, and {} names", names.len()));
    }
    Ok(names)
}
