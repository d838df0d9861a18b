//! The table `[user-namespaces]`: whether pods get user namespaces of their own, and from which IDs.

use std::fmt;
use std::path::Path;

use pod::id_blocks::IdRange;
use serde::Deserialize;

use super::subordinate;
use crate::error::{Error, UserNamespaceError};

/// What pods get where nothing is said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum UsualUsers {
    /// A user namespace, with IDs of their own.
    Auto,
    /// The host's.
    Host,
}

impl TryFrom<String> for UsualUsers {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "auto" => Ok(Self::Auto),
            "host" => Ok(Self::Host),
            _ => Err("it is \"auto\" or \"host\""),
        }
    }
}

/// What the table says.
#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "Said")]
pub(super) struct UserNamespaces {
    default: Option<UsualUsers>,
    source: Option<Source>,
}

/// Where pods get their IDs.
#[derive(Debug)]
enum Source {
    /// From this range.
    Ids(IdRange),
    /// From the subordinate ones of this user.
    User(String),
}

/// What one file says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Said {
    default: Option<UsualUsers>,
    ids: Option<Ids>,
    user: Option<String>,
}

impl TryFrom<Said> for UserNamespaces {
    type Error = &'static str;

    fn try_from(said: Said) -> Result<Self, Self::Error> {
        let source = match (said.ids, said.user) {
            (Some(_), Some(_)) => {
                return Err(
                    "`ids` and `user` both say where pods get their IDs: leave one of them out",
                );
            }
            (Some(ids), None) => Some(Source::Ids(ids.0)),
            (None, Some(user)) => Some(Source::User(user)),
            (None, None) => None,
        };
        Ok(Self {
            default: said.default,
            source,
        })
    }
}

impl UserNamespaces {
    pub(super) fn overridden_by(self, later: Self) -> Self {
        Self {
            default: later.default.or(self.default),
            source: later.source.or(self.source),
        }
    }

    /// `None` if it says nothing.
    pub(super) fn default(&self) -> Option<UsualUsers> {
        self.default
    }

    /// Where pods get their IDs.
    pub(super) fn range(&self) -> Result<IdRange, Error> {
        match &self.source {
            Some(Source::Ids(ids)) => Ok(*ids),
            Some(Source::User(user)) => {
                let (users, groups) = (Path::new("/etc/subuid"), Path::new("/etc/subgid"));
                let (uids, gids) = (
                    subordinate::of(user, users)?,
                    subordinate::of(user, groups)?,
                );
                let common = subordinate::largest_common(&uids, &gids);
                common.ok_or_else(|| UserNamespaceError::NoSubordinateIds(user.clone()).into())
            }
            None => Ok(IdRange::DEFAULT),
        }
    }
}

/// `FIRST-LAST`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Ids(IdRange);

/// Why a text is no range of IDs.
#[derive(Debug)]
struct NoIds;

impl fmt::Display for NoIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "ids are FIRST-LAST, such as \"2000224256-2147352575\": 65536 or more, between 65536 and 2147483647",
        )
    }
}

impl TryFrom<String> for Ids {
    type Error = NoIds;

    fn try_from(text: String) -> Result<Self, NoIds> {
        let (first, last) = text.split_once('-').ok_or(NoIds)?;
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| NoIds);
        let (first, last) = (number(first)?, number(last)?);
        let count = last.checked_sub(first).and_then(|n| n.checked_add(1));
        let range = count.and_then(|count| IdRange::new(first, count));
        range.map(Self).ok_or(NoIds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<UserNamespaces, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn ids_are_where_the_table_says() {
        assert_eq!(read("").unwrap().range().unwrap(), IdRange::DEFAULT);
        let own = read("ids = \"131072-262143\"\ndefault = \"auto\"").unwrap();
        assert_eq!(own.default(), Some(UsualUsers::Auto));
        assert_eq!(
            own.range().unwrap(),
            IdRange::new(131_072, 131_072).unwrap()
        );
        let later = read("user = \"nobody-has-this-name\"").unwrap();
        let both = own.overridden_by(later);
        assert_eq!(both.default(), Some(UsualUsers::Auto));
        let error = both.range().unwrap_err().to_string();
        assert!(error.contains("nobody-has-this-name"), "{error}");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in [
            "ids = \"131072\"",
            "ids = \"131072-131073\"",
            "ids = \"0-65535\"",
            "ids = \"262143-131072\"",
            "ids = 131072",
            "default = \"always\"",
            "range = \"1-2\"",
        ] {
            read(bad).unwrap_err();
        }
        let error = read("default = \"always\"").unwrap_err();
        assert!(error.contains("it is \"auto\" or \"host\""), "{error}");
    }

    #[test]
    fn ids_are_in_one_place() {
        let error = read("ids = \"131072-262143\"\nuser = \"fairing\"").unwrap_err();
        assert!(error.contains("`ids` and `user` both say"), "{error}");
    }
}
