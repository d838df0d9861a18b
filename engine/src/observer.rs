//! What the caller of an operation is told while it goes on.

use std::cell::RefCell;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use cni_glue::names::NameServer;
use image_name::{Digest, Reference};
use image_store::{FetchEvent, ImageSource, Interrupt, StoreError};
use pod::{AppName, PodName, PodUuid};
use trust::{Integrity, Verification};

use crate::error::{CallerError, Error};

/// Is told what happens during an operation. Each call is given one; nothing remembers it.
pub trait Observer {
    /// Something that the caller should know, and that stops nothing.
    fn warning(&self, warning: Warning);

    /// Something for those who look for the reason of a behaviour.
    fn detail(&self, _detail: &Detail<'_>) {}

    /// Somebody else uses the image store for longer than a start does, and is waited for.
    fn waits_for_store(&self) {}

    /// Somebody else makes or fills a volume for longer than a start does, and is waited for.
    fn waits_for_volumes(&self) {}

    /// An image that was asked for by this text is looked for there.
    fn looks_up(&self, _text: &str, _source: &ImageSource) {}

    /// A fetch is about to begin; what is returned goes along with it.
    ///
    /// # Errors
    /// Any: the fetch does not begin then.
    fn fetch(&self) -> Result<Box<dyn Transfer>, CallerError> {
        Ok(Box::new(Unattended))
    }
}

/// Goes along with one fetch.
pub trait Transfer {
    /// By what the fetch can be stopped.
    fn interrupt(&self) -> Interrupt {
        Interrupt::default()
    }

    /// The image may be fetched: its layers begin to come.
    fn begins(&mut self, _reference: &Reference) {}

    /// How far it is.
    fn event(&mut self, _event: FetchEvent) {}

    /// All layers have come, or something went wrong.
    ///
    /// # Errors
    /// Any: it is that of the fetch, whatever came of it.
    fn end(self: Box<Self>) -> Result<(), CallerError> {
        Ok(())
    }
}

/// A fetch that nobody looks at and nobody stops.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unattended;

impl Transfer for Unattended {}

/// Something that the caller should know, and that stops nothing.
#[derive(Debug)]
#[non_exhaustive]
pub enum Warning {
    /// Nobody vouches for an image that may run all the same.
    Unsigned {
        /// The image.
        reference: String,
        /// What let it run.
        verification: Verification,
    },
    /// What a fetch has left out, and why.
    Fetch(String),
    /// A later image could not be looked for, and the one of the store is used.
    NotRefreshed {
        /// Its name.
        reference: Reference,
        /// Why.
        error: Error,
    },
    /// A name of the store stands for another image from now on.
    NameMoved {
        /// The name.
        reference: Reference,
        /// What it stood for.
        was: Digest,
        /// What it stands for.
        is: Digest,
    },
    /// A name of the store has stayed what it was, though an image that has it too was fetched.
    NameStays {
        /// The name.
        reference: Reference,
        /// What it stands for.
        digest: Digest,
    },
    /// An older image could be accepted under this name.
    AgeNotRemembered {
        /// The name.
        reference: Reference,
        /// Why.
        error: StoreError,
    },
    /// Name servers that no program asks, since there are too many.
    UnaskedNameServers(Vec<NameServer>),
    /// The check of an image's health is left out, since the isolator can't ask.
    NoHealthcheck {
        /// The image.
        image: String,
        /// The isolator.
        isolator: String,
    },
    /// A pod that was killed has lost its name to one that starts.
    NameOfKilled {
        /// The name.
        name: PodName,
        /// The pod that had it.
        holder: PodUuid,
    },
    /// An app's output is to be entered in a journal that is not there yet.
    NoJournal(&'static str),
    /// A chain of another program's lets nothing of the pods pass.
    ForeignDrops {
        /// Its family, table and name.
        chain: String,
    },
    /// The pod has the host's users, though nobody asked for that.
    HostUsers(HostUsers),
    /// A program that is a systemd is run as any other is: the host's cgroups can't be handed to it.
    PlainSystemd {
        /// Its image.
        image: String,
    },
    /// Nothing keeps a pod apart from the host.
    Unisolated {
        /// Its isolator.
        isolator: String,
        /// What it shares, beside the network.
        by: Vec<String>,
    },
    /// A pod shares with the host what it usually has for itself.
    Shared {
        /// By what.
        by: Vec<String>,
    },
    /// The kernel kills an app sooner than was asked for when memory is short.
    OomScore {
        /// The app.
        app: AppName,
        /// What was asked for.
        asked: i16,
        /// What it is.
        is: i16,
    },
    /// A variable that an app was to have is what the service manager's part of it needs.
    VariableTaken {
        /// The app.
        app: AppName,
        /// The variable.
        variable: String,
    },
    /// Weights for disks count for nothing here.
    UnweighedDisks,
    /// Limits of what is written to disks don't hold for what the kernel writes later.
    BufferedWrites,
    /// Nothing of this machine executes the instructions of virtual machines.
    Translated,
    /// An app may do more than usual.
    Widened {
        /// The app.
        app: AppName,
        /// By what.
        by: Vec<String>,
        /// Whether its root is that of this machine.
        has_users_of_host: bool,
    },
    /// The kernel lets the users of apps trace what is about to become theirs (`fs.suid_dumpable`).
    Traceable,
    /// The monitor of a running pod can't be asked.
    Monitor(Error),
    /// What an isolator said while it cleared what a pod has left.
    Isolator(String),
}

/// Why pods have the host's users where they usually have their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostUsers {
    /// The kernel makes no user namespaces, for this reason.
    Kernel(&'static str),
    /// The data directory is on a filesystem of this kind, where the kernel maps no owners.
    Filesystem(&'static str),
}

impl fmt::Display for HostUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel(reason) => write!(f, "this kernel makes no user namespaces: {reason}"),
            Self::Filesystem(kind) => write!(
                f,
                "the data directory is on {kind}, where the owners of files can't be mapped"
            ),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned {
                reference,
                verification,
            } => write!(f, "image {reference}: {verification}"),
            Self::Fetch(note) => f.write_str(note),
            Self::NotRefreshed { reference, error } => {
                write!(f, "{reference}: a later image can't be looked for: {error}")
            }
            Self::NameMoved { reference, was, is } => {
                write!(f, "{reference} was {was}, is {is} now")
            }
            Self::NameStays { reference, digest } => write!(
                f,
                "{reference} stays {digest}; the image that runs now has the name too, and is in the store by its digest"
            ),
            Self::AgeNotRemembered { reference, error } => {
                write!(f, "when {reference} was signed can't be recorded: {error}")
            }
            Self::NoHealthcheck { image, isolator } => write!(
                f,
                "image {image}: its HEALTHCHECK is left out: isolator {isolator} checks no apps"
            ),
            Self::NameOfKilled { name, holder } => write!(
                f,
                "the name {name} was that of pod {holder}, which was killed; that has no name any more"
            ),
            Self::NoJournal(socket) => write!(
                f,
                "there is no journal yet: {socket} is missing, and what apps write until it is there is lost"
            ),
            Self::UnaskedNameServers(servers) => {
                let servers: Vec<_> = servers.iter().map(ToString::to_string).collect();
                let servers = servers.join(", ");
                write!(
                    f,
                    "programs ask the first three name servers; left out: {servers}"
                )
            }
            Self::HostUsers(reason) => {
                write!(f, "root in the pod is root on the host, since {reason}")
            }
            Self::Unisolated { isolator, by } => write!(
                f,
                "the isolator `{isolator}` keeps nothing apart: the app is a part of this machine, in a root directory of its \
                 own, confined by nothing but what is asked for ({})",
                by.join(", ")
            ),
            Self::Shared { by } => {
                write!(f, "the pod shares with the host what others have for themselves: {}", by.join(", "))
            }
            Self::OomScore { app, asked, is } => write!(
                f,
                "app {app} gets the OOM score adjustment {is}: to lower it to {asked} takes CAP_SYS_RESOURCE on the \
                 host, and the host's users"
            ),
            Self::VariableTaken { app, variable } => write!(
                f,
                "the variable {variable} of app {app} is set for what the service manager hands over, and not as asked for"
            ),
            Self::UnweighedDisks => f.write_str(
                "weights for disks don't count: no disk of this machine has the scheduler bfq \
                 (/sys/block/DISK/queue/scheduler), or an I/O cost model on cgroups of version 2",
            ),
            Self::BufferedWrites => f.write_str(
                "limits of writes hold for direct and synchronous writes alone: with cgroups of version 1, what the kernel \
                 writes later from its cache counts for nobody",
            ),
            Self::Translated => f.write_str(
                "the pod's virtual machine is slow: this processor offers no virtualisation, and a program translates its \
                 instructions (--kvm-accel=tcg asks for that, without a warning)",
            ),
            Self::Widened { app, by, .. } => {
                write!(f, "app {app} may do more than usual: {}", by.join(", "))
            }
            Self::PlainSystemd { image } => write!(
                f,
                "{image} begins with an init, which is hardly good for anything here: it is not process 1, since systemd in a \
                 pod needs a host with cgroups of version 2"
            ),
            Self::Traceable => f.write_str(
                "fs.suid_dumpable is 1, a setting for debugging: an app can trace commands of its user from the moment \
                 that they are that user's",
            ),
            Self::ForeignDrops { chain } => write!(
                f,
                "the chain `{chain}` of another program drops what pods send beyond this host and what is sent to \
                 them, unless a rule lets it pass: `nft insert rule {chain} iifname \"fairing*\" accept` and \
                 `nft insert rule {chain} oifname \"fairing*\" accept` do"
            ),
            Self::Monitor(error) => write!(f, "{error}"),
            Self::Isolator(said) => f.write_str(said),
        }
    }
}

/// Something for those who look for the reason of a behaviour.
#[derive(Debug)]
#[non_exhaustive]
pub enum Detail<'a> {
    /// The isolator that was found.
    Isolator {
        /// Its name.
        name: &'a str,
        /// Its directory.
        path: &'a PathBuf,
    },
    /// The image that was picked.
    Image {
        /// What it was asked for by.
        text: &'a str,
        /// Its name.
        reference: &'a Reference,
        /// Its index or manifest.
        top: &'a Digest,
    },
    /// Layers were checked.
    Integrity {
        /// How deep.
        integrity: Integrity,
        /// How many.
        layers: usize,
        /// How long that took.
        took: Duration,
    },
    /// The app that a socket of a service manager goes to.
    Socket {
        /// The socket's name.
        socket: &'a str,
        /// The app's.
        app: &'a str,
    },
}

impl fmt::Display for Detail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Isolator { name, path } => write!(f, "isolator {name} of {}", path.display()),
            Self::Image {
                text,
                reference,
                top,
            } => write!(f, "{text} is {reference} {top}"),
            Self::Integrity {
                integrity,
                layers,
                took,
            } => write!(
                f,
                "integrity {integrity} of {layers} layers checked in {} us",
                took.as_micros()
            ),
            Self::Socket { socket, app } => write!(f, "socket {socket:?} goes to app {app}"),
        }
    }
}

/// Keeps the warnings for whoever asks for them afterwards.
#[derive(Debug, Default)]
pub struct Warnings(RefCell<Vec<Warning>>);

impl Warnings {
    /// What was warned of, in order.
    pub fn into_vec(self) -> Vec<Warning> {
        self.0.into_inner()
    }
}

impl Observer for Warnings {
    fn warning(&self, warning: Warning) {
        self.0.borrow_mut().push(warning);
    }
}
