//! `fairing generate kube`: a pod as YAML.

use std::path::PathBuf;

use atomic_file::Durability;
use clap::Args;
use pod::manifest::PodManifest;
use pod_yaml::generate;

use crate::arguments::selector::OnePod;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `generate kube`.
#[derive(Debug, Args)]
pub(crate) struct GenerateKube {
    #[command(flatten)]
    pod: OnePod,
    /// File to write to, instead of standard output
    #[arg(short, long, visible_alias = "output", value_name = "FILE")]
    filename: Option<PathBuf>,
}

/// The same as `kube generate`.
#[derive(Debug, Args)]
pub(crate) struct KubeGenerate {
    #[command(flatten)]
    arguments: GenerateKube,
}

impl Subcommand for GenerateKube {
    const NAME: &'static str = "kube";
    const ABOUT: &'static str = "Write a pod as YAML, for `fairing play`";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let entry = context.pod(&self.pod.selector()?)?;
        let generated = generate(&PodManifest::load(&entry.path)?);
        for what in &generated.left_out {
            output::warn(&format!("the YAML does not say: {what}"));
        }
        match &self.filename {
            None => output::text(&generated.text)?,
            Some(path) => write(path, &generated.text)?,
        }
        Ok(0)
    }
}

impl Subcommand for KubeGenerate {
    const NAME: &'static str = "generate";
    const ABOUT: &'static str = GenerateKube::ABOUT;

    fn run(self, context: &Context) -> Result<u8, Failure> {
        self.arguments.run(context)
    }
}

fn write(path: &std::path::Path, text: &str) -> Result<(), Failure> {
    let staged = path.with_added_extension("new");
    atomic_file::replace(path, &staged, 0o644, text.as_bytes(), Durability::Full)?;
    Ok(())
}
