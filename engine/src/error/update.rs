//! Why a service could not be given a newer image.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a service could not be given a newer image.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// Somebody else does.
    #[error("another update is running")]
    Busy,
    /// What is remembered of updates can't be understood.
    #[error("{path} can't be understood: {reason}", path = path.display())]
    Records {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The registry can't be asked for an image that has no name of one.
    #[error("image {0} has no name that a registry knows")]
    NoRegistry(String),
    /// What a label says is no policy.
    #[error(
        "app {app} of pod {pod} asks for updates by `{word}`, which is neither `registry` nor `local`"
    )]
    Policy {
        /// The pod.
        pod: String,
        /// Its app.
        app: String,
        /// What the label says.
        word: String,
    },
    /// No service has this pod.
    #[error("pod {0} asks for updates and is not run by a service: nobody could start it again")]
    NoUnit(String),
    /// What was asked for asks for nothing.
    #[error("no running pod that asks for updates is called `{0}`, nor is its service")]
    NotAsking(String),
    /// The service would not start for another reason than its new image.
    #[error("{unit} is left as it is: its image {name} would not start")]
    WouldNotStart {
        /// The service.
        unit: String,
        /// The image.
        name: String,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// No service could be started again. What systemctl(1) said.
    #[error("the service manager can't be asked for anything: {0}")]
    NoManager(String),
    /// systemctl(1) can't be run.
    #[error("cannot run systemctl: {0}")]
    Systemctl(io::Error),
    /// The service manager could not start the service.
    #[error("{unit} does not start: {said}")]
    Restart {
        /// The service.
        unit: String,
        /// What systemctl(1) said.
        said: String,
    },
    /// It takes too long.
    #[error("{unit} is not started after {} s", .limit.as_secs())]
    Slow {
        /// The service.
        unit: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The service was started, and is not what it should be.
    #[error("{unit} does not come up: {why}")]
    NotUp {
        /// The service.
        unit: String,
        /// Why.
        why: String,
    },
    /// The services have their old images again.
    #[error("{names} went back to what was there before: {source}")]
    WentBack {
        /// The names.
        names: String,
        /// What was wrong with the newer images.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The same, and a service does not start with its old image either.
    #[error(
        "{names} went back to what was there before, and that is of no help: {second}; first, {first}"
    )]
    BackInVain {
        /// The names.
        names: String,
        /// What was wrong with the newer images.
        first: String,
        /// What is wrong with the old ones.
        #[source]
        second: Box<dyn StdError + Send + Sync>,
    },
    /// A name stands for an image that somebody else has given it meanwhile.
    #[error("{name} was given another image meanwhile, {digest}")]
    Moved {
        /// The name.
        name: String,
        /// What it stands for.
        digest: String,
    },
    /// The services have their new images still: the old ones may not run any more, or their name is somebody else's.
    #[error("{names} can't go back to what was there before: {source}; first, {first}")]
    NoWayBack {
        /// The names.
        names: String,
        /// What is wrong with the newer images.
        first: String,
        /// Why the old ones may not run.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// An update that was interrupted was undone.
    #[error("an update of {0} was interrupted while it was being taken back")]
    Interrupted(String),
}
