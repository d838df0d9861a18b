//! From Kubernetes' objects to what is asked of the engine.

mod about;
mod app;
mod environment;
mod expansion;
mod files;
mod known;
mod logins;
mod names;
mod network;
mod plan;
mod pod;
mod probes;
mod pull;
mod resources;
mod security;
mod volumes;

use self::known::Known;
use crate::kubernetes::{Document, read_all};
use crate::reading::{Error, Findings};

pub use self::names::{Named, named};
pub use self::plan::{ClaimPlan, Facts, Login, PodPlan, Pods, Source};

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
