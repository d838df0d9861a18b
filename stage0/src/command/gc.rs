//! `fairing gc`: removes what has ended, what was given up and what nobody needs.

use std::time::Duration;

use clap::Args;
use engine::pods::sweep::{Retention, Subject, Swept, sweep};
use pod::{PodName, PodUuid};

use crate::arguments::duration::duration;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;
use crate::wording::images::{summary, warn};
use crate::wording::networks::cleared;

/// Arguments of `gc`.
#[derive(Debug, Args)]
pub(crate) struct Gc {
    /// How long pods are kept after their end
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30m", allow_negative_numbers = true)]
    grace_period: Duration,
    /// How long prepared pods are kept
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "24h")]
    expire_prepared: Duration,
    /// Only put the pods out of the way; a later gc removes them
    #[arg(long)]
    mark_only: bool,
}

impl Subcommand for Gc {
    const NAME: &'static str = "gc";
    const ABOUT: &'static str =
        "Remove pods that have ended, what killed commands left, and unused layers";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let keep = Retention {
            ended: self.grace_period,
            prepared: self.expire_prepared,
            mark_only: self.mark_only,
        };
        let mut first = None;
        sweep(&context.engine, keep, &context.console, &mut |swept| {
            if let Err(failure) = tell(swept) {
                first.get_or_insert(failure);
            }
        });
        match first {
            None => Ok(0),
            Some(failure) => Err(Failure::Printed {
                first: Box::new(failure),
            }),
        }
    }
}

/// Says what was done; gives a failure back, printed.
fn tell(swept: Swept) -> Result<(), Failure> {
    let (subject, line) = match swept {
        Swept::Pod(uuid, name) => {
            let pod = called(uuid, name.as_ref());
            (Subject::Pod(uuid), Some(format!("{pod} removed")))
        }
        Swept::Marked(uuid, name) => {
            let pod = called(uuid, name.as_ref());
            (Subject::Pod(uuid), Some(format!("{pod} marked")))
        }
        Swept::Networks(report) => (Subject::Networks, cleared(&report)),
        Swept::Images(report) => {
            warn(&report);
            (Subject::Images, summary(&report, false))
        }
        Swept::Failed(subject, error) => return Err(failed(subject, error.into())),
    };
    match line {
        Some(line) => output::line(&line).map_err(|failure| failed(subject, failure)),
        None => Ok(()),
    }
}

fn called(uuid: PodUuid, name: Option<&PodName>) -> String {
    match name {
        Some(name) => format!("pod {uuid} ({name})"),
        None => format!("pod {uuid}"),
    }
}

fn failed(subject: Subject, failure: Failure) -> Failure {
    let line = failure.line();
    // Many say themselves what they are about.
    let line = match line.starts_with("pod ") || line.starts_with("network ") {
        true => line,
        false => format!("{}: {line}", in_words(subject)),
    };
    output::failure(&line);
    failure
}

fn in_words(subject: Subject) -> String {
    match subject {
        Subject::Pod(uuid) => format!("pod {uuid}"),
        Subject::Pods => "pods".to_owned(),
        Subject::Aborted => "pods whose preparation was interrupted".to_owned(),
        Subject::Networks => "networks".to_owned(),
        Subject::Images => "images".to_owned(),
        Subject::Volumes => "volumes".to_owned(),
        Subject::Templates => "templates of virtual machines".to_owned(),
    }
}
