//! `fairing info`: what this fairing is, has, and where.

use std::path::{Path, PathBuf};

use clap::Args;
use engine::images::registries;
use engine::policy::files as policy_files;
use pod::State;
use serde::Serialize;
use serde_json::Value;

use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::console::template::Template;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `info`.
#[derive(Debug, Args)]
pub(crate) struct Info {
    /// How to show it: text, json, or a template such as '{{.Version}}'
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    format: String,
}

/// Arguments of `system info`.
#[derive(Debug, Args)]
pub(crate) struct SystemInfo {
    #[command(flatten)]
    info: Info,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Facts {
    version: &'static str,
    platform: String,
    kernel: String,
    cgroup_version: u8,
    pods: usize,
    pods_running: usize,
    images: usize,
    trust_rules: Option<usize>,
    registries: &'static str,
    data: PathBuf,
    run: PathBuf,
    local_config: PathBuf,
    system_config: PathBuf,
}

impl Facts {
    fn gather(context: &Context) -> Result<Self, Failure> {
        let engine = &context.engine;
        let mut running = 0;
        let pods = engine.pods().list()?;
        for entry in &pods {
            running += usize::from(entry.state()? == State::Running);
        }
        let directories = &engine.directories;
        let is_v2 = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
        Ok(Self {
            version: env!("CARGO_PKG_VERSION"),
            platform: image_document::Platform::host().to_string(),
            kernel: nix::sys::utsname::uname()
                .map(|names| names.release().to_string_lossy().into_owned())
                .unwrap_or_default(),
            cgroup_version: if is_v2 { 2 } else { 1 },
            pods: pods.len(),
            pods_running: running,
            images: engine.store().references()?.len(),
            // Why they can't be read, `trust list` says.
            trust_rules: policy_files::read(directories)
                .ok()
                .map(|policy| policy.rules().len()),
            registries: match registries::load(engine) {
                Ok(_) => "configured",
                Err(_) => "the configuration can't be read",
            },
            data: directories.data.clone(),
            run: directories.run.clone(),
            local_config: directories.local_config.clone(),
            system_config: directories.system_config.clone(),
        })
    }
}

impl Subcommand for Info {
    const NAME: &'static str = "info";
    const ABOUT: &'static str = "Show what this fairing is, what it has, and where";
    const HIDDEN: bool = true;

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let facts = Facts::gather(context)?;
        let value = serde_json::to_value(&facts)
            .map_err(|error| Failure::Other(format!("cannot write as JSON: {error}")))?;
        match self.format.as_str() {
            "json" => output::json(&value)?,
            "text" => output::text(&lines(&value))?,
            other if !other.contains("{{") => {
                return Err(Failure::Usage(format!(
                    "--format {other:?}: write text, json, or a template such as '{{{{.Version}}}}'"
                )));
            }
            template => {
                let usage = |error| Failure::Usage(format!("--format: {error}"));
                let template = Template::parse(template).map_err(usage)?;
                output::line(&template.render(&value).map_err(usage)?)?;
            }
        }
        Ok(0)
    }
}

impl Subcommand for SystemInfo {
    const NAME: &'static str = "info";
    const ABOUT: &'static str = Info::ABOUT;

    fn run(self, context: &Context) -> Result<u8, Failure> {
        self.info.run(context)
    }
}

/// `key=value` lines, as `status` has them.
fn lines(value: &Value) -> String {
    let members = value.as_object().into_iter().flatten();
    let shown = members.map(|(key, value)| match value {
        Value::String(text) => format!("{key}={text}\n"),
        Value::Null => format!("{key}=unknown\n"),
        other => format!("{key}={other}\n"),
    });
    shown.collect()
}
