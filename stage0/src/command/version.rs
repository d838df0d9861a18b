//! `fairing version`.

use clap::Args;
use serde::Serialize;

use crate::arguments::format::Format;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `version`.
#[derive(Debug, Args)]
pub(crate) struct Version {
    /// How to show it
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    format: Format,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Versions {
    version: &'static str,
    stage1_contract: u64,
    platform: String,
}

impl Subcommand for Version {
    const NAME: &'static str = "version";
    const ABOUT: &'static str = "Print versions";
    const NEEDS_ROOT: bool = false;

    fn run(self, _: &Context) -> Result<u8, Failure> {
        let versions = Versions {
            version: env!("CARGO_PKG_VERSION"),
            stage1_contract: pod::stage1::CONTRACT_VERSION,
            platform: image_document::Platform::host().to_string(),
        };
        match self.format {
            Format::Json => output::json(&versions)?,
            Format::Text => output::text(&format!(
                "fairing {}\nstage1 contract {}\nplatform {}\n",
                versions.version, versions.stage1_contract, versions.platform
            ))?,
        }
        Ok(0)
    }
}
