//! Security contexts: `user:role:type`, with a level behind it where the policy has levels.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::category_pair::CategoryPair;

/// Longest text of one that is taken: a policy's categories, all named one by one, would be longer, and nobody does that.
const LONGEST: usize = 1024;

/// The label of a process or of a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Context {
    user: String,
    role: String,
    kind: String,
    level: Option<String>,
}

/// A text that is no label, or no part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a label of SELinux, such as system_u:system_r:container_t:s0")]
pub struct NotAContext(pub String);

impl Context {
    /// Its type.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Its level, if the policy has levels.
    pub fn level(&self) -> Option<&str> {
        self.level.as_deref()
    }

    /// The same with another user.
    ///
    /// # Errors
    /// [`NotAContext`], as of all that follow.
    pub fn with_user(self, user: &str) -> Result<Self, NotAContext> {
        let user = word(user)?;
        Ok(Self { user, ..self })
    }

    /// The same with another role.
    ///
    /// # Errors
    /// [`NotAContext`].
    pub fn with_role(self, role: &str) -> Result<Self, NotAContext> {
        let role = word(role)?;
        Ok(Self { role, ..self })
    }

    /// The same with another type.
    ///
    /// # Errors
    /// [`NotAContext`].
    pub fn with_type(self, kind: &str) -> Result<Self, NotAContext> {
        let kind = word(kind)?;
        Ok(Self { kind, ..self })
    }

    /// The same at another level.
    ///
    /// # Errors
    /// [`NotAContext`].
    pub fn with_level(self, level: &str) -> Result<Self, NotAContext> {
        let level = Some(level_of(level)?);
        Ok(Self { level, ..self })
    }

    /// The same without a level, for a policy that has none.
    #[must_use]
    pub fn without_level(self) -> Self {
        Self {
            level: None,
            ..self
        }
    }

    /// The same in these categories alone, at the sensitivity that it has. Without a level it stays as it is.
    #[must_use]
    pub fn in_categories(self, pair: CategoryPair) -> Self {
        let level = self
            .level
            .as_deref()
            .map(|level| format!("{}:{pair}", sensitivity(level)));
        Self { level, ..self }
    }

    /// The same in no categories: what all pods may use.
    #[must_use]
    pub fn in_no_categories(self) -> Self {
        let level = self.level.as_deref().map(sensitivity).map(str::to_owned);
        Self { level, ..self }
    }
}

/// The lower sensitivity of a level, without categories.
fn sensitivity(level: &str) -> &str {
    let end = level.find([':', '-']).unwrap_or(level.len());
    level.get(..end).unwrap_or(level)
}

/// A user, a role, or a type.
fn word(text: &str) -> Result<String, NotAContext> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    match !text.is_empty() && text.len() <= LONGEST && text.bytes().all(good) {
        true => Ok(text.to_owned()),
        false => Err(NotAContext(text.to_owned())),
    }
}

/// A level, or a range of them: `s0`, `s0:c1,c2`, `s0-s0:c0.c1023`.
fn level_of(text: &str) -> Result<String, NotAContext> {
    let name = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let one = |level: &str| match level.split_once(':') {
        None => name(level),
        Some((sensitivity, categories)) => {
            name(sensitivity) && categories.split([',', '.']).all(name)
        }
    };
    match text.len() <= LONGEST && text.split('-').count() <= 2 && text.split('-').all(one) {
        true => Ok(text.to_owned()),
        false => Err(NotAContext(text.to_owned())),
    }
}

impl std::str::FromStr for Context {
    type Err = NotAContext;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |_| NotAContext(text.to_owned());
        let mut parts = text.splitn(4, ':');
        let mut next = || parts.next().unwrap_or_default();
        let (user, role, kind) = (next(), next(), next());
        Ok(Self {
            user: word(user).map_err(wrong)?,
            role: word(role).map_err(wrong)?,
            kind: word(kind).map_err(wrong)?,
            level: parts.next().map(level_of).transpose().map_err(wrong)?,
        })
    }
}

impl TryFrom<String> for Context {
    type Error = NotAContext;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Context> for String {
    fn from(context: Context) -> Self {
        context.to_string()
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            user, role, kind, ..
        } = self;
        write!(f, "{user}:{role}:{kind}")?;
        match &self.level {
            Some(level) => write!(f, ":{level}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(text: &str) -> Context {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_read_is_written_again() {
        for text in [
            "system_u:system_r:container_t:s0",
            "system_u:object_r:container_file_t:s0:c1,c1023",
            "unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023",
            "u:r:t:s15:c0.c3,c7-s15:c0.c1023",
            "user_u:user_r:user-t.x",
        ] {
            assert_eq!(context(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_label_is_refused() {
        for text in [
            "",
            "kernel",
            "a:b",
            "a:b:",
            "a::c",
            "a:b:c:",
            "a:b:c:s0:",
            "a:b:c:s0:c1,",
            "a:b:c:s0-s0-s0",
            "a:b:c d",
            "a:b:c:s0\"",
            "a:b:c:s0\0",
            "a:b:c:s0,context=x",
            "a:b:c\n",
        ] {
            let error = text.parse::<Context>().unwrap_err();
            assert_eq!(error, NotAContext(text.to_owned()));
        }
        assert!(
            format!("a:b:{}", "c".repeat(2000))
                .parse::<Context>()
                .is_err()
        );
    }

    #[test]
    fn each_part_can_be_another() {
        let base = context("system_u:system_r:container_t:s0");
        let other = base
            .clone()
            .with_user("u")
            .and_then(|c| c.with_role("r"))
            .and_then(|c| c.with_type("t"))
            .and_then(|c| c.with_level("s0:c5"));
        assert_eq!(other.unwrap().to_string(), "u:r:t:s0:c5");
        for wrong in ["", "a:b", "x y", "c,d"] {
            base.clone().with_type(wrong).unwrap_err();
            base.clone().with_user(wrong).unwrap_err();
        }
        base.with_level("s0;").unwrap_err();
    }

    #[test]
    fn categories_come_and_go_behind_the_lower_sensitivity() {
        let pair: CategoryPair = "c3,c4".parse().unwrap();
        for (level, with, without) in [
            ("a:b:c:s0", "a:b:c:s0:c3,c4", "a:b:c:s0"),
            ("a:b:c:s2-s3:c0.c9", "a:b:c:s2:c3,c4", "a:b:c:s2"),
            ("a:b:c:s1:c7", "a:b:c:s1:c3,c4", "a:b:c:s1"),
            ("a:b:c", "a:b:c", "a:b:c"),
        ] {
            let base = context(level);
            assert_eq!(base.clone().in_categories(pair).to_string(), with);
            assert_eq!(base.in_no_categories().to_string(), without);
        }
    }
}
