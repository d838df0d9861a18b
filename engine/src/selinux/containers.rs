//! Which labels containers have, as the policy and the configuration say.

use pod::manifest::{App, PodLabels, PodManifest};
use pod::selinux::{CategoryPair, Context, NotAContext};

use super::asked::LabelOption;

/// What policies for containers have called their types since they exist.
const PROCESS: &str = "system_u:system_r:container_t:s0";
const FILE: &str = "system_u:object_r:container_file_t:s0";
const READ_ONLY_FILE: &str = "system_u:object_r:container_ro_file_t:s0";

/// The labels of containers, in no categories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContainerLabels {
    /// Of their processes.
    process: Context,
    /// Of those that run systemd.
    init: Context,
    /// Of their files.
    file: Context,
    /// Of files that all of them read and none writes.
    read_only_file: Context,
}

/// Types that the configuration names.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Types<'a> {
    pub(crate) process: Option<&'a str>,
    pub(crate) file: Option<&'a str>,
}

impl ContainerLabels {
    /// Those of the policy's file `lxc_contexts` (selinux_lxc_contexts_path(3)), where there is one, with these types, where
    /// others are named. `has_levels` says whether the policy has levels.
    pub(super) fn new(
        lxc_contexts: &str,
        types: Types<'_>,
        has_levels: bool,
    ) -> Result<Self, NotAContext> {
        let label = |key: &str| value(lxc_contexts, key);
        let with = |label: &str, kind: Option<&str>| {
            let label: Context = label.parse()?;
            let label = match kind {
                Some(kind) => label.with_type(kind)?,
                None => label,
            };
            Ok(match has_levels {
                true => label.in_no_categories(),
                false => label.without_level(),
            })
        };
        let process = label("process").unwrap_or(PROCESS);
        Ok(Self {
            process: with(process, types.process)?,
            // A policy without one has one for all.
            init: with(label("init_process").unwrap_or(process), types.process)?,
            file: with(label("file").unwrap_or(FILE), types.file)?,
            read_only_file: with(label("ro_file").unwrap_or(READ_ONLY_FILE), None)?,
        })
    }

    /// That of files that all pods may use.
    pub(super) fn shared_file(self) -> Context {
        self.file
    }

    /// Those of processes and files of apps.
    pub(super) fn of_apps(&self) -> [&Context; 2] {
        [&self.process, &self.file]
    }

    /// Those of layers, of which the kernel takes the first that it knows: an app's processes map files of layers as they lie
    /// there, whatever label its root filesystem has.
    pub(super) fn of_layers(&self) -> [&Context; 2] {
        [&self.read_only_file, &self.file]
    }

    /// Whether pods can be told from each other.
    pub(crate) fn has_levels(&self) -> bool {
        self.process.level().is_some()
    }

    /// Labels a pod that has these categories: itself and its apps, of each of which that is asked.
    pub(crate) fn label_pod<'a>(
        &self,
        manifest: &mut PodManifest,
        asked: impl Iterator<Item = &'a [LabelOption]>,
        categories: Option<CategoryPair>,
    ) -> Result<(), NotAContext> {
        for (app, asked) in manifest.apps.iter_mut().zip(asked) {
            self.label_app(app, asked, categories)?;
        }
        // An app that has another level than its pod could not use what the apps share. There is one in most pods.
        let first = manifest.apps.iter().find_map(|app| {
            let label = &app.security.mount_label;
            label.clone()
        });
        let usual = self.in_pod(&self.file, categories);
        manifest.selinux = Some(PodLabels {
            mount_label: first.unwrap_or(usual),
            categories,
        });
        Ok(())
    }

    /// Labels an app of a pod that has these categories.
    pub(crate) fn label_app(
        &self,
        app: &mut App,
        asked: &[LabelOption],
        categories: Option<CategoryPair>,
    ) -> Result<(), NotAContext> {
        if asked.contains(&LabelOption::Disable) {
            return Ok(());
        }
        let process = match app.systemd {
            true => &self.init,
            false => &self.process,
        };
        let mut labels = (
            self.in_pod(process, categories),
            self.in_pod(&self.file, categories),
        );
        for option in asked {
            labels = option.apply(labels)?;
        }
        let (process, file) = labels;
        app.security.selinux_label = Some(process);
        app.security.mount_label = Some(file);
        Ok(())
    }

    fn in_pod(&self, label: &Context, categories: Option<CategoryPair>) -> Context {
        let label = label.clone();
        categories.map_or(label.clone(), |pair| label.in_categories(pair))
    }
}

/// The value of `key = "value"`, the last one counts.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let of_key = lines.filter(|(name, _)| name.trim() == key);
    let mut values = of_key.map(|(_, value)| value.trim().trim_matches('"'));
    values.rfind(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEDORA: &str = "process = \"system_u:system_r:container_t:s0\"\n\
        content = \"system_u:object_r:virt_var_lib_t:s0\"\n\
        # file = \"a:b:c:s0\"\n\
        file = \"system_u:object_r:container_file_t:s0\"\n\
        ro_file=\"system_u:object_r:container_ro_file_t:s0\"\n\
        init_process = \"system_u:system_r:container_init_t:s0\"\n";

    fn labels(text: &str, types: Types<'_>, has_levels: bool) -> ContainerLabels {
        ContainerLabels::new(text, types, has_levels).unwrap()
    }

    fn manifest() -> PodManifest {
        let text = include_str!("../../../pod/src/manifest/data/every-field.json");
        let mut manifest: PodManifest = serde_json::from_str(text).unwrap();
        for app in manifest.apps.iter_mut() {
            app.security = Default::default();
            app.systemd = false;
        }
        manifest.selinux = None;
        manifest
    }

    fn labelled(asked: &[LabelOption], pair: Option<&str>) -> [Option<String>; 3] {
        let mut manifest = manifest();
        let pair = pair.map(|pair| pair.parse().unwrap());
        labels(FEDORA, Types::default(), true)
            .label_pod(&mut manifest, std::iter::once(asked), pair)
            .unwrap();
        let security = &manifest.apps.first().unwrap().security;
        let own = manifest.selinux.unwrap();
        assert_eq!(own.categories, pair);
        [
            security.selinux_label.as_ref().map(ToString::to_string),
            security.mount_label.as_ref().map(ToString::to_string),
            Some(own.mount_label.to_string()),
        ]
    }

    #[test]
    fn the_policy_says_which_labels_containers_have_and_the_configuration_may_say_otherwise() {
        let shown = |labels: ContainerLabels| {
            let ContainerLabels {
                process,
                init,
                file,
                read_only_file,
            } = labels;
            [process, init, file, read_only_file].map(|label| label.to_string())
        };
        let usual = Types::default();
        assert_eq!(
            shown(labels(FEDORA, usual, true)),
            [
                "system_u:system_r:container_t:s0",
                "system_u:system_r:container_init_t:s0",
                "system_u:object_r:container_file_t:s0",
                "system_u:object_r:container_ro_file_t:s0",
            ]
        );
        assert_eq!(
            shown(labels("", usual, true)),
            [PROCESS, PROCESS, FILE, READ_ONLY_FILE]
        );
        let other = "process = \"u:r:svirt_t:s0-s0:c0.c1023\"\nfile=u:o:f_t:s1\nprocess = \"\"";
        assert_eq!(
            shown(labels(other, usual, true)),
            [
                "u:r:svirt_t:s0",
                "u:r:svirt_t:s0",
                "u:o:f_t:s1",
                READ_ONLY_FILE
            ]
        );
        let types = Types {
            process: Some("p_t"),
            file: Some("f_t"),
        };
        assert_eq!(
            shown(labels(FEDORA, types, false)),
            [
                "system_u:system_r:p_t",
                "system_u:system_r:p_t",
                "system_u:object_r:f_t",
                "system_u:object_r:container_ro_file_t"
            ]
        );
        ContainerLabels::new("process = nonsense", usual, true).unwrap_err();
    }

    #[test]
    fn apps_have_the_categories_of_their_pod_and_what_is_asked_for_them() {
        let some = |text: &str| Some(text.to_owned());
        let process = "system_u:system_r:container_t:s0:c1,c2";
        let file = "system_u:object_r:container_file_t:s0:c1,c2";
        let pair = Some("c1,c2");
        assert_eq!(labelled(&[], pair), [some(process), some(file), some(file)]);
        let mut app = manifest().apps.first().unwrap().clone();
        app.systemd = true;
        labels(FEDORA, Types::default(), true)
            .label_app(&mut app, &[], None)
            .unwrap();
        let label = app.security.selinux_label.unwrap();
        assert_eq!(label.kind(), "container_init_t");
        let disabled = [LabelOption::Type("x".into()), LabelOption::Disable];
        assert_eq!(labelled(&disabled, pair), [None, None, some(file)]);
        let level = [
            LabelOption::Level("s0:c7".into()),
            LabelOption::User("u".into()),
        ];
        let file = "system_u:object_r:container_file_t:s0:c7";
        assert_eq!(
            labelled(&level, pair),
            [some("u:system_r:container_t:s0:c7"), some(file), some(file)]
        );
        let types = [
            LabelOption::Type("p_t".into()),
            LabelOption::FileType("f_t".into()),
        ];
        let file = "system_u:object_r:f_t:s0";
        assert_eq!(
            labelled(&types, None),
            [some("system_u:system_r:p_t:s0"), some(file), some(file)]
        );
    }
}
