//! What files are about, for who ends it: names alone, whatever else is in the files.

use pod::PodName;
use pod::named_volumes::NamedVolumeName;

use super::plan::Source;
use crate::kubernetes::{Claim, Head, heads};
use crate::reading::{At, Error, Findings};

/// The pods and volumes of files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Named {
    /// Names of pods.
    pub pods: Vec<PodName>,
    /// Volumes of claims.
    pub volumes: Vec<NamedVolumeName>,
}

/// The pods and volumes of files. Fields that mean nothing are no error here.
///
/// # Errors
/// If a text is no YAML, or something has no name.
pub fn named(sources: &[Source<'_>]) -> Result<Named, Error> {
    let mut named = Named::default();
    for source in sources {
        let findings = Findings::of(source.name);
        let documents = findings.documents(source.text)?;
        for (Head { kind, name, .. }, node) in heads(&documents, &findings)? {
            let at = At {
                node: &node,
                line: node.line,
                path: "metadata.name".to_owned(),
                findings: &findings,
            };
            let name = match &*kind {
                "Pod" | "PersistentVolumeClaim" => name,
                "Deployment" | "ReplicaSet" | "DaemonSet" | "Job" => format!("{name}-pod"),
                "StatefulSet" => format!("{name}-0"),
                _ => continue,
            };
            if kind == "PersistentVolumeClaim" {
                named
                    .volumes
                    .push(name.parse().map_err(|error| at.wrong(error))?);
                continue;
            }
            if kind == "StatefulSet" {
                named.volumes.extend(of_templates(&at, &name));
            }
            named
                .pods
                .push(name.parse().map_err(|error| at.wrong(error))?);
        }
    }
    Ok(named)
}

fn of_templates(at: &At<'_>, pod: &str) -> Vec<NamedVolumeName> {
    let member = |at: &At<'_>, name: &str| {
        let members = at.members().ok()?;
        let found = members.iter().find(|(own, _)| *own == name)?;
        Some(found.1.clone().node.clone())
    };
    let spec = member(at, "spec");
    let with = |node: &yaml::Node| member(&At { node, ..at.clone() }, "volumeClaimTemplates");
    let Some(templates) = spec.as_ref().and_then(with) else {
        return Vec::new();
    };
    let at = At {
        node: &templates,
        ..at.clone()
    };
    let templates = at.list().unwrap_or_default().into_iter();
    let claims = templates.filter_map(|at| Claim::of_template(&at, pod).ok());
    claims.map(|claim| claim.volume).collect()
}
