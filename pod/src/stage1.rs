//! What stage0 and an isolator agree on before the isolator runs. The contract as a whole stands at the
//! top of this crate.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::PodError;
use crate::exit::FailureKind;
use crate::feature::Feature;
use crate::manifest::PodManifest;
use crate::record;

pub use crate::sys::adopt_fd;

/// Version of the contract that an isolator keeps to run pods.
///
/// 2: `pod.json` of version 3, and `features` where version 1 said `capabilities`.
pub const CONTRACT_VERSION: u64 = 2;
/// The oldest version whose isolators still end what they have begun: they clear up after pods of theirs, and commands
/// talk to those that run.
const OLDEST_CONTRACT_VERSION: u64 = 1;
/// The isolator's manifest, in its directory.
pub const STAGE1_MANIFEST_FILE: &str = "stage1.json";
/// Environment variable: the entry point that is called, unless that is `run`. Who looks for the monitor among the processes
/// that hold a pod's lock knows the others by it.
pub const ENV_ENTRY_POINT: &str = "FAIRING_ENTRY_POINT";
/// Environment variable: number of the descriptor that holds the pod's lock.
pub const ENV_LOCK_FD: &str = "FAIRING_LOCK_FD";
/// Environment variable: the pod's runtime directory.
pub const ENV_RUN_DIR: &str = "FAIRING_POD_RUN_DIR";
/// Environment variable: the directory of unpacked layers.
pub const ENV_LAYERS_DIR: &str = "FAIRING_LAYERS_DIR";
/// Environment variable: number of a descriptor for the [`Readiness`] document. With it, SIGINT, SIGTERM and SIGHUP are
/// blocked from the beginning: the start is to be given up if one of them waits.
pub const ENV_READY_FD: &str = "FAIRING_READY_FD";
/// Environment variable: number of a connection as those to the control socket are, whose client is there before any app
/// runs.
pub const ENV_CLIENT_FD: &str = "FAIRING_CLIENT_FD";
/// A line for standard error, where a pod fails at once as one whose program was called in a wrong way.
pub const ENV_HINT: &str = "FAIRING_HINT";
/// Environment variable: set if an earlier call prepared the pod, which is prepared again if it can't be started.
pub const ENV_PREPARED: &str = "FAIRING_PREPARED";

/// Environment variable: set if a service manager looks at the isolator's end. Where that has a variable `NOTIFY_SOCKET`, it
/// is to be told that the pod is up (sd_notify(3)); where there is a descriptor for the [`Readiness`] document as well, by
/// whoever reads that.
pub const ENV_SERVICE: &str = "FAIRING_SERVICE";

/// Environment variable: set if the pod is to be registered with systemd-machined.
pub const ENV_MACHINED: &str = "FAIRING_MACHINED";

/// Environment variable: the directory of images and pods.
pub const ENV_DIR: &str = "FAIRING_DIR";
/// Environment variable: the directory of what lives until the next boot.
pub const ENV_RUN: &str = "FAIRING_RUN_DIR";
/// Environment variable: the directory of the administrator's configuration.
pub const ENV_LOCAL_CONFIG: &str = "FAIRING_LOCAL_CONFIG";
/// Environment variable: the directory of the vendor's configuration.
pub const ENV_SYSTEM_CONFIG: &str = "FAIRING_SYSTEM_CONFIG";

/// An isolator's description of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Stage1Manifest {
    /// Its name: `nspawn`, `kvm`, …
    pub name: String,
    /// Its own version.
    pub version: String,
    /// The version of the contract that it keeps.
    pub contract_version: u64,
    /// What it can do beyond running apps.
    #[serde(alias = "capabilities")]
    pub features: BTreeSet<Feature>,
    /// Whether it keeps a pod apart from the host. One that doesn't runs an app as a part of it: in the host's namespaces,
    /// confined by nothing but what is asked for.
    #[serde(skip_serializing_if = "is_true", default = "isolates")]
    pub isolates: bool,
    /// What stage0 executes.
    pub entrypoints: Entrypoints,
}

fn isolates() -> bool {
    true
}

fn is_true(value: &bool) -> bool {
    *value
}

/// Program and arguments for each entry point; the program is a path relative to the isolator's directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Entrypoints {
    /// Runs the pod.
    pub run: Vec<String>,
    /// Clears what a killed `run` left.
    pub gc: Vec<String>,
    /// Copies files out of an app of a pod that does not run, or into it; the last argument says which
    /// ([`CopyRequest`](crate::control::CopyRequest), in JSON). Not every isolator has it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub copy: Vec<String>,
}

/// Why an isolator can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Stage1Error {
    /// Its manifest can't be read.
    #[error(transparent)]
    Manifest(#[from] PodError),
    /// It keeps another version of the contract.
    #[error(
        "the isolator in {path} implements contract version {found}; this release needs {CONTRACT_VERSION}"
    )]
    ContractVersion {
        /// Its directory.
        path: PathBuf,
        /// The version it keeps.
        found: u64,
    },
    /// An entry point is empty or leaves the isolator's directory.
    #[error("the isolator in {path} has no usable `{entrypoint}` entry point")]
    Entrypoint {
        /// Its directory.
        path: PathBuf,
        /// Which entry point.
        entrypoint: &'static str,
    },
    /// The pod needs something that it can't do.
    #[error("the pod needs `{feature}`, which the isolator `{name}` does not offer")]
    Lacks {
        /// The isolator's name.
        name: String,
        /// What it lacks.
        feature: Feature,
    },
}

/// An isolator whose manifest has been read and found usable.
#[derive(Debug, Clone)]
pub struct Stage1 {
    /// Its directory.
    pub path: PathBuf,
    /// Its manifest.
    pub manifest: Stage1Manifest,
}

impl Stage1 {
    /// Reads the isolator in `folder`.
    ///
    /// # Errors
    /// If its manifest can't be read, is of another contract version, or names unusable entry points.
    pub fn load(folder: &Path) -> Result<Self, Stage1Error> {
        let manifest: Stage1Manifest =
            record::read(&folder.join(STAGE1_MANIFEST_FILE), CONTRACT_VERSION)?;
        let path = folder.to_path_buf();
        let known = OLDEST_CONTRACT_VERSION..=CONTRACT_VERSION;
        if !known.contains(&manifest.contract_version) {
            return Err(Stage1Error::ContractVersion {
                path,
                found: manifest.contract_version,
            });
        }
        let stage1 = Self { path, manifest };
        stage1.run_command()?;
        stage1.gc_command()?;
        Ok(stage1)
    }

    /// Program and arguments of the `run` entry point.
    ///
    /// # Errors
    /// [`Stage1Error::Entrypoint`] if it is not a plain path below the isolator's directory.
    pub fn run_command(&self) -> Result<(PathBuf, &[String]), Stage1Error> {
        self.command("run", &self.manifest.entrypoints.run)
    }

    /// Program and arguments of the `gc` entry point.
    ///
    /// # Errors
    /// As for [`Stage1::run_command`].
    pub fn gc_command(&self) -> Result<(PathBuf, &[String]), Stage1Error> {
        self.command("gc", &self.manifest.entrypoints.gc)
    }

    /// Program and arguments of the `copy` entry point.
    ///
    /// # Errors
    /// [`Stage1Error::Entrypoint`] if there is none, too.
    pub fn copy_command(&self) -> Result<(PathBuf, &[String]), Stage1Error> {
        self.command("copy", &self.manifest.entrypoints.copy)
    }

    fn command<'a>(
        &self,
        entrypoint: &'static str,
        words: &'a [String],
    ) -> Result<(PathBuf, &'a [String]), Stage1Error> {
        let plain = |program: &Path| {
            program
                .components()
                .all(|c| matches!(c, std::path::Component::Normal(_)))
        };
        match words.split_first() {
            Some((program, arguments)) if !program.is_empty() && plain(Path::new(program)) => {
                Ok((self.path.join(program), arguments))
            }
            _ => Err(Stage1Error::Entrypoint {
                path: self.path.clone(),
                entrypoint,
            }),
        }
    }

    /// Refuses a pod that this isolator can't run.
    ///
    /// # Errors
    /// [`Stage1Error::ContractVersion`] if it keeps an older contract, by which it can't read the pod's manifest;
    /// else as [`Stage1::require`].
    pub fn require_for(&self, manifest: &PodManifest) -> Result<(), Stage1Error> {
        match self.manifest.contract_version {
            CONTRACT_VERSION => {
                let mut required = manifest.required_features();
                if manifest.apps.len() > 1 && !self.manifest.isolates {
                    required.insert(Feature::SeveralApps);
                }
                self.require(&required)
            }
            found => Err(Stage1Error::ContractVersion {
                path: self.path.clone(),
                found,
            }),
        }
    }

    /// Refuses what needs something that this isolator can't do.
    ///
    /// # Errors
    /// [`Stage1Error::Lacks`], naming the isolator and the first feature that it lacks.
    pub fn require(&self, required: &BTreeSet<Feature>) -> Result<(), Stage1Error> {
        match required.difference(&self.manifest.features).next() {
            None => Ok(()),
            Some(&feature) => Err(Stage1Error::Lacks {
                name: self.manifest.name.clone(),
                feature,
            }),
        }
    }
}

/// What the `run` entry point reports on [`ENV_READY_FD`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Readiness {
    /// Every app has been started.
    Started,
    /// The pod could not be started; the message has been written nowhere else.
    Failed {
        /// The kind of failure, which decides the exit code.
        kind: FailureKind,
        /// One line.
        message: String,
    },
}

/// Takes over a descriptor that was handed down by its number in an environment variable, as [`adopt_fd`] does.
///
/// # Errors
/// [`PodError::Protocol`] if `text` is not the number of a descriptor that nobody in this program has.
pub fn inherited_fd(text: &str) -> Result<OwnedFd, PodError> {
    let refuse =
        |why: String| PodError::Protocol(format!("`{text}` is not an inherited descriptor: {why}"));
    let number = text.parse().map_err(|_| refuse("not a number".into()))?;
    adopt_fd(number).map_err(|errno| refuse(errno.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(run: &str) -> String {
        format!(
            r#"{{"name":"t","version":"1","contract-version":2,"features":["exec","time-travel"],
               "entrypoints":{{"run":["{run}"],"gc":["gc","x"]}}}}"#
        )
    }

    fn load(text: &str) -> Result<Stage1, Stage1Error> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(STAGE1_MANIFEST_FILE), text).unwrap();
        Stage1::load(dir.path())
    }

    #[test]
    fn unknown_features_are_ignored_and_missing_ones_named() {
        let stage1 = load(&manifest("run")).unwrap();
        stage1.require(&BTreeSet::from([Feature::Exec])).unwrap();
        let error = stage1
            .require(&BTreeSet::from([Feature::HostNetwork]))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the pod needs `host-network`, which the isolator `t` does not offer"
        );
    }

    #[test]
    fn an_isolator_isolates_unless_it_says_that_it_does_not() {
        assert!(load(&manifest("run")).unwrap().manifest.isolates);
        let none = manifest("run").replace("\"name\"", "\"isolates\":false,\"name\"");
        assert!(!load(&none).unwrap().manifest.isolates);
    }

    #[test]
    fn an_isolator_that_does_not_isolate_runs_one_app() {
        let mut pod = crate::manifest::PodManifest::of_every_field();
        let mut stage1 = load(&manifest("run")).unwrap();
        stage1.manifest.features = pod.required_features();
        let mut second = pod.apps.first().unwrap().clone();
        second.name = "second".parse().unwrap();
        pod.apps.add(second).unwrap();
        stage1.require_for(&pod).unwrap();
        stage1.manifest.isolates = false;
        let error = stage1.require_for(&pod).unwrap_err().to_string();
        assert!(error.contains("`several-apps`"), "{error}");
    }

    #[test]
    fn entry_points_are_programs_of_the_isolator_with_their_arguments() {
        let stage1 = load(&manifest("bin/run")).unwrap();
        let (program, arguments) = stage1.run_command().unwrap();
        assert_eq!(program, stage1.path.join("bin/run"));
        assert!(arguments.is_empty());
        let (program, arguments) = stage1.gc_command().unwrap();
        assert_eq!(program, stage1.path.join("gc"));
        assert_eq!(arguments, ["x"]);
    }

    #[test]
    fn an_isolator_without_an_entry_point_is_none() {
        for (text, which) in [
            (manifest("run").replace("[\"run\"]", "[]"), "run"),
            (manifest("run").replace("[\"gc\",\"x\"]", "[]"), "gc"),
            (manifest("run").replace("\"gc\",", "\"/gc\","), "gc"),
        ] {
            let error = load(&text).unwrap_err().to_string();
            assert!(error.contains(&format!("no usable `{which}`")), "{error}");
        }
    }

    #[test]
    fn entry_points_stay_in_the_folder() {
        for bad in ["../run", "/bin/sh", "", "./../x"] {
            assert!(
                matches!(load(&manifest(bad)), Err(Stage1Error::Entrypoint { .. })),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_contract_of_the_future_is_refused_and_an_old_one_only_clears_up() {
        for version in [0, 3] {
            let text = manifest("run").replace(
                "\"contract-version\":2",
                &format!("\"contract-version\":{version}"),
            );
            assert!(matches!(
                load(&text),
                Err(Stage1Error::ContractVersion { found, .. }) if found == version
            ));
        }
        let pod = crate::manifest::PodManifest::of_every_field();
        let old = manifest("run").replace("\"contract-version\":2", "\"contract-version\":1");
        let old = load(&old.replace("features", "capabilities")).unwrap();
        old.require(&BTreeSet::from([Feature::Exec])).unwrap();
        let error = old.require_for(&pod).unwrap_err();
        assert!(
            matches!(error, Stage1Error::ContractVersion { found: 1, .. }),
            "{error}"
        );
        let error = load(&manifest("run"))
            .unwrap()
            .require_for(&pod)
            .unwrap_err();
        assert!(matches!(error, Stage1Error::Lacks { .. }), "{error}");
    }

    #[test]
    fn only_open_descriptors_are_inherited() {
        for (text, reason) in [
            ("x", "not a number"),
            ("1", "Bad file descriptor"),
            ("987654", "Bad file descriptor"),
        ] {
            let error = inherited_fd(text).unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}`")), "{error}");
            assert!(error.contains(reason), "{error}");
        }
    }
}
