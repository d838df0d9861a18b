//! What files are, and what they ask for.

use std::net::IpAddr;
use std::path::PathBuf;

use engine::pods::spec::PodSpec;
use pod::named_volumes::{NamedVolumeName, Ownership};

use crate::reading::Finding;

/// A file.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// What messages call it.
    pub name: &'a str,
    /// What is in it.
    pub text: &'a str,
}

/// What a file can't say of the machine.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The machine's name.
    pub host_name: String,
    /// Its addresses on its way out.
    pub addresses: Vec<IpAddr>,
    /// How many processors it has.
    pub processors: u64,
    /// How much memory, in bytes.
    pub memory: u64,
    /// Where profiles of system calls are.
    pub seccomp_profiles: PathBuf,
}

/// What files ask for.
#[derive(Debug)]
pub struct Pods {
    /// Their pods.
    pub pods: Vec<PodPlan>,
    /// Volumes that outlive them.
    pub claims: Vec<ClaimPlan>,
    /// What means nothing here.
    pub warnings: Vec<Finding>,
}

/// A pod.
#[derive(Debug)]
pub struct PodPlan {
    /// What is asked of it.
    pub spec: PodSpec,
    /// The isolator that it names, if it does.
    pub isolator: Option<String>,
    /// Logins for its images: texts as docker's `config.json`.
    pub logins: Vec<Login>,
}

/// A login, which no message shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Login(pub Vec<u8>);

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login(…)")
    }
}

/// A volume that outlives pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPlan {
    /// Its name.
    pub volume: NamedVolumeName,
    /// Its labels.
    pub labels: std::collections::BTreeMap<String, String>,
    /// Whose its directory is, if it is made.
    pub ownership: Ownership,
}
