//! What every subcommand is given: the global flags, understood.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use engine::Engine;
use engine::config::directories::Directories;
use engine::pods::cri_ids::{self, Called};
use image_registry::{Environment, WaitListener};
use image_store::WindowMemory;
use pod::manifest::InsecureOption;
use pod::network::CniFolders;
use pod::{AppName, PodEntry, PodError};

use crate::arguments::global::GlobalArguments;
use crate::console::observer::Console;
use crate::console::output;
use crate::console::progress::waits;
use crate::wording::failure::Failure;
use crate::wording::typed;

/// The surroundings of a command.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// What it works on.
    pub(crate) engine: Engine,
    /// Where what happens is told.
    pub(crate) console: Console,
    /// The parts of a pod's command line after the first `---`.
    pub(crate) later_apps: Vec<Vec<OsString>>,
    /// What to say if the first app fails as one that was called in a wrong way.
    pub(crate) doubt: Option<String>,
    /// Defines the whole command line, for what describes it.
    pub(crate) definition: fn() -> clap::Command,
    /// Understands a command line, without doing what it says.
    pub(crate) understands: fn(Vec<OsString>) -> Result<clap::ArgMatches, Failure>,
}

impl Context {
    /// Understands the global flags.
    ///
    /// # Errors
    /// If a path can't be made absolute.
    pub(crate) fn new(
        global: GlobalArguments,
        (later_apps, doubt): (Vec<Vec<OsString>>, Option<String>),
        definition: fn() -> clap::Command,
        understands: fn(Vec<OsString>) -> Result<clap::ArgMatches, Failure>,
    ) -> Result<Self, Failure> {
        if global.debug {
            output::enable_debug();
        }
        let insecure = global.insecure();
        insecure.iter().copied().for_each(warn);
        let engine = Engine {
            directories: Directories {
                data: absolute(&global.dir)?,
                run: absolute(&global.run_dir)?,
                local_config: absolute(&global.local_config)?,
                system_config: absolute(&global.system_config)?,
                isolators: installed_isolators(),
            },
            registries: Environment::read(|name| std::env::var_os(name))
                .telling_waits(WaitListener::new(waits)),
            memory: WindowMemory::default(),
            cni: CniFolders::from_variables(std::env::var_os),
            kubernetes_namespace: None,
            insecure,
        };
        Ok(Self {
            engine,
            console: Console::default(),
            later_apps,
            doubt,
            definition,
            understands,
        })
    }

    /// The pod that a person means; messages call it the same from now on.
    ///
    /// # Errors
    /// If there is none, or more than one.
    pub(crate) fn pod(&self, selector: &str) -> Result<PodEntry, Failure> {
        let (entry, app) = self.pod_or_app(selector)?;
        match app {
            None => Ok(entry),
            Some(app) => Err(Failure::Usage(format!(
                "{selector} is a container's id, and not a pod's: it is app {app} of pod {}",
                entry.uuid
            ))),
        }
    }

    /// The same, where an app of a pod may be meant by its id as a container of Kubernetes.
    ///
    /// # Errors
    /// As [`Self::pod`].
    pub(crate) fn pod_or_app(
        &self,
        selector: &str,
    ) -> Result<(PodEntry, Option<AppName>), Failure> {
        let pods = self.engine.pods();
        let (entry, app) = match pods.find(selector) {
            Err(PodError::NoSuchPod(typed)) => match cri_ids::find(&pods, selector)? {
                Some(Called { entry, app }) => (entry, app),
                None => return Err(PodError::NoSuchPod(typed).into()),
            },
            found => (found?, None),
        };
        // What a container's id stands for is no pod.
        if app.is_none() {
            typed::remember(entry.uuid, selector);
        }
        Ok((entry, app))
    }

    /// The same, where a flag may name the app.
    ///
    /// # Errors
    /// As [`Self::pod`]; if the flag names another app.
    pub(crate) fn pod_with_app(
        &self,
        selector: &str,
        by_flag: Option<&AppName>,
    ) -> Result<(PodEntry, Option<AppName>), Failure> {
        let (entry, app) = self.pod_or_app(selector)?;
        match (app, by_flag) {
            (Some(called), Some(other)) if called != *other => Err(Failure::Usage(format!(
                "two apps are named: {called} by its container's id, and {other} with --app"
            ))),
            (called, other) => Ok((entry, called.or_else(|| other.cloned()))),
        }
    }

    /// Lets messages call each pod by its name, also those that nobody has typed: for a command that fails.
    pub(crate) fn remember_names(&self) {
        // The failure is told all the same, with UUIDs.
        for (name, uuid) in self.engine.pods().names().unwrap_or_default() {
            typed::remember(uuid, name.as_str());
        }
    }
}

/// The isolators that are installed below the prefix of this program.
fn installed_isolators() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let prefix = program.parent()?.parent()?;
    Some(prefix.join("lib/fairing/stage1"))
}

/// Makes a path absolute: the isolator is started in another directory.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(Failure::io("resolve", path))
}

/// Says what is given up.
fn warn(option: InsecureOption) {
    let what = match option {
        // Said of each image, once it is known whether it would have been refused or not.
        InsecureOption::Image => return,
        InsecureOption::Http => "registries without TLS are spoken to in plain HTTP",
        InsecureOption::Tls => "certificates of registries are not checked",
        InsecureOption::Seccomp => "the apps may make every system call",
        InsecureOption::Capabilities => "the root user of each app keeps all capabilities",
        InsecureOption::Paths => "the apps see, and may write, all of /proc and /sys",
    };
    output::warn(&format!("--insecure-options={}: {what}", option.word()));
}
