//! Names of files and of the units that are made of them.

use std::fmt;
use std::str::FromStr;

/// Longest name of a unit.
const NAME_MAX: usize = 255;

/// What a file describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `.volume`
    Volume,
    /// `.network`
    Network,
    /// `.image`
    Image,
    /// `.container`
    Container,
    /// `.pod`
    Pod,
    /// `.kube`
    Kube,
    /// Pod YAML without a `.kube`: `.yaml`, `.yml`
    Yaml,
    /// `.build`
    Build,
    /// `.artifact`
    Artifact,
}

impl Kind {
    const ALL: [(&'static str, Self); 10] = [
        ("container", Self::Container),
        ("pod", Self::Pod),
        ("volume", Self::Volume),
        ("network", Self::Network),
        ("image", Self::Image),
        ("kube", Self::Kube),
        ("yaml", Self::Yaml),
        ("yml", Self::Yaml),
        ("build", Self::Build),
        ("artifact", Self::Artifact),
    ];

    /// What such a file's name ends with, without the dot.
    pub fn word(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, kind)| *kind == self);
        found.map_or("", |(word, _)| word)
    }

    /// The section of such a file.
    pub(crate) fn section(self) -> &'static str {
        match self {
            Self::Volume => "Volume",
            Self::Network => "Network",
            Self::Image => "Image",
            Self::Container => "Container",
            Self::Pod => "Pod",
            Self::Kube | Self::Yaml => "Kube",
            Self::Build => "Build",
            Self::Artifact => "Artifact",
        }
    }

    /// What the name of its unit has behind that of the file.
    fn suffix(self) -> &'static str {
        match self {
            Self::Container | Self::Kube | Self::Yaml => "",
            Self::Volume => "-volume",
            Self::Network => "-network",
            Self::Image => "-image",
            Self::Pod => "-pod",
            Self::Build => "-build",
            Self::Artifact => "-artifact",
        }
    }
}

/// The name of a file: `web.container`, the template `web@.container`, its instance `web@a.container`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceName {
    prefix: String,
    instance: Option<String>,
    ending: &'static str,
    kind: Kind,
}

impl FromStr for SourceName {
    type Err = ();

    /// A name of another kind of file is none.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (stem, ending) = text.rsplit_once('.').ok_or(())?;
        let (ending, kind) = Kind::ALL
            .into_iter()
            .find(|(word, _)| *word == ending)
            .ok_or(())?;
        let (prefix, instance) = match stem.split_once('@') {
            Some((prefix, instance)) => (prefix, Some(instance.to_owned())),
            None => (stem, None),
        };
        match prefix.is_empty() || prefix.starts_with('.') {
            true => Err(()),
            false => Ok(Self {
                prefix: prefix.to_owned(),
                instance,
                ending,
                kind,
            }),
        }
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.prefix)?;
        if let Some(instance) = &self.instance {
            write!(f, "@{instance}")?;
        }
        write!(f, ".{}", self.ending)
    }
}

impl SourceName {
    /// What it describes.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What stands between `@` and the ending, of a template nothing.
    pub(crate) fn instance(&self) -> Option<&str> {
        self.instance.as_deref()
    }

    /// The template of which it is an instance.
    pub(crate) fn template(&self) -> Option<Self> {
        let instance = self.instance.as_deref()?;
        (!instance.is_empty()).then(|| self.with_instance(""))
    }

    /// The same with another instance.
    pub(crate) fn with_instance(&self, instance: &str) -> Self {
        Self {
            instance: Some(instance.to_owned()),
            ..self.clone()
        }
    }

    /// The unit of it, if nothing else is said.
    pub(crate) fn service(&self) -> String {
        self.service_called(&format!("{}{}", self.prefix, self.kind.suffix()))
    }

    /// The unit of it, if it is called so.
    pub(crate) fn service_called(&self, name: &str) -> String {
        match &self.instance {
            Some(instance) => format!("{name}@{instance}.service"),
            None => format!("{name}.service"),
        }
    }

    /// The unit by which the container is known that is a part of a pod.
    pub(crate) fn member_alias(&self) -> String {
        self.service_called(&self.prefix)
    }

    /// What is made of it is called so, if nothing else is said: as in podman, but for what the instance of a template
    /// follows.
    pub(crate) fn resource(&self) -> String {
        match self.instance.as_deref() {
            None => format!("systemd-{}", self.prefix),
            Some("") => format!("systemd-{}-%i", self.prefix),
            Some(instance) => format!("systemd-{}-{instance}", self.prefix),
        }
    }

    /// The name without instance and ending.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The directories in which its drop-ins are, from what all files of its kind have to its own.
    pub(crate) fn drop_in_directories(&self) -> Vec<String> {
        let ending = self.ending;
        let mut names = vec![format!("{ending}.d")];
        for (place, _) in self.prefix.match_indices('-') {
            if let Some(part) = self.prefix.get(..=place) {
                names.push(format!("{part}.{ending}.d"));
            }
        }
        if let Some(template) = self.template() {
            names.push(format!("{template}.d"));
        }
        names.push(format!("{self}.d"));
        names.dedup();
        names
    }
}

/// Whether systemd takes a name of a unit.
pub(crate) fn is_unit_name(name: &str) -> bool {
    const KINDS: [&str; 11] = [
        "service",
        "socket",
        "target",
        "device",
        "mount",
        "automount",
        "swap",
        "timer",
        "path",
        "slice",
        "scope",
    ];
    let Some((stem, kind)) = name.rsplit_once('.') else {
        return false;
    };
    let is_good = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    name.len() <= NAME_MAX
        && KINDS.contains(&kind)
        && !stem.is_empty()
        && !stem.starts_with('@')
        && stem.chars().all(is_good)
}

/// A name as pods have them: a label of the DNS. What can't be in one becomes a hyphen.
pub(crate) fn pod_name(text: &str) -> String {
    // What systemd puts in, it puts in.
    if text.contains('%') {
        return text.to_owned();
    }
    let fit = |c: char| match c.to_ascii_lowercase() {
        c @ ('a'..='z' | '0'..='9') => c,
        _ => '-',
    };
    let name: String = text.chars().map(fit).take(63).collect();
    name.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> SourceName {
        text.parse().unwrap()
    }

    #[test]
    fn files_have_units_and_what_they_describe_a_name() {
        for (file, service, resource) in [
            ("web.container", "web.service", "systemd-web"),
            ("web.pod", "web-pod.service", "systemd-web"),
            ("a.b.volume", "a.b-volume.service", "systemd-a.b"),
            ("web.kube", "web.service", "systemd-web"),
            ("web.yaml", "web.service", "systemd-web"),
            ("w@.container", "w@.service", "systemd-w-%i"),
            ("w@x.container", "w@x.service", "systemd-w-x"),
            ("d@.volume", "d-volume@.service", "systemd-d-%i"),
        ] {
            let name = name(file);
            assert_eq!((&*name.service(), &*name.resource()), (service, resource));
            assert_eq!(name.to_string(), file);
        }
        for none in [
            "web",
            "web.txt",
            ".container",
            "@x.container",
            ".x.pod",
            "x.d",
        ] {
            assert!(none.parse::<SourceName>().is_err(), "{none}");
        }
    }

    #[test]
    fn drop_ins_are_where_systemd_has_them() {
        let of = |text| name(text).drop_in_directories().join(" ");
        assert_eq!(
            of("a-b-c.container"),
            "container.d a-.container.d a-b-.container.d a-b-c.container.d"
        );
        assert_eq!(of("w@x.pod"), "pod.d w@.pod.d w@x.pod.d");
        assert_eq!(of("w@.yml"), "yml.d w@.yml.d");
    }

    #[test]
    fn names_of_pods_are_labels() {
        assert_eq!(pod_name("systemd-My_App.x"), "systemd-my-app-x");
        assert_eq!(pod_name("systemd-x-%i"), "systemd-x-%i");
        assert!(pod_name(&"x".repeat(99)).parse::<pod::PodName>().is_ok());
        assert!(is_unit_name("a@b.service") && is_unit_name("x.timer"));
        for bad in [
            "",
            "a",
            ".service",
            "@a.service",
            "a b.service",
            "a/b.service",
            "a.txt",
        ] {
            assert!(!is_unit_name(bad), "{bad}");
        }
    }
}
