//! The places that have an image: mirrors, and the one that its name says. Which of them answers
//! changes nothing about the name, by which policy judges.

use image_name::Reference;

use super::client::{Access, Client};
use super::config::{Purpose, Registries};
use crate::error::RegistryError;

/// What it means that one place has not what is asked for while another can't be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Nothing: the other might have it.
    Weak,
    /// That it is not there: it is of no harm if something is not found.
    Strong,
}

/// A client for each place.
pub(super) struct Mirrors {
    /// The mirrors, in the order in which they are asked.
    mirrors: Vec<Client>,
    /// The place itself: what comes after the last mirror.
    itself: Client,
    /// The one that had the image; it is asked first.
    chosen: usize,
    has_chosen: bool,
    /// The one that answered last.
    answered: usize,
}

impl Mirrors {
    /// The places of `reference`, for reading.
    pub(super) fn of(
        reference: &Reference,
        registries: &Registries,
    ) -> Result<Self, RegistryError> {
        let mut mirrors: Vec<Client> = registries
            .settings()
            .places(reference, Purpose::Read)?
            .into_iter()
            .map(|place| Client::at(place, Access::Pull, registries))
            .collect();
        let itself = match mirrors.pop() {
            Some(last) => last,
            None => Client::new(reference, Access::Pull, registries)?,
        };
        Ok(Self {
            mirrors,
            chosen: 0,
            has_chosen: false,
            answered: 0,
            itself,
        })
    }

    /// The client that answered last.
    pub(super) fn answered(&mut self) -> &mut Client {
        self.mirrors
            .get_mut(self.answered)
            .unwrap_or(&mut self.itself)
    }

    /// What the first place gives that has it; `None` if it is nowhere.
    ///
    /// The place that had the image is asked first for all of it, also where signatures came from
    /// another, until it fails.
    pub(super) fn first<T>(
        &mut self,
        missing: Missing,
        mut ask: impl FnMut(&mut Client) -> Result<Option<T>, RegistryError>,
    ) -> Result<Option<T>, RegistryError> {
        let last = self.mirrors.len();
        let others = (0..=last).filter(|place| *place != self.chosen);
        let order: Vec<usize> = std::iter::once(self.chosen).chain(others).collect();
        let mut failed: Vec<(usize, RegistryError)> = Vec::new();
        let mut is_missing = false;
        let mut has_failed = false;
        for (number, place) in order.into_iter().enumerate() {
            let client = self.mirrors.get_mut(place).unwrap_or(&mut self.itself);
            client
                .retry()
                .be_brief(missing == Missing::Strong || number < last);
            let answer = ask(client);
            client.retry().be_brief(false);
            has_failed |= place == self.chosen && answer.as_ref().is_err_and(|e| !is_absence(e));
            match answer {
                Ok(Some(found)) => {
                    self.answered = place;
                    if missing == Missing::Weak && (!self.has_chosen || has_failed) {
                        (self.chosen, self.has_chosen) = (place, true);
                    }
                    return Ok(Some(found));
                }
                Ok(None) => is_missing = true,
                Err(error) => failed.push((place, error)),
            }
        }
        if is_missing && missing == Missing::Strong {
            return Ok(None);
        }
        // The place itself has the last word: what it says is what the user asked for.
        failed.sort_by_key(|(place, _)| *place);
        match failed.pop() {
            Some((place, error)) if place == last && failed.is_empty() => Err(error),
            Some((place, error)) if place == last => Err(RegistryError::NoMirror {
                error: Box::new(error),
                mirrors: failed.into_iter().map(|(_, error)| error).collect(),
            }),
            // The place itself knows that it has none.
            _ => Ok(None),
        }
    }

    /// The clients of all places.
    #[cfg(any(test, feature = "fixture"))]
    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Client> {
        self.mirrors
            .iter_mut()
            .chain(std::iter::once(&mut self.itself))
    }
}

/// Whether a place says that it has not what was asked for, and nothing of itself.
fn is_absence(error: &RegistryError) -> bool {
    matches!(error, RegistryError::Status { status: 404, .. })
}
