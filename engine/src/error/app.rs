//! Why an app can't be run as asked for.

use std::path::PathBuf;

use pod::manifest::{CredentialName, DuplicateApp, NotAPath, PodManifest};
use pod::{AppName, PodUuid, State};

/// Where cgroups are mounted.
const CGROUPS: &str = "/sys/fs/cgroup";

/// Why an app can't be run as asked for.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Neither the image nor the caller names a program.
    #[error("image {image} names no program to run")]
    NoProgram {
        /// The image.
        image: String,
    },
    /// It is to have a credential that no service manager hands over.
    #[error(
        "no service manager hands over the credential {0}; LoadCredential= in the unit of a service does"
    )]
    NoCredential(CredentialName),
    /// Where the service manager's credentials are said to be is no place.
    #[error("CREDENTIALS_DIRECTORY={}: it is no absolute path", .0.display())]
    CredentialsDirectory(PathBuf),
    /// It is said how its health is checked, but neither the image nor the caller says by what.
    #[error("image {image} has no check of its health")]
    NoHealthcheck {
        /// The image.
        image: String,
    },
    /// It is to join the processes of an app that isn't there.
    #[error("app {app} can't join the processes of app {target}, which the pod does not have")]
    NoSuchTarget {
        /// The app.
        app: AppName,
        /// The other one.
        target: AppName,
    },
    /// It is to join the processes of an app that has none of its own.
    #[error(
        "app {app} can't join the processes of app {target}, which are the pod's (--pid=private)"
    )]
    NoProcessesOfItsOwn {
        /// The app.
        app: AppName,
        /// The other one.
        target: AppName,
    },
    /// Its limits and those of its pod can't hold together.
    #[error("app {app}: {source}")]
    Limits {
        /// The app.
        app: AppName,
        /// Which of them.
        source: pod::manifest::Contradiction,
    },
    /// The program has no name.
    #[error("the program to run of {image} is empty")]
    EmptyProgram {
        /// The image.
        image: String,
    },
    /// The image names no program, and the command begins with what looks like a flag.
    #[error("{image} has no entry point: the program to run would be {word:?}")]
    FlagAsProgram {
        /// The image.
        image: String,
        /// What the command begins with.
        word: String,
    },
    /// A word of the command can't be handed to a program.
    #[error("the command of {image} holds a NUL byte")]
    ZeroByte {
        /// The image.
        image: String,
    },
    /// The working directory that the image names is not one.
    #[error("image {image}: working directory: {source}")]
    Workdir {
        /// The image.
        image: String,
        /// What is wrong with it.
        source: NotAPath,
    },
    /// The image names a group, but no user: that is not to become root.
    #[error("image {image} has the invalid user {user:?}")]
    User {
        /// The image.
        image: String,
        /// What it says.
        user: String,
    },
    /// It must not be root, and is, or may be.
    #[error("{image} must not run as root, and its user is {user}{}", match .user.parse::<u32>() {
        Err(_) if .user != "root" => ", of whom only the image says who that is",
        _ => "",
    })]
    MayBeRoot {
        /// The image.
        image: String,
        /// Its user.
        user: String,
    },
    /// The image's stop signal is not one.
    #[error("image {image} has the invalid stop signal {signal:?}")]
    StopSignal {
        /// The image.
        image: String,
        /// What it says.
        signal: String,
    },
    /// It is to be run as systemd is, which can't be done here.
    #[error(
        "{image} can't be run as systemd is, which needs cgroups of version 2: {CGROUPS} shows none"
    )]
    Systemd {
        /// The image.
        image: String,
    },
    /// A pod has no such app.
    #[error("pod {pod} has no app `{app}`; {}", listed(.apps))]
    Unknown {
        /// The pod, by its name if it has one.
        pod: String,
        /// The app.
        app: AppName,
        /// The apps that it has.
        apps: Vec<AppName>,
    },
    /// A pod has an app of that name.
    #[error("pod {pod} has an app called `{app}` already")]
    Exists {
        /// The pod, by its name if it has one.
        pod: String,
        /// The app.
        app: AppName,
    },
    /// No name is left for an app.
    #[error("no name is left for another app of pod {0}")]
    NoName(PodUuid),
    /// Apps join and leave a pod only while it runs.
    #[error("apps of pod {0} can't be added, started, stopped or removed: it {state}", state = .1.in_words())]
    NotRunning(PodUuid, State),
    /// All that runs of it is frozen.
    #[error("pod {0} is paused, and no app starts in it")]
    Paused(PodUuid),
    /// Two apps of a pod are to have one name.
    #[error("two apps have the name `{0}`")]
    SameName(AppName),
    /// The same, found when the manifest was made.
    #[error(transparent)]
    Duplicate(#[from] DuplicateApp),
}

impl AppError {
    /// That a pod has no such app.
    pub fn unknown(manifest: &PodManifest, app: &AppName) -> Self {
        Self::Unknown {
            pod: manifest.called(),
            app: app.clone(),
            apps: manifest.apps.iter().map(|app| app.name.clone()).collect(),
        }
    }
}

fn listed(apps: &[AppName]) -> String {
    let names: Vec<&str> = apps.iter().map(AppName::as_str).collect();
    match names.is_empty() {
        true => "it has none".to_owned(),
        false => format!("it has {}", names.join(", ")),
    }
}
