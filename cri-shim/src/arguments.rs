//! The command line of `fairing-cri`.

use std::path::{Path, PathBuf};

use clap::Parser;
use engine::config::directories::Directories;

/// Kubernetes' Container Runtime Interface over pods of fairing
#[derive(Debug, Parser)]
#[command(name = "fairing-cri", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Socket to listen on; not looked at if a service manager hands one over
    #[arg(long, value_name = "PATH", default_value = "/run/fairing/cri.sock")]
    pub(crate) listen: PathBuf,
    /// Directory of images and pods
    #[arg(
        long,
        value_name = "DIR",
        env = "FAIRING_DIR",
        default_value = "/var/lib/fairing"
    )]
    dir: PathBuf,
    /// Directory of runtime state, until the next boot
    #[arg(
        long,
        value_name = "DIR",
        env = "FAIRING_RUN_DIR",
        default_value = "/run/fairing"
    )]
    run_dir: PathBuf,
    /// Directory of the administrator's configuration
    #[arg(
        long,
        value_name = "DIR",
        env = "FAIRING_LOCAL_CONFIG",
        default_value = "/etc/fairing"
    )]
    local_config: PathBuf,
    /// Directory of the vendor's configuration
    #[arg(
        long,
        value_name = "DIR",
        env = "FAIRING_SYSTEM_CONFIG",
        default_value = "/usr/lib/fairing"
    )]
    system_config: PathBuf,
}

impl Arguments {
    /// The directories to work on.
    ///
    /// # Errors
    /// If a path can't be made absolute.
    pub(crate) fn directories(&self) -> std::io::Result<Directories> {
        let absolute = |path: &Path| std::path::absolute(path);
        Ok(Directories {
            data: absolute(&self.dir)?,
            run: absolute(&self.run_dir)?,
            local_config: absolute(&self.local_config)?,
            system_config: absolute(&self.system_config)?,
            isolators: installed_isolators(),
        })
    }
}

/// The isolators that are installed below the prefix of this program.
fn installed_isolators() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let prefix = program.parent()?.parent()?;
    Some(prefix.join("lib/fairing/stage1"))
}
