//! What every subcommand is given: the global flags, understood.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use engine::Engine;
use engine::config::directories::Directories;
use image_registry::{Environment, WaitListener};
use image_store::WindowMemory;
use pod::PodEntry;
use pod::manifest::InsecureOption;
use pod::network::CniFolders;

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
        let entry = self.engine.pods().find(selector)?;
        typed::remember(entry.uuid, selector);
        Ok(entry)
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
