//! What is asked of an app's labels, as docker and podman have it.

use pod::selinux::{Context, NotAContext};

/// One thing that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelOption {
    /// No label of its own: who starts it decides.
    Disable,
    /// Another user.
    User(String),
    /// Another role.
    Role(String),
    /// Another type of its processes.
    Type(String),
    /// Another level, of processes and files.
    Level(String),
    /// Another type of its files.
    FileType(String),
}

impl LabelOption {
    /// Parses `disable` or `KEY:VALUE`; `None` if there is no such key.
    ///
    /// # Errors
    /// [`NotAContext`] if the value can't be a part of a label.
    pub fn parse(text: &str) -> Result<Option<Self>, NotAContext> {
        let (key, value) = text.split_once(':').unwrap_or((text, ""));
        let named = value.to_owned();
        let option = match key {
            "disable" if key == text => Self::Disable,
            "user" => Self::User(named),
            "role" => Self::Role(named),
            "type" => Self::Type(named),
            "level" => Self::Level(named),
            "filetype" => Self::FileType(named),
            _ => return Ok(None),
        };
        let any: Context = "u:r:t:s0".parse()?;
        option.apply((any.clone(), any))?;
        Ok(Some(option))
    }

    /// The labels of processes and files with what is asked.
    pub(super) fn apply(
        &self,
        (process, file): (Context, Context),
    ) -> Result<(Context, Context), NotAContext> {
        Ok(match self {
            Self::Disable => (process, file),
            Self::User(user) => (process.with_user(user)?, file),
            Self::Role(role) => (process.with_role(role)?, file),
            Self::Type(kind) => (process.with_type(kind)?, file),
            Self::Level(level) => (process.with_level(level)?, file.with_level(level)?),
            Self::FileType(kind) => (process, file.with_type(kind)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_and_values_are_parts_of_labels() {
        let parse = |text| LabelOption::parse(text).unwrap();
        assert_eq!(parse("disable"), Some(LabelOption::Disable));
        assert_eq!(parse("type:x_t"), Some(LabelOption::Type("x_t".to_owned())));
        let level = LabelOption::Level("s0:c1,c2".to_owned());
        assert_eq!(parse("level:s0:c1,c2"), Some(level));
        for unknown in ["", "nested", "disable:1", "kind:x"] {
            assert_eq!(parse(unknown), None, "{unknown}");
        }
        for bad in [
            "type",
            "type:",
            "type:a b",
            "level:c1 ",
            "user:a:b",
            "filetype:\"",
        ] {
            LabelOption::parse(bad).unwrap_err();
        }
    }
}
