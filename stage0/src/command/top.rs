//! `fairing top`: the processes of a pod.

use std::time::Duration;

use clap::Args;
use engine::Error;
use engine::error::AppError;
use engine::pods::processes::{PodProcess, processes};
use pod::AppName;
use pod::manifest::PodManifest;

use crate::arguments::selector::OnePod;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::console::table::{Cut, Fit, Table};
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `top`.
#[derive(Debug, Args)]
pub(crate) struct Top {
    #[command(flatten)]
    pod: OnePod,
    /// Only processes of this app
    #[arg(long, value_name = "NAME")]
    app: Option<AppName>,
    /// Show commands in full, however wide
    #[arg(long, visible_alias = "no-trunc")]
    full: bool,
}

impl Subcommand for Top {
    const NAME: &'static str = "top";
    const ABOUT: &'static str = "Show the processes of a running pod";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let entry = context.pod(&self.pod.selector()?)?;
        let mut all = processes(&entry, &context.engine.directories)?;
        if let Some(app) = &self.app {
            let manifest = PodManifest::load(&entry.path)?;
            if manifest.app(app).is_none() {
                return Err(Error::from(AppError::unknown(&manifest, app)).into());
            }
            all.retain(|process| process.app == self.app);
        }
        output::text(&table(&all).render(true, Fit::of_output(self.full)))?;
        Ok(0)
    }
}

fn table(processes: &[PodProcess]) -> Table {
    let heading = [
        "UID", "PID", "PPID", "IN POD", "APP", "STAT", "TIME", "COMMAND",
    ];
    let mut cuts = [Cut::Never; 8];
    if let Some(last) = cuts.last_mut() {
        *last = Cut::End;
    }
    let mut table = Table::new(&heading).cut(&cuts);
    for process in processes {
        table.row([
            process.user.to_string(),
            process.pid.map_or("-".to_owned(), |pid| pid.to_string()),
            process.parent.to_string(),
            process.pid_in_pod.to_string(),
            process
                .app
                .as_ref()
                .map_or("-".to_owned(), |app| app.to_string()),
            process.state.to_string(),
            time(process.cpu),
            process.command.clone(),
        ]);
    }
    table
}

/// Processor time as ps(1) shows it: `00:01:07`.
fn time(cpu: Duration) -> String {
    let seconds = cpu.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}", seconds % 60)
}
