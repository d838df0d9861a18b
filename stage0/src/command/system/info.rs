//! `fairing info`: what this fairing is, has, and where.

use std::path::{Path, PathBuf};

use clap::Args;
use engine::images::registries;
use engine::policy::files as policy_files;
use pod::State;
use serde::Serialize;
use serde_json::{Value, json};

use crate::arguments::format::{Format, format};
use crate::command::subcommand::Subcommand;
use crate::context::Context;
use crate::wording::docker_members::with;
use crate::wording::failure::Failure;

/// Arguments of `info`.
#[derive(Debug, Args)]
pub(crate) struct Info {
    /// How to show it: text, json, or a template such as '{{.Version}}'
    #[arg(short, long, value_name = "FORMAT", value_parser = format, default_value = "text")]
    format: Format,
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

impl Facts {
    /// For templates: what docker and podman call what there is of it.
    fn in_docker_words(&self) -> Value {
        let host = nix::sys::utsname::uname().ok();
        let named = |name: &std::ffi::OsStr| name.to_string_lossy().into_owned();
        json!({
            "ServerVersion": self.version,
            "Name": host.as_ref().map(|names| named(names.nodename())),
            "Containers": self.pods,
            "ContainersRunning": self.pods_running,
            "ContainersStopped": self.pods.saturating_sub(self.pods_running),
            "Driver": "overlay",
            "CgroupVersion": self.cgroup_version.to_string(),
            "KernelVersion": self.kernel,
            "OSType": std::env::consts::OS,
            "Architecture": host.as_ref().map(|names| named(names.machine())),
            "DockerRootDir": self.data,
        })
    }
}

impl Subcommand for Info {
    const NAME: &'static str = "info";
    const ABOUT: &'static str = "Show what this fairing is, what it has, and where";
    const HIDDEN: bool = true;

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let facts = Facts::gather(context)?;
        let words = facts.in_docker_words();
        self.format
            .show_with(&facts, |value| with(value, words), || lines(&facts))?;
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
fn lines(facts: &Facts) -> String {
    // What is shown as JSON can be made a value.
    let value = serde_json::to_value(facts).unwrap_or_default();
    let members = value.as_object().into_iter().flatten();
    let shown = members.map(|(key, value)| match value {
        Value::String(text) => format!("{key}={text}\n"),
        Value::Null => format!("{key}=unknown\n"),
        other => format!("{key}={other}\n"),
    });
    shown.collect()
}
