//! What every subcommand is given: the global flags, understood.

use std::collections::BTreeSet;
use std::ffi::OsString;

use cni_glue::attach::Attacher;
use image_store::Store;
use pod::PodsDir;
use pod::manifest::InsecureOption;

use crate::arguments::GlobalArguments;
use crate::failure::Failure;
use crate::paths::{Directories, absolute};

/// The surroundings of a command.
#[derive(Debug)]
pub(crate) struct Context {
    /// The folders to work on.
    pub(crate) directories: Directories,
    /// The protections that the user gives up for this command.
    pub(crate) insecure: BTreeSet<InsecureOption>,
    /// The parts of a pod's command line after the first `---`.
    pub(crate) later_apps: Vec<Vec<OsString>>,
}

impl Context {
    /// Understands the global flags.
    ///
    /// # Errors
    /// If a path can't be made absolute.
    pub(crate) fn new(
        global: GlobalArguments,
        later_apps: Vec<Vec<OsString>>,
    ) -> Result<Self, Failure> {
        if global.debug {
            crate::output::enable_debug();
        }
        let insecure: BTreeSet<InsecureOption> = global
            .insecure_options
            .iter()
            .flat_map(|option| option.options())
            .copied()
            .collect();
        for option in &insecure {
            warn(*option);
        }
        Ok(Self {
            directories: Directories {
                data: absolute(&global.dir)?,
                run: absolute(&global.run_dir)?,
                local_config: absolute(&global.local_config)?,
                system_config: absolute(&global.system_config)?,
            },
            insecure,
            later_apps,
        })
    }

    /// The image store.
    pub(crate) fn store(&self) -> Store {
        Store::open(&self.directories.images())
    }

    /// The pods.
    pub(crate) fn pods(&self) -> PodsDir {
        PodsDir::new(&self.directories.data)
    }

    /// What puts pods into networks.
    pub(crate) fn attacher(&self) -> Attacher {
        let directories = &self.directories;
        pod::network::attacher(
            &directories.local_config,
            &directories.system_config,
            &directories.run,
        )
    }

    /// Whether images run without verification.
    pub(crate) fn waives_images(&self) -> bool {
        self.insecure.contains(&InsecureOption::Image)
    }
}

/// Says what is given up.
fn warn(option: InsecureOption) {
    let what = match option {
        // Said of each image, once it is known whether it would have been refused or not.
        InsecureOption::Image => return,
        InsecureOption::Http => "registries are spoken to in plain HTTP where they have no TLS",
        InsecureOption::Tls => "certificates of registries are not checked",
        InsecureOption::Seccomp => "the apps may make every system call",
        InsecureOption::Capabilities => {
            "the root user of each app keeps all capabilities of this machine's"
        }
        InsecureOption::Paths => "the apps see, and may write, all of /proc and /sys",
    };
    crate::output::warn(&format!("--insecure-options={}: {what}", option.word()));
}
