//! An app of a pod.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::devices::{Device, DeviceRule};
use super::execution::Execution;
use super::image::ImageRecord;
use super::insecure::InsecureOption;
use super::log::Log;
use super::mounts::Mount;
use super::presence::is_default;
use super::probes::{Hooks, Probes};
use super::resources::Resources;
use super::restart::{Restart, RestartRule};
use super::role::Role;
use super::security::Security;
use super::termination::TerminationMessage;
use crate::id::AppName;
use crate::signal::SignalNumber;

/// One process tree with its own root filesystem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct App {
    /// Its name, unique in the pod.
    pub name: AppName,
    /// Its image and what was verified of it.
    pub image: ImageRecord,
    /// What it executes.
    pub execution: Execution,
    /// What keeps it within its bounds.
    #[serde(skip_serializing_if = "is_default", default)]
    pub security: Security,
    /// Which protections the user gave up for it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub insecure_options: BTreeSet<InsecureOption>,
    /// What is mounted in it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub mounts: Vec<Mount>,
    /// Its devices.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub devices: Vec<Device>,
    /// What else it may do with devices. Only an app that has devices or such rules is watched by the kernel.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub device_rules: Vec<DeviceRule>,
    /// Its limits.
    #[serde(skip_serializing_if = "Resources::is_unlimited", default)]
    pub resources: Resources,
    /// The signal that asks it to end.
    pub stop_signal: SignalNumber,
    /// Whether its program is a systemd: process 1 of a pid namespace of its own, with cgroups below its own to manage.
    #[serde(skip_serializing_if = "is_default", default)]
    pub systemd: bool,
    /// Whether it is process 1 of a pid namespace of its own.
    #[serde(skip_serializing_if = "is_default", default)]
    pub own_processes: bool,
    /// The app of its pod whose pid namespace it joins. It ends with that.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub processes_of: Option<AppName>,
    /// What it is to the others.
    #[serde(skip_serializing_if = "is_default", default)]
    pub role: Role,
    /// Whether it is started again when it has ended.
    #[serde(skip_serializing_if = "is_default", default)]
    pub restart: Restart,
    /// What is done after an end with some exit codes, before the policy is asked.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub restart_rules: Vec<RestartRule>,
    /// How it is found out whether it is well.
    #[serde(skip_serializing_if = "is_default", default)]
    pub probes: Probes,
    /// What is done around its start and its end.
    #[serde(skip_serializing_if = "is_default", default)]
    pub hooks: Hooks,
    /// Where it writes why it has ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub termination_message: Option<TerminationMessage>,
    /// Where its output is kept, and how.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub log: Option<Log>,
    /// What it is found by.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub labels: BTreeMap<String, String>,
    /// What others note of it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub annotations: BTreeMap<String, String>,
}

/// The apps of a pod, in the order in which they are started. No two have one name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<App>", into = "Vec<App>")]
pub struct Apps(Vec<App>);

/// Two apps of a pod have one name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pod has an app called `{0}` already")]
pub struct DuplicateApp(pub AppName);

impl Apps {
    /// The app called `name`.
    pub fn get(&self, name: &AppName) -> Option<&App> {
        self.0.iter().find(|app| app.name == *name)
    }

    /// Takes in an app as the last one.
    ///
    /// # Errors
    /// [`DuplicateApp`].
    pub fn add(&mut self, app: App) -> Result<(), DuplicateApp> {
        match self.get(&app.name) {
            Some(_) => Err(DuplicateApp(app.name)),
            None => {
                self.0.push(app);
                Ok(())
            }
        }
    }

    /// Takes the app called `name` out.
    pub fn remove(&mut self, name: &AppName) -> Option<App> {
        let place = self.0.iter().position(|app| app.name == *name)?;
        Some(self.0.remove(place))
    }

    /// The apps, to be changed. Who gives one another name keeps them apart.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, App> {
        self.0.iter_mut()
    }
}

impl std::ops::Deref for Apps {
    type Target = [App];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'a> IntoIterator for &'a Apps {
    type Item = &'a App;
    type IntoIter = std::slice::Iter<'a, App>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl TryFrom<Vec<App>> for Apps {
    type Error = DuplicateApp;

    fn try_from(apps: Vec<App>) -> Result<Self, Self::Error> {
        let mut names = BTreeSet::new();
        match apps.iter().find(|app| !names.insert(&app.name)) {
            Some(second) => Err(DuplicateApp(second.name.clone())),
            None => Ok(Self(apps)),
        }
    }
}

impl From<Apps> for Vec<App> {
    fn from(apps: Apps) -> Self {
        apps.0
    }
}
