//! Variables of an app.

use std::collections::BTreeMap;

use engine::pods::environment::Variable;

use super::about::{About, Place as Wanted};
use super::expansion::expanded;
use super::known::Known;
use crate::kubernetes::{Container, EnvSource, KeyRef};
use crate::reading::{Error, Place};

/// The variables of a container, in their order and by their names.
#[derive(Default)]
pub(super) struct Environment {
    pub(super) list: Vec<Variable>,
    by_name: BTreeMap<String, String>,
}

impl Environment {
    pub(super) fn of(
        container: &Container,
        known: &Known,
        about: &About<'_>,
    ) -> Result<Self, Error> {
        let mut environment = Self::default();
        for from in &container.env_from {
            let data = known.data(&from.name, from.is_secret, from.optional, &from.place)?;
            for (key, value) in data.into_iter().flatten() {
                let value = text(value, key, &from.place)?;
                let name = format!("{}{key}", from.prefix);
                environment.set(&name, value, &from.place)?;
            }
        }
        for variable in &container.env {
            let of_key = |key: &KeyRef, is_secret| {
                let place = &key.place;
                let data = known.data(&key.name, is_secret, key.optional, place)?;
                match data.and_then(|data| data.get(&key.key)) {
                    Some(value) => text(value, &key.key, place).map(Some),
                    None if key.optional => Ok(None),
                    None => Err(place.wrong(format!("{} has no key {}", key.name, key.key))),
                }
            };
            let value = match &variable.source {
                EnvSource::Value(value) => Some(environment.expand(value, &variable.place)?),
                EnvSource::Field(field) => Some(about.field(field, Wanted::Variable)?),
                EnvSource::Resource(resource) => Some(about.resource(resource, Some(container))?),
                EnvSource::ConfigMap(key) => of_key(key, false)?,
                EnvSource::Secret(key) => of_key(key, true)?,
            };
            if let Some(value) = value {
                environment.set(&variable.name, value, &variable.place)?;
            }
        }
        Ok(environment)
    }

    /// A text with the values of these variables.
    pub(super) fn expand(&self, text: &str, place: &Place) -> Result<String, Error> {
        let expanded = expanded(text, &self.by_name);
        expanded.ok_or_else(|| place.wrong("with its variables it becomes longer than 1 MiB"))
    }

    fn set(&mut self, name: &str, value: String, place: &Place) -> Result<(), Error> {
        let wrong =
            |reason: &dyn std::fmt::Display| place.wrong(format!("variable {name:?}: {reason}"));
        if name.bytes().any(|c| !(32..127).contains(&c) || c == b'=') {
            return Err(wrong(&"a name is of printable characters other than `=`"));
        }
        let variable = Variable::parse(&format!("{name}={value}"), |_| None);
        let variable = variable.map_err(|error| wrong(&error))?;
        self.list.extend(variable);
        self.by_name.insert(name.to_owned(), value);
        Ok(())
    }
}

fn text(value: &[u8], key: &str, place: &Place) -> Result<String, Error> {
    let text = String::from_utf8(value.to_vec());
    text.map_err(|_| place.wrong(format!("key {key} is no text")))
}
