//! The files by their names, and what is made of each: so that files can name each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::name::{Kind, SourceName, is_unit_name, pod_name};
use crate::source::Source;
use crate::unit_file::{Entry, UnitFile};

/// A file that was read.
#[derive(Debug)]
pub(crate) struct Parsed<'a> {
    pub(crate) source: &'a Source,
    pub(crate) file: UnitFile,
    /// The unit that is made of it; of a container that is an app of a pod: the pod's.
    pub(crate) service: String,
}

/// What a file that is named by another stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) kind: Kind,
    /// The unit.
    pub(crate) service: String,
    /// What the volume, the network, the image or the pod is called.
    pub(crate) resource: String,
    /// The file that the unit is made of.
    pub(crate) source: PathBuf,
}

/// All files.
#[derive(Debug, Default)]
pub(crate) struct Index<'a> {
    files: BTreeMap<SourceName, &'a Parsed<'a>>,
    /// Those that were not understood.
    refused: BTreeSet<SourceName>,
}

impl<'a> Parsed<'a> {
    pub(crate) fn new(source: &'a Source, file: UnitFile) -> Self {
        let mut parsed = Self {
            source,
            file,
            service: String::new(),
        };
        parsed.service = match parsed.service_name() {
            Some(entry) => source.name.service_called(&entry.value),
            None => source.name.service(),
        };
        parsed
    }

    /// What is said of the unit's name.
    pub(crate) fn service_name(&self) -> Option<&Entry> {
        let section = self.source.name.kind().section();
        let entry = self.file.last(section, "ServiceName")?;
        // Its name would end so twice.
        if entry.value.ends_with(".service") {
            return None;
        }
        is_unit_name(&self.source.name.service_called(&entry.value)).then_some(entry)
    }

    /// The pod of which a container is an app.
    pub(crate) fn pod(&self) -> Option<&Entry> {
        match self.source.name.kind() {
            Kind::Container => self.file.last("Container", "Pod"),
            _ => None,
        }
    }

    /// What is made of it is called so.
    pub(crate) fn resource(&self) -> String {
        let name = &self.source.name;
        let said = |section, key| {
            self.file
                .last(section, key)
                .map(|entry| entry.value.clone())
        };
        match name.kind() {
            Kind::Volume => said("Volume", "VolumeName").unwrap_or_else(|| name.resource()),
            Kind::Network => said("Network", "NetworkName").unwrap_or_else(|| name.resource()),
            Kind::Image => said("Image", "ImageTag")
                .or_else(|| said("Image", "Image"))
                .unwrap_or_default(),
            Kind::Pod => said("Pod", "PodName").unwrap_or_else(|| pod_name(&name.resource())),
            Kind::Container => {
                said("Container", "ContainerName").unwrap_or_else(|| pod_name(&name.resource()))
            }
            _ => String::new(),
        }
    }
}

impl<'a> Index<'a> {
    /// All files of these `sources`, of which some were understood.
    pub(crate) fn new(files: &'a [Parsed<'a>], sources: &[Source]) -> Self {
        let named = files.iter().map(|file| (file.source.name.clone(), file));
        let files: BTreeMap<_, _> = named.collect();
        let all = sources.iter().map(|source| &source.name);
        let refused = all.filter(|name| !files.contains_key(name));
        Self {
            refused: refused.cloned().collect(),
            files,
        }
    }

    /// What a name of a file stands for; `None` if it is none, or there is no such file.
    pub(crate) fn find(&self, text: &str) -> Option<Target> {
        let name: SourceName = text.parse().ok()?;
        if let Some(parsed) = self.files.get(&name) {
            return Some(self.target(parsed, parsed.service.clone(), parsed.resource()));
        }
        // An instance of a template, perhaps the one that systemd puts in.
        let template = name.template()?;
        let parsed = self.files.get(&template)?;
        let instance = name.instance().unwrap_or_default();
        let service = match parsed.service.split_once("@.") {
            Some((prefix, ending)) => format!("{prefix}@{instance}.{ending}"),
            None => parsed.service.clone(),
        };
        let resource = parsed.resource().replace("%i", instance);
        Some(self.target(parsed, service, resource))
    }

    fn target(&self, parsed: &Parsed<'_>, service: String, resource: String) -> Target {
        let pod = parsed.pod().and_then(|entry| {
            let name: SourceName = entry.value.parse().ok()?;
            self.files.get(&name)
        });
        Target {
            kind: parsed.source.name.kind(),
            service: pod.map_or(service, |pod| pod.service.clone()),
            resource,
            source: pod
                .map_or(&parsed.source.path, |pod| &pod.source.path)
                .clone(),
        }
    }

    /// Why a name of a file stands for nothing.
    pub(crate) fn why_not(&self, text: &str) -> String {
        let name = text.parse::<SourceName>().ok();
        match name.is_some_and(|name| self.refused.contains(&name)) {
            true => format!("{text} is not understood"),
            false => format!("there is no file {text}"),
        }
    }

    /// Whether a text is the name of such a file, be it there or not.
    pub(crate) fn is_name(text: &str) -> bool {
        text.parse::<SourceName>().is_ok()
    }
}
