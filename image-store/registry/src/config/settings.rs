//! All files together: which rule holds for a name, and what follows from it.

use std::path::PathBuf;
use std::time::Duration;

use image_name::{Location, Named, Reference};

use super::file::ConfigFile;
use super::rule::{Rule, Security};
use super::short_name::ShortNames;
use crate::credentials::Sources;
use crate::environment::Environment;
use crate::error::RegistryError;
use crate::retrying::Retrying;

/// The settings in force.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// The file that counts most first.
    rules: Vec<Rule>,
    pub(crate) plain_http: Option<Vec<String>>,
    pub(super) short_names: ShortNames,
    pub(crate) transfer: Transfer,
    /// What the user gives up for one command, everywhere.
    pub(super) relaxed: Security,
    certificate_folders: Option<Vec<PathBuf>>,
    /// fairing's own credentials.
    pub(crate) auth_folder: Option<PathBuf>,
    /// What the user's environment says.
    pub(crate) environment: Environment,
}

/// Further attempts of which two minutes are more than filled by the pauses.
const RETRIES: u32 = 24;

/// How long and how often something is tried.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Transfer {
    retries: Option<u32>,
    connect_timeout: Option<Duration>,
    stall_timeout: Option<Duration>,
    /// Whether who asks can do without an answer.
    is_brief: bool,
}

impl Transfer {
    /// Further attempts after a transient failure.
    pub(crate) fn retries(&self) -> u32 {
        self.retries.unwrap_or(RETRIES)
    }

    /// To find a host and connect to it.
    pub(crate) fn connect_timeout(&self) -> Duration {
        self.connect_timeout.unwrap_or(Duration::from_secs(15))
    }

    /// Longest silence.
    pub(crate) fn stall_timeout(&self) -> Duration {
        self.stall_timeout.unwrap_or(Duration::from_secs(60))
    }

    /// The same, and no more than what a moment allows.
    pub(super) fn brief(&self) -> Self {
        Self {
            retries: Some(self.retries().min(1)),
            connect_timeout: Some(self.connect_timeout().min(Duration::from_secs(5))),
            stall_timeout: Some(self.stall_timeout().min(Duration::from_secs(10))),
            is_brief: true,
        }
    }
}

/// What a repository is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To read: mirrors will do.
    Read,
    /// To write: only at the place itself.
    Write,
}

/// Where a repository is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) location: Location,
    /// The tag that stands there for the one that is asked for.
    pub(crate) tag: Option<String>,
    pub(crate) security: Security,
}

impl Place {
    fn tagged(mut self, tag: &Option<String>) -> Self {
        self.tag.clone_from(tag);
        self
    }
}

impl Settings {
    /// Adds what a file says that counts less than all before it.
    pub(super) fn add(&mut self, file: ConfigFile) {
        for rule in file.rules {
            if !self.rules.iter().any(|own| own.prefix == rule.prefix) {
                self.rules.push(rule);
            }
        }
        self.plain_http = self.plain_http.take().or(file.plain_http);
        self.short_names
            .add(file.aliases, file.search, file.takes_first_found);
        let transfer = &mut self.transfer;
        transfer.retries = transfer.retries.or(file.retries);
        transfer.connect_timeout = transfer.connect_timeout.or(file.connect_timeout);
        transfer.stall_timeout = transfer.stall_timeout.or(file.stall_timeout);
        self.certificate_folders = self.certificate_folders.take().or(file.certificate_folders);
    }

    /// The places of `reference`, in the order in which they are asked; there is one at least, and
    /// the last is the one that is meant, the others are mirrors of it.
    pub(crate) fn places(
        &self,
        reference: &Reference,
        purpose: Purpose,
    ) -> Result<Vec<Place>, RegistryError> {
        let repository = Location::from(reference.repository());
        let Some((rule, rest)) = self.rule(reference) else {
            return Ok(vec![self.place(repository, Security::default())]);
        };
        if rule.blocked {
            return Err(RegistryError::Blocked {
                reference: reference.to_string(),
                prefix: rule.prefix.to_string(),
                file: rule.file.clone(),
            });
        }
        let mut places = Vec::new();
        if purpose == Purpose::Read {
            let by_digest = reference.digest().is_some();
            for mirror in rule.mirrors.iter().filter(|m| m.pull.allows(by_digest)) {
                let security = mirror.security.clone();
                let place = self.place(mirror.location.join(rest), security);
                places.push(place.tagged(&mirror.tag));
            }
        }
        let location = match &rule.location {
            Some(location) => location.join(rest),
            None => repository,
        };
        let place = self.place(location, rule.security.clone());
        places.push(place.tagged(&rule.tag));
        Ok(places)
    }

    /// How failures are tried again where one command has it otherwise.
    pub(crate) fn retrying(&self) -> Retrying {
        match self.transfer.is_brief {
            true => Retrying::default(),
            false => self.environment.retrying(),
        }
    }

    /// Where credentials are looked for.
    pub(crate) fn credentials(&self) -> Sources {
        Sources::usual(self.auth_folder.clone(), &self.environment)
    }

    /// The place of a registry or of a part of it, for a log-in.
    pub(crate) fn place_of(&self, location: &Location) -> Place {
        self.place(location.clone(), Security::default())
    }

    /// Directories whose subfolders `HOST[:PORT]` hold certificates; the first that has one counts.
    pub(crate) fn certificate_folders(&self) -> Vec<PathBuf> {
        self.certificate_folders.clone().unwrap_or_else(|| {
            ["/etc/containers/certs.d", "/etc/docker/certs.d"]
                .map(PathBuf::from)
                .to_vec()
        })
    }

    /// A rule may say how a place is reached that another rule leads to.
    fn place(&self, location: Location, security: Security) -> Place {
        let own = self.rule(&location).map(|(rule, _)| rule);
        let security = match own {
            Some(rule) => security.or(&rule.security),
            None => security,
        };
        let security = security.or(&self.relaxed);
        Place {
            location,
            tag: None,
            security,
        }
    }

    /// The rule that decides about a name, and what of the name is behind its prefix. Among equals it
    /// is the one of the file that counts most.
    fn rule<'n>(&self, name: impl Into<Named<'n>>) -> Option<(&Rule, &'n str)> {
        let name = name.into();
        let fitting = |rule: &Rule| rule.prefix.rest(name);
        let mut best: Option<(&Rule, &'n str)> = None;
        for rule in &self.rules {
            let outweighs = |best: &Rule| rule.prefix.specificity() > best.prefix.specificity();
            if let Some(rest) = fitting(rule)
                && best.is_none_or(|(best, _)| outweighs(best))
            {
                best = Some((rule, rest));
            }
        }
        best
    }
}
