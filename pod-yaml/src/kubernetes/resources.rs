//! Limits and requests.

use std::collections::BTreeMap;

use crate::reading::{At, Error, Place, Quantity};
use crate::schema::RESOURCES;

/// Amounts by what they are of.
pub(crate) type Amounts = BTreeMap<String, (Place, Quantity)>;

/// `resources`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resources {
    pub(crate) limits: Amounts,
    pub(crate) requests: Amounts,
}

impl Resources {
    pub(crate) fn read(at: &At<'_>) -> Result<Self, Error> {
        let object = at.object(&RESOURCES)?;
        Ok(Self {
            limits: object.read("limits", amounts)?.unwrap_or_default(),
            requests: object.read("requests", amounts)?.unwrap_or_default(),
        })
    }
}

fn amounts(at: &At<'_>) -> Result<Amounts, Error> {
    let members = at.members()?.into_iter();
    let amounts = members.map(|(name, at)| {
        let is_of_bytes =
            matches!(name, "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
        let amount = match is_of_bytes {
            true => Quantity::read_bytes(&at)?,
            false => Quantity::read(&at)?,
        };
        Ok((name.to_owned(), (at.place(), amount)))
    });
    amounts.collect()
}
