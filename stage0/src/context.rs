//! What every subcommand is given: the global flags, understood.

use std::collections::BTreeSet;
use std::ffi::OsString;

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
        Ok(Self {
            directories: Directories {
                data: absolute(&global.dir)?,
                run: absolute(&global.run_dir)?,
                local_config: absolute(&global.local_config)?,
                system_config: absolute(&global.system_config)?,
            },
            insecure: global
                .insecure_options
                .into_iter()
                .map(InsecureOption::from)
                .collect(),
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

    /// Whether images run without verification.
    pub(crate) fn waives_images(&self) -> bool {
        self.insecure.contains(&InsecureOption::Image)
    }
}
