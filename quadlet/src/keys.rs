//! The keys of Quadlet, and what becomes of each: plain tables, from which docs/units.md has its own.

mod container;
mod key;
mod network;
mod pod;
mod resources;

pub(crate) use self::container::CONTAINER;
pub use self::key::{Key, Meaning, Takes};
pub(crate) use self::network::NETWORK;
pub(crate) use self::pod::{KUBE, POD};
pub(crate) use self::resources::{ARTIFACT, BUILD, IMAGE, QUADLET, VOLUME};

/// A section, and its keys.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// Its name, without brackets.
    pub name: &'static str,
    /// The keys that it may have.
    pub keys: &'static [Key],
}

/// All sections that are Quadlet's.
pub const SECTIONS: &[Section] = &[
    Section {
        name: "Container",
        keys: CONTAINER,
    },
    Section {
        name: "Pod",
        keys: POD,
    },
    Section {
        name: "Kube",
        keys: KUBE,
    },
    Section {
        name: "Volume",
        keys: VOLUME,
    },
    Section {
        name: "Network",
        keys: NETWORK,
    },
    Section {
        name: "Image",
        keys: IMAGE,
    },
    Section {
        name: "Build",
        keys: BUILD,
    },
    Section {
        name: "Artifact",
        keys: ARTIFACT,
    },
    Section {
        name: "Quadlet",
        keys: QUADLET,
    },
];

/// The keys of a section.
pub(crate) fn of(section: &str) -> Option<&'static [Key]> {
    let found = SECTIONS.iter().find(|known| known.name == section);
    found.map(|section| section.keys)
}

#[cfg(test)]
mod tests {
    use super::Meaning::Refused;
    use super::*;

    #[test]
    fn each_table_is_in_the_order_of_its_names() {
        for section in SECTIONS {
            let names: Vec<_> = section.keys.iter().map(|key| key.name).collect();
            let mut sorted = names.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(names, sorted, "{}", section.name);
        }
    }

    /// What podman-systemd.unit(5) of podman 6 has.
    #[test]
    fn each_key_of_quadlet_is_known() {
        const KEYS: &[(&str, &str)] = &[
            (
                "Container",
                "AddCapability AddDevice AddHost Annotation AppArmor AutoUpdate CgroupsMode ContainerName ContainersConfModule DNS \
                 DNSOption DNSSearch DropCapability Entrypoint Environment EnvironmentFile EnvironmentHost Exec ExposeHostPort \
                 GIDMap GlobalArgs Group GroupAdd HealthCmd HealthInterval HealthLogDestination HealthMaxLogCount HealthMaxLogSize \
                 HealthOnFailure HealthRetries HealthStartPeriod HealthStartupCmd HealthStartupInterval HealthStartupRetries \
                 HealthStartupSuccess HealthStartupTimeout HealthTimeout HostName HttpProxy IP IP6 Image Label LogDriver LogOpt Mask \
                 Memory Mount Network NetworkAlias NoNewPrivileges Notify PidsLimit Pod PodmanArgs PublishPort Pull ReadOnly \
                 ReadOnlyTmpfs ReloadCmd ReloadSignal Retry RetryDelay Rootfs RunInit SeccompProfile Secret SecurityLabelDisable \
                 SecurityLabelFileType SecurityLabelLevel SecurityLabelNested SecurityLabelType ServiceName ShmSize StartWithPod \
                 StopSignal StopTimeout SubGIDMap SubUIDMap Sysctl Timezone Tmpfs UIDMap Ulimit Unmask User UserNS Volume WorkingDir \
                 RemapGid RemapUid RemapUidSize RemapUsers VolatileTmp",
            ),
            (
                "Pod",
                "AddHost ContainersConfModule DNS DNSOption DNSSearch ExitPolicy GIDMap GlobalArgs HostName IP IP6 Label Network \
                 NetworkAlias PodName PodmanArgs PublishPort ServiceName ShmSize StopTimeout SubGIDMap SubUIDMap UIDMap UserNS Volume \
                 RemapGid RemapUid RemapUidSize RemapUsers",
            ),
            (
                "Volume",
                "ContainersConfModule Copy Device Driver GID GlobalArgs Group Image Label Options PodmanArgs ServiceName Type UID \
                 User VolumeName",
            ),
            (
                "Network",
                "ContainersConfModule DNS DisableDNS Driver Gateway GlobalArgs IPAMDriver IPRange IPv6 InterfaceName Internal Label \
                 NetworkDeleteOnStop NetworkName Options PodmanArgs ServiceName Subnet",
            ),
            (
                "Kube",
                "AutoUpdate ConfigMap ContainersConfModule ExitCodePropagation GlobalArgs KubeDownForce LogDriver LogOpt Network \
                 PodmanArgs PublishPort ServiceName SetWorkingDirectory UserNS Yaml RemapGid RemapUid RemapUidSize RemapUsers",
            ),
            (
                "Image",
                "AllTags Arch AuthFile CertDir ContainersConfModule Creds DecryptionKey GlobalArgs Image ImageTag OS PodmanArgs \
                 Policy Retry RetryDelay ServiceName TLSVerify Variant",
            ),
            ("Quadlet", "DefaultDependencies"),
        ];
        for (section, names) in KEYS {
            let keys = of(section).unwrap();
            let mut known: Vec<_> = keys.iter().map(|key| key.name).collect();
            let mut wanted: Vec<_> = names.split_whitespace().collect();
            known.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(known, wanted, "{section}");
        }
    }

    /// docs/units.md has what is here; `FAIRING_BLESS=1` writes it.
    #[test]
    fn the_documentation_has_the_same_keys() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/units.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (before, _) = text.split_once("### [Container]\n").unwrap();
        let shown: Vec<_> = SECTIONS
            .iter()
            .filter(|section| section.keys.len() > 1)
            .map(shown)
            .collect();
        let whole = format!("{before}{}", shown.join("\n"));
        if std::env::var_os("FAIRING_BLESS").is_some() {
            std::fs::write(path, &whole).unwrap();
            return;
        }
        for (number, (line, wanted)) in text.lines().zip(whole.lines()).enumerate() {
            assert_eq!(
                line,
                wanted,
                "line {}: FAIRING_BLESS=1 writes it",
                number + 1
            );
        }
        assert_eq!(text.len(), whole.len(), "FAIRING_BLESS=1 writes it");
    }

    fn shown(section: &Section) -> String {
        let mut text = format!(
            "### [{}]\n\n| key | what becomes of it |\n|---|---|\n",
            section.name
        );
        let mut refused: Vec<(&str, Vec<String>)> = Vec::new();
        for key in section.keys {
            let name = format!("`{}`", key.name);
            match key.meaning {
                Refused(why) => match refused.iter_mut().find(|(known, _)| *known == why) {
                    Some((_, names)) => names.push(name),
                    None => refused.push((why, vec![name])),
                },
                meaning => text.push_str(&format!("| {name} | {} |\n", meaning.text())),
            }
        }
        text.push_str("\nRefused are\n\n");
        for (why, names) in refused {
            let mut line = String::from("-");
            for word in format!("{}: {why}", names.join(", ")).split(' ') {
                if line.chars().count() + 1 + word.chars().count() > 100 {
                    text.push_str(&format!("{line}\n"));
                    line = String::from(" ");
                }
                line.push_str(&format!(" {word}"));
            }
            text.push_str(&format!("{line}\n"));
        }
        text
    }
}
