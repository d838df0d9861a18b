//! Flags of the commands that list things.

use clap::Args;

use super::format::Format;

/// How to list.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Show identifiers, digests and times in full
    #[arg(long, visible_alias = "no-trunc")]
    pub(crate) full: bool,
    /// Omit the heading
    #[arg(long)]
    pub(crate) no_legend: bool,
    /// How to show the list
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) format: Format,
}
