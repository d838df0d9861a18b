//! Flags about where images come from.

use clap::ValueEnum;

/// When to fetch an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Pull {
    /// If the store has no image of that name
    #[default]
    Missing,
    /// Every time
    Always,
    /// Every time; if the registry can't be asked, use what the store has
    Newer,
    /// Never: use what the store has
    Never,
}

impl From<Pull> for engine::images::choice::Pull {
    fn from(pull: Pull) -> Self {
        match pull {
            Pull::Missing => Self::Missing,
            Pull::Always => Self::Always,
            Pull::Newer => Self::Newer,
            Pull::Never => Self::Never,
        }
    }
}
