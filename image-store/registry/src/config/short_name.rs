//! What names without a registry mean.

use image_name::{DOCKER_HUB, Location, Reference};

use crate::error::RegistryError;

/// Aliases and search list.
#[derive(Debug, Clone, Default)]
pub(super) struct ShortNames {
    /// The file that counts most first.
    aliases: Vec<(String, Location)>,
    search: Option<Vec<Location>>,
    first_found: Option<bool>,
}

impl ShortNames {
    pub(super) fn add(
        &mut self,
        aliases: Vec<(String, Location)>,
        search: Option<Vec<Location>>,
        first_found: Option<bool>,
    ) {
        self.aliases.extend(aliases);
        self.search = self.search.take().or(search);
        self.first_found = self.first_found.or(first_found);
    }

    pub(super) fn takes_first_found(&self) -> bool {
        self.first_found.unwrap_or(false)
    }

    /// The images that `text` may mean.
    pub(super) fn candidates(&self, text: &str) -> Result<Vec<Reference>, RegistryError> {
        // Also says what is wrong with it, in the words of the user.
        let plain = Reference::parse(text)?;
        if !Reference::is_short(text) {
            return Ok(vec![plain]);
        }
        let (name, version) = split(text);
        if let Some((_, place)) = self.aliases.iter().find(|(alias, _)| alias == name) {
            return Ok(vec![Reference::parse(&format!("{place}{version}"))?]);
        }
        let Some(search) = &self.search else {
            return Ok(vec![plain]);
        };
        let mut candidates = Vec::with_capacity(search.len());
        for place in search {
            let candidate = Reference::parse(&format!("{place}/{text}"))?;
            if !candidates.contains(&candidate) {
                candidates.push(candidate);
            }
        }
        if candidates.is_empty() {
            return Err(RegistryError::InvalidReference {
                reference: text.to_owned(),
                reason: format!(
                    "the list of registries for short names is empty; write HOST/{text}, such as {DOCKER_HUB}/{}",
                    plain.path()
                ),
            });
        }
        Ok(candidates)
    }
}

/// Splits `NAME[:TAG][@DIGEST]` of a short name.
fn split(text: &str) -> (&str, &str) {
    let start = text.rfind('/').map_or(0, |slash| slash + 1);
    let end = text
        .get(start..)
        .and_then(|last| last.find([':', '@']))
        .map_or(text.len(), |at| start + at);
    text.split_at(end)
}
