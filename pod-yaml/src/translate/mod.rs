//! From Kubernetes' objects to what is asked of the engine.

mod app;
mod environment;
mod expansion;
mod files;
mod known;
mod logins;
mod names;
mod network;
mod pod;
mod probes;
mod resources;
mod security;
mod volumes;

use std::net::IpAddr;
use std::path::PathBuf;

use ::pod::named_volumes::{NamedVolumeName, Ownership};
use engine::pods::spec::PodSpec;

use self::known::Known;
use crate::kubernetes::{Document, read_all};
use crate::reading::{Error, Finding, Findings};

pub use self::names::{Named, named};

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

/// What these files ask for; `config_maps` are looked at for config maps and secrets alone.
///
/// # Errors
/// All that is not understood, or not there.
pub fn pods(
    sources: &[Source<'_>],
    config_maps: &[Source<'_>],
    facts: &Facts,
) -> Result<Pods, Error> {
    let mut refused = Vec::new();
    let mut warnings = Vec::new();
    let mut read = |sources: &[Source<'_>]| {
        let mut documents = Vec::new();
        for source in sources {
            let findings = Findings::of(source.name);
            let found = findings.documents(source.text);
            let found = found.and_then(|documents| read_all(&documents, &findings));
            match findings.judge(found) {
                Ok((found, ignored)) => {
                    documents.extend(found);
                    warnings.extend(ignored);
                }
                Err(Error(reasons)) => refused.extend(reasons),
            }
        }
        documents
    };
    let (documents, further) = (read(sources), read(config_maps));
    if !refused.is_empty() {
        return Err(Error(refused));
    }
    let mut known = Known::default();
    let mut pods = Vec::new();
    let mut claims = Vec::new();
    for document in further {
        if let Document::ConfigMap(_) | Document::Secret(_) = &document {
            known.add(document)?;
        }
    }
    for document in documents {
        match document {
            Document::Pod(pod) => pods.push(pod),
            Document::Claim(claim) => claims.push(claim),
            document => known.add(document)?,
        }
    }
    let findings = Findings::default();
    let mut plans = Vec::new();
    let mut names = std::collections::BTreeMap::new();
    for kubernetes in &pods {
        if names.insert(&kubernetes.metadata.name, ()).is_some() {
            let name = &kubernetes.metadata.name;
            let text = format!("there is another pod called {name}");
            refused.extend(kubernetes.metadata.place.wrong(text).0);
        }
        let mut of_pod = claims.clone();
        of_pod.extend(kubernetes.claims.iter().cloned());
        match pod::plan(kubernetes, &known, &of_pod, facts, &findings) {
            Ok(plan) => plans.push(plan),
            Err(Error(reasons)) => refused.extend(reasons),
        }
    }
    claims.extend(pods.into_iter().flat_map(|pod| pod.claims));
    let claims = claims.into_iter().map(|claim| ClaimPlan {
        volume: claim.volume,
        labels: claim.metadata.labels,
        ownership: claim.ownership,
    });
    let all = Pods {
        pods: plans,
        claims: claims.collect(),
        warnings: Vec::new(),
    };
    let made = match refused.is_empty() {
        true => Ok(all),
        false => Err(Error(refused)),
    };
    let (mut all, more) = findings.judge(made)?;
    warnings.extend(more);
    all.warnings = warnings;
    Ok(all)
}
