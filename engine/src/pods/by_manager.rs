//! What a service manager has to do with the apps of a pod: where they say something of themselves, and credentials.

use std::fs;
use std::path::{Path, PathBuf};

use pod::manifest::{App, AppPath, CredentialName, Mount, MountSource, ReadyWhen, Role, Volume};
use systemd::ServiceManager;
use systemd::manager::{CREDENTIALS_DIRECTORY, NOTIFY_SOCKET, WATCHDOG_USEC};

use super::environment::Variable;
use super::mounts::in_order;
use super::spec::AppSpec;
use crate::error::{AppError, Error};

/// Where an app finds the socket by which it says something of itself.
const NOTIFY_PLACE: &str = "/run/host/notify";
/// Where an app finds its credentials.
const CREDENTIALS_PLACE: &str = "/run/credentials";

/// What a service manager hands to a pod: nothing, if there is none.
#[derive(Debug)]
pub(super) struct ByManager {
    manager: ServiceManager,
    /// Where its credentials are, and all of their names.
    credentials: Option<(PathBuf, Vec<CredentialName>)>,
    /// Whether the pod starts now, so that what it does not hand over is missing.
    is_now: bool,
}

impl ByManager {
    /// That of a pod that starts now; `None` for one that is prepared to be started later.
    ///
    /// # Errors
    /// [`AppError::CredentialsDirectory`], or if its credentials can't be listed.
    pub(super) fn of(manager: Option<&ServiceManager>) -> Result<Self, Error> {
        let directory = manager.and_then(|manager| manager.credentials.clone());
        let credentials = directory.map(|directory| {
            if !directory.is_absolute() {
                return Err(AppError::CredentialsDirectory(directory).into());
            }
            let names = names_in(&directory)?;
            Ok::<_, Error>((directory, names))
        });
        Ok(Self {
            credentials: credentials.transpose()?,
            is_now: manager.is_some(),
            manager: manager.cloned().unwrap_or_default(),
        })
    }

    /// Adds what an app gets; the result is variables for it.
    ///
    /// # Errors
    /// [`AppError::NoCredential`] if it is to have one that isn't handed over.
    pub(super) fn add(
        &self,
        app: &AppSpec,
        ready_when: ReadyWhen,
        mounts: &mut Vec<Mount>,
    ) -> Result<Vec<String>, Error> {
        let mut variables = Vec::new();
        let usual = ready_when == ReadyWhen::Notified && app.role != Role::Init;
        if app.notify.unwrap_or(usual) {
            mounts.extend(mount(NOTIFY_PLACE, MountSource::Notify));
            variables.push(format!("{NOTIFY_SOCKET}={NOTIFY_PLACE}"));
            variables.extend(self.watchdog());
        }
        if let Some(source) = self.credentials_of(&app.credentials)? {
            mounts.extend(mount(CREDENTIALS_PLACE, source));
            variables.push(format!("{CREDENTIALS_DIRECTORY}={CREDENTIALS_PLACE}"));
        }
        Ok(variables)
    }

    /// The names of variables that the app was to have otherwise.
    pub(super) fn overridden<'a>(
        app: &'a AppSpec,
        variables: &'a [String],
    ) -> impl Iterator<Item = &'a str> {
        app.env
            .iter()
            .filter(|own| !variables.iter().any(|variable| variable == own.as_str()))
            .map(Variable::name)
            .filter(|name| {
                variables
                    .iter()
                    .any(|variable| variable.split('=').next() == Some(name))
            })
    }

    /// Gives an app of a pod that was prepared what there is now.
    ///
    /// # Errors
    /// As [`ByManager::add`].
    pub(super) fn renew(&self, app: &mut App, volumes: &[Volume]) -> Result<(), Error> {
        let mut chosen = Vec::new();
        app.mounts.retain(|mount| match &mount.source {
            MountSource::Credentials { names, .. } => {
                chosen.clone_from(names);
                false
            }
            _ => true,
        });
        let mut variables = Vec::new();
        if app.notifies() {
            variables.extend(self.watchdog());
        }
        if let Some(source) = self.credentials_of(&chosen)? {
            app.mounts.extend(mount(CREDENTIALS_PLACE, source));
            variables.push(format!("{CREDENTIALS_DIRECTORY}={CREDENTIALS_PLACE}"));
        }
        app.mounts = in_order(std::mem::take(&mut app.mounts), volumes)?;
        let name = |variable: &String| variable.split('=').next().map(str::to_owned);
        for variable in variables {
            let env = &mut app.execution.env;
            env.retain(|old| name(old) != name(&variable));
            env.push(variable);
        }
        Ok(())
    }

    /// An app that says that it is alive has to do so as often as the pod.
    fn watchdog(&self) -> Option<String> {
        let every = self.manager.watchdog?;
        Some(format!("{WATCHDOG_USEC}={}", every.as_micros()))
    }

    /// The credentials of an app: those that are chosen, or else all.
    fn credentials_of(&self, chosen: &[CredentialName]) -> Result<Option<MountSource>, Error> {
        let offered = self.credentials.as_ref();
        let is_offered = |name: &CredentialName| offered.is_some_and(|(_, all)| all.contains(name));
        if let Some(missing) = chosen.iter().find(|name| self.is_now && !is_offered(name)) {
            return Err(AppError::NoCredential(missing.clone()).into());
        }
        let names = match (chosen.is_empty(), offered) {
            (false, _) => chosen.to_vec(),
            (true, Some((_, all))) => all.clone(),
            (true, None) => return Ok(None),
        };
        Ok((!names.is_empty()).then(|| MountSource::Credentials {
            directory: offered.map(|(directory, _)| directory.clone()),
            names,
        }))
    }
}

fn mount(place: &str, source: MountSource) -> Option<Mount> {
    Some(Mount {
        destination: AppPath::try_from(place.to_owned()).ok()?,
        source,
        options: Vec::new(),
        uid_mappings: Vec::new(),
        gid_mappings: Vec::new(),
        relabel: None,
    })
}

/// The names of all credentials in a directory, in order.
fn names_in(directory: &Path) -> Result<Vec<CredentialName>, Error> {
    let failed = || Error::io("list the credentials in", directory);
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        let is_file = entry.file_type().map_err(failed())?.is_file();
        let name = entry.file_name();
        names.extend(
            name.to_str()
                .filter(|_| is_file)
                .and_then(|name| name.parse().ok()),
        );
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(directory: Option<&Path>) -> ServiceManager {
        ServiceManager {
            credentials: directory.map(Path::to_path_buf),
            watchdog: Some(std::time::Duration::from_secs(2)),
            ..ServiceManager::default()
        }
    }

    fn given(
        by: &ByManager,
        app: &AppSpec,
        when: ReadyWhen,
    ) -> Result<(Vec<String>, Vec<MountSource>), Error> {
        let mut mounts = Vec::new();
        let variables = by.add(app, when, &mut mounts)?;
        let sources = mounts.into_iter().map(|mount| mount.source).collect();
        Ok((variables, sources))
    }

    fn credential(text: &str) -> CredentialName {
        text.parse().unwrap()
    }

    #[test]
    fn apps_get_all_credentials_or_those_that_are_chosen() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b", "a"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        fs::create_dir(dir.path().join("c")).unwrap();
        let by = ByManager::of(Some(&manager(Some(dir.path())))).unwrap();
        let names = |chosen: &[&str]| {
            let app = AppSpec {
                credentials: chosen.iter().map(|name| credential(name)).collect(),
                ..AppSpec::default()
            };
            let (variables, sources) = given(&by, &app, ReadyWhen::Started)?;
            assert_eq!(variables, ["CREDENTIALS_DIRECTORY=/run/credentials"]);
            let [MountSource::Credentials { names, .. }] = &*sources else {
                panic!("{sources:?}");
            };
            Ok::<_, Error>(names.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]).unwrap(), ["a", "b"]);
        assert_eq!(names(&["b"]).unwrap(), ["b"]);
        let error = names(&["c"]).unwrap_err().to_string();
        assert!(error.contains("credential c"), "{error}");
    }

    #[test]
    fn a_directory_that_leads_to_wherever_one_is_is_refused_by_name() {
        let error = ByManager::of(Some(&manager(Some(Path::new("rel"))))).unwrap_err();
        assert!(
            error.to_string().starts_with("CREDENTIALS_DIRECTORY=rel: "),
            "{error}"
        );
    }

    #[test]
    fn a_variable_of_the_apps_own_that_does_not_count_is_known() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "").unwrap();
        let by = ByManager::of(Some(&manager(Some(dir.path())))).unwrap();
        let app = AppSpec {
            env: ["CREDENTIALS_DIRECTORY=", "A=b"]
                .iter()
                .filter_map(|text| Variable::parse(text, |_| None).ok()?)
                .collect(),
            ..AppSpec::default()
        };
        let (variables, _) = given(&by, &app, ReadyWhen::Started).unwrap();
        let own: Vec<_> = ByManager::overridden(&app, &variables).collect();
        assert_eq!(own, ["CREDENTIALS_DIRECTORY"]);
        let same = AppSpec {
            env: Variable::parse("CREDENTIALS_DIRECTORY=/run/credentials", |_| None)
                .unwrap()
                .into_iter()
                .collect(),
            ..AppSpec::default()
        };
        assert_eq!(ByManager::overridden(&same, &variables).count(), 0);
    }

    #[test]
    fn without_a_manager_there_are_none_unless_the_pod_starts_later() {
        let app = AppSpec {
            credentials: vec![credential("a")],
            ..AppSpec::default()
        };
        let now = ByManager::of(Some(&ServiceManager::default())).unwrap();
        assert!(given(&now, &app, ReadyWhen::Started).is_err());
        let none = given(&now, &AppSpec::default(), ReadyWhen::Started).unwrap();
        assert_eq!(none, (Vec::new(), Vec::new()));
        let later = ByManager::of(None).unwrap();
        let (_, sources) = given(&later, &app, ReadyWhen::Started).unwrap();
        assert_eq!(
            sources,
            [MountSource::Credentials {
                directory: None,
                names: vec![credential("a")],
            }]
        );
    }

    #[test]
    fn apps_of_a_pod_that_is_ready_when_they_say_so_get_the_socket() {
        let by = ByManager::of(Some(&manager(None))).unwrap();
        let app = |role, notify| AppSpec {
            role,
            notify,
            ..AppSpec::default()
        };
        for (when, app, says) in [
            (ReadyWhen::Notified, app(Role::Main, None), true),
            (ReadyWhen::Notified, app(Role::Sidecar, None), true),
            (ReadyWhen::Notified, app(Role::Init, None), false),
            (ReadyWhen::Notified, app(Role::Main, Some(false)), false),
            (ReadyWhen::Healthy, app(Role::Main, None), false),
            (ReadyWhen::Healthy, app(Role::Main, Some(true)), true),
        ] {
            let (variables, sources) = given(&by, &app, when).unwrap();
            let expected = ["NOTIFY_SOCKET=/run/host/notify", "WATCHDOG_USEC=2000000"];
            match says {
                true => assert_eq!(
                    (&*variables, &*sources),
                    (&expected.map(str::to_owned)[..], &[MountSource::Notify][..])
                ),
                false => assert!(variables.is_empty() && sources.is_empty()),
            }
        }
    }
}
