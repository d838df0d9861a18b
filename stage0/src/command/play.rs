//! `fairing play`: runs pods that are written in YAML, as Kubernetes has it.

mod arguments;
mod credentials;
mod mistakes;
mod network;
mod plan;
mod pods;

pub(crate) use self::arguments::Play;
pub(crate) use self::mistakes::mistakes;

use crate::arguments::pod::UuidPlace;
use crate::arguments::retry::RetryArguments;
use crate::command::down::down;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::kube::files::PodFile;
use crate::start::{handover, service};
use crate::wording::failure::Failure;

impl Subcommand for Play {
    const NAME: &'static str = "play";
    const ABOUT: &'static str = "Run pods that are written in YAML, as Kubernetes has it";
    const EPILOGUE: Option<&'static str> = Some(
        "Examples:\n  \
         fairing play web.yaml\n  \
         fairing play --detach --replace web.yaml\n  \
         fairing play --dry-run web.yaml",
    );

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let sockets = handover::take_sockets()?;
        let files = PodFile::read_all(&self.files)?;
        if self.down {
            return down(&files, self.force, context);
        }
        let config_maps = PodFile::read_all(&self.configmap)?;
        let plan = pods::plan(&self, &files, &config_maps)?;
        let context = self.credentials.context(context, &plan, self.quiet)?;
        let context = RetryArguments::default().context(&context, service::has_started_this());
        if self.dry_run {
            return pods::dry_run(plan, &context);
        }
        let new_volumes = pods::make_volumes(&plan.claims, &context)?;
        if plan.specs.is_empty() {
            for claim in &plan.claims {
                output::line(claim.volume.as_str())?;
            }
            return Ok(0);
        }
        let uuid_file = self.uuid_file_save.clone().map(UuidPlace::Any);
        let done = match (self.start.unwrap_or(true), self.detach) {
            (false, _) => pods::prepare_all(plan, &context),
            (true, true) if plan.specs.len() > 1 => pods::start_all(plan, &context),
            (true, detach) => {
                let how = pods::How {
                    detach,
                    remove: self.wait,
                    uuid_file,
                    sockets,
                };
                pods::run_one(plan, how, &context)
            }
        };
        done.inspect_err(|_| pods::remove_volumes(&new_volumes, &context))
    }
}
