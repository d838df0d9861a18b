//! Why an app can't have a device.

use std::path::PathBuf;

/// Why an app can't have a device.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// There is nothing.
    #[error("device {path}: {source}", path = .path.display())]
    NotThere {
        /// Its path on the host.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// It is something else, or a directory without devices.
    #[error("{} is not a device, and no device is below it", .0.display())]
    NotADevice(PathBuf),
    /// No app sees a device there.
    #[error(
        "an app can't have a device at {0:?}: devices are below /dev, and not in place of what each app has there"
    )]
    Place(String),
    /// More than an app gets.
    #[error("more than {0} devices are too many for an app")]
    TooMany(usize),
    /// No file describes it.
    #[error("device {name} is described in none of {folders}{}", those(.described))]
    NotDescribed {
        /// Its name.
        name: String,
        /// Where descriptions are.
        folders: String,
        /// Some that are described, by name.
        described: Vec<String>,
    },
    /// Two files do, and neither counts more.
    #[error("device {name} is described by both {} and {}", first.display(), second.display())]
    Ambiguous {
        /// Its name.
        name: String,
        /// The one.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// One file does so twice.
    #[error("device {name} is described twice by {}", path.display())]
    Twice {
        /// Its name.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// None of those that can be read does: others may.
    #[error("device {name} is described by no file that can be read: {reasons}")]
    Unread {
        /// Its name.
        name: String,
        /// What is wrong with others.
        reasons: String,
    },
    /// A file is not understood.
    #[error("description of devices {}: {reason}", path.display())]
    Description {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It needs programs of its vendor to be run on the host.
    #[error("device {name} needs hooks, by {}, which are not run ({hooks})", path.display())]
    Hooks {
        /// Its name.
        name: String,
        /// The file that says so.
        path: PathBuf,
        /// When each is called, and its program.
        hooks: String,
    },
    /// It needs what apps don't get.
    #[error("device {name} needs {what}, by {}, which apps don't get", path.display())]
    NotOffered {
        /// Its name.
        name: String,
        /// The file that says so.
        path: PathBuf,
        /// What.
        what: String,
    },
}

fn those(described: &[String]) -> String {
    match described {
        [] => ", nor is any other".to_owned(),
        described => format!("; there are {}", described.join(", ")),
    }
}
