//! Documents: what they are, and which of them mean something here.

use super::claim::Claim;
use super::keyed::{ConfigMap, Secret};
use super::pod::Pod;
use super::workload;
use crate::reading::{At, Error, Findings};
use crate::schema::LIST;
use yaml::{Node, Value};

/// What means something here.
pub(crate) enum Document {
    Pod(Box<Pod>),
    ConfigMap(ConfigMap),
    Secret(Secret),
    Claim(Claim),
}

/// What is of a cluster, and nothing is worse without it.
const OF_CLUSTER: [(&str, &str); 14] = [
    ("Service", "pods have names and ports of their own"),
    ("Ingress", "pods have ports of their own"),
    ("Namespace", "names are unique on the machine"),
    ("ServiceAccount", "no server asks who an app is"),
    ("Role", "no server asks who an app is"),
    ("RoleBinding", "no server asks who an app is"),
    ("ClusterRole", "no server asks who an app is"),
    ("ClusterRoleBinding", "no server asks who an app is"),
    ("PodDisruptionBudget", "nobody moves pods"),
    ("HorizontalPodAutoscaler", "there is one pod of each kind"),
    ("PriorityClass", "no pod makes way for another"),
    ("StorageClass", "volumes are directories of the machine"),
    ("PersistentVolume", "a claim is a volume here"),
    ("EndpointSlice", "there are no services"),
];

/// What is not, with what helps.
const REFUSED: [(&str, &str); 4] = [
    (
        "CronJob",
        "a timer of systemd starts a unit that runs `fairing play` of a Job",
    ),
    (
        "NetworkPolicy",
        "networks that keep pods apart are made by `fairing network create`",
    ),
    ("ReplicationController", "a Deployment does the same"),
    ("PodTemplate", "a Pod is started as it is"),
];

/// Reads all documents of a text.
///
/// # Errors
/// What makes no sense in one.
pub(crate) fn read_all(documents: &[Node], findings: &Findings) -> Result<Vec<Document>, Error> {
    let mut all = Vec::new();
    for node in documents {
        let at = At {
            node,
            line: node.line,
            path: String::new(),
            findings,
        };
        match read(&at, &mut all) {
            Ok(()) => {}
            // The others are looked at, too.
            Err(Error(reasons)) => reasons.into_iter().for_each(|one| findings.refuse(one)),
        }
    }
    Ok(all)
}

fn read(at: &At<'_>, all: &mut Vec<Document>) -> Result<(), Error> {
    let Head { version, kind, .. } = head(at)?;
    if kind == "List" || (version == "v1" && kind.ends_with("List")) {
        for item in at.object(&LIST)?.each("items", |at| Ok(at.clone()))? {
            read(&item, all)?;
        }
        return Ok(());
    }
    let document = match (&*version, &*kind) {
        ("v1", "Pod") => Document::Pod(Box::new(Pod::read(at)?)),
        ("v1", "ConfigMap") => Document::ConfigMap(ConfigMap::read(at)?),
        ("v1", "Secret") => Document::Secret(Secret::read(at)?),
        ("v1", "PersistentVolumeClaim") => Document::Claim(Claim::read(at)?),
        ("apps/v1", "Deployment" | "ReplicaSet") => {
            Document::Pod(Box::new(workload::deployment(at)?))
        }
        ("apps/v1", "DaemonSet") => Document::Pod(Box::new(workload::daemon_set(at)?)),
        ("apps/v1", "StatefulSet") => Document::Pod(Box::new(workload::stateful_set(at)?)),
        ("batch/v1", "Job") => Document::Pod(Box::new(workload::job(at)?)),
        (version, kind) => {
            if let Some((_, why)) = OF_CLUSTER.iter().find(|(name, _)| *name == kind) {
                at.ignore(format!("{kind} is ignored: {why}"));
                return Ok(());
            }
            let refused = REFUSED.iter().find(|(name, _)| *name == kind);
            return Err(at.wrong(match refused {
                Some((_, help)) => format!("{kind} is not there: {help}"),
                None => format!("kind {kind} of {version} is not known"),
            }));
        }
    };
    all.push(document);
    Ok(())
}

/// What a document says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
}

fn head(at: &At<'_>) -> Result<Head, Error> {
    let text = |node: &Node, name: &str| -> Option<String> {
        let Value::Map(members) = &node.value else {
            return None;
        };
        let member = members.iter().find(|member| member.name == name)?;
        match &member.node.value {
            Value::Word(word) => Some(word.text.clone()),
            _ => None,
        }
    };
    let Value::Map(members) = &at.node.value else {
        return Err(at.wrong(format!(
            "an object of Kubernetes is expected, and this is {}",
            at.what()
        )));
    };
    let metadata = members.iter().find(|member| member.name == "metadata");
    let need = |name: &str| {
        let found = text(at.node, name).filter(|text| !text.is_empty());
        found.ok_or_else(|| at.wrong(format!("{name} is missing")))
    };
    Ok(Head {
        version: need("apiVersion")?,
        kind: need("kind")?,
        name: metadata
            .and_then(|member| text(&member.node, "name"))
            .unwrap_or_default(),
    })
}

/// What all documents of a text say they are, whatever else is in them.
///
/// # Errors
/// If one doesn't say so.
pub(crate) fn heads(documents: &[Node], findings: &Findings) -> Result<Vec<(Head, Node)>, Error> {
    let mut all = Vec::new();
    let mut open: Vec<Node> = documents.iter().rev().cloned().collect();
    while let Some(node) = open.pop() {
        let at = At {
            node: &node,
            line: node.line,
            path: String::new(),
            findings,
        };
        let head = head(&at)?;
        if head.kind.ends_with("List")
            && let Value::Map(members) = &node.value
            && let Some(items) = members.iter().find(|member| member.name == "items")
            && let Value::List(items) = &items.node.value
        {
            open.extend(items.iter().rev().cloned());
            continue;
        }
        all.push((head, node));
    }
    Ok(all)
}
