//! What prefixes are matched with.

use crate::digest::Digest;
use crate::location::Location;
use crate::reference::Reference;
use crate::repository::Repository;

/// A name as prefixes see it: a place and, for an image, what it is asked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named<'a> {
    /// `HOST[:PORT][/PATH]`, canonical.
    pub(crate) place: &'a str,
    pub(crate) tag: Option<&'a str>,
    pub(crate) digest: Option<&'a Digest>,
}

impl<'a> From<&'a Reference> for Named<'a> {
    fn from(reference: &'a Reference) -> Self {
        Self {
            place: reference.repository().as_str(),
            tag: reference.tag(),
            digest: reference.digest(),
        }
    }
}

impl<'a> From<&'a Repository> for Named<'a> {
    fn from(repository: &'a Repository) -> Self {
        Self {
            place: repository.as_str(),
            tag: None,
            digest: None,
        }
    }
}

impl<'a> From<&'a Location> for Named<'a> {
    fn from(location: &'a Location) -> Self {
        Self {
            place: location.as_str(),
            tag: None,
            digest: None,
        }
    }
}
