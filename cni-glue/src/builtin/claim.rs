//! Whose links and rules these are. Two fairings with directories of their own may share a network namespace by mistake
//! or for a trial: neither may take what is the other's for a leftover of its own.
//!
//! Links are told apart by their group, which they have from the moment they are made; the table of rules by its
//! comment. Both follow from the directory where state is kept.

use std::path::Path;

use super::lease::hash;
use crate::error::NetworkError;
use crate::netlink::link::Link;
use crate::nftables::VERSION;

/// Between the version of the rules and whose they are, in the table's comment.
const OF: &str = " of ";

/// A longer path is told by its beginning and its hash: comments have little room.
const LONGEST: usize = 180;

/// Which fairing this is, among those of the network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    owner: String,
    group: u32,
}

/// The table of rules, as its comment tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Table {
    /// There is none.
    Absent,
    /// It is this fairing's, or that of an older version which didn't say; but with other rules.
    Outdated,
    /// It is this fairing's, whole as far as one can see.
    Current,
    /// Another fairing's, which keeps its state there.
    Others(String),
}

impl Claim {
    /// That of the fairing that keeps its state in a directory.
    pub(crate) fn of(state: &Path) -> Self {
        // A directory that isn't there yet has the path that it was given.
        let path = state.canonicalize().unwrap_or_else(|_| state.to_owned());
        let path = path.to_string_lossy();
        let hash = hash(&[&path]);
        let mut owner: String = path.chars().filter(|c| !c.is_control()).collect();
        if owner.len() > LONGEST || owner != path {
            let end = owner.floor_char_boundary(LONGEST);
            owner.truncate(end);
            owner.push_str(&format!("…{hash:010x}"));
        }
        // 0 is the group of links that nobody put into one, and scripts of administrators like small numbers.
        let group = u32::try_from(hash & 0x3fff_ffff).unwrap_or(0) | 0x4000_0000;
        Self { owner, group }
    }

    /// The group of its links.
    pub(crate) fn group(&self) -> u32 {
        self.group
    }

    /// Whether a link with a name of ours was made by another fairing. Those of older versions are in no group.
    pub(crate) fn is_others(&self, link: &Link) -> bool {
        link.group != 0 && link.group != self.group
    }

    /// The comment of its table of rules.
    pub(crate) fn comment(&self) -> String {
        format!("{VERSION}{OF}{}", self.owner)
    }

    /// What a table is to this fairing, by its comment.
    pub(crate) fn table(&self, comment: Option<&str>) -> Table {
        let Some(comment) = comment else {
            return Table::Absent;
        };
        match comment.split_once(OF) {
            Some((_, owner)) if owner != self.owner => Table::Others(owner.into()),
            Some((VERSION, _)) => Table::Current,
            _ => Table::Outdated,
        }
    }

    /// That what is needed is another's.
    pub(crate) fn refused(what: impl Into<String>, owner: Option<String>) -> NetworkError {
        NetworkError::OtherFairing {
            what: what.into(),
            owner,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_ones_own_by_its_comment_alone() {
        let (one, other) = (
            Claim::of(Path::new("/x/a/cni")),
            Claim::of(Path::new("/x/b/cni")),
        );
        assert_eq!(one.table(None), Table::Absent);
        assert_eq!(one.table(Some(&one.comment())), Table::Current);
        assert_eq!(
            one.table(Some(&other.comment())),
            Table::Others("/x/b/cni".into())
        );
        assert_eq!(one.table(Some("rules 3")), Table::Outdated);
        assert_eq!(one.table(Some("rules 1 of /x/a/cni")), Table::Outdated);
        assert_eq!(one.table(Some("")), Table::Outdated);
        assert_ne!(one.group(), other.group());
    }

    #[test]
    fn long_paths_and_odd_ones_fit_into_a_comment_and_still_differ() {
        let long = format!("/{}", "ä".repeat(300));
        let (one, other) = (
            Claim::of(Path::new(&long)),
            Claim::of(Path::new(&format!("{long}b"))),
        );
        assert!(one.comment().len() <= 250);
        assert_ne!(one, other);
        let odd = Claim::of(Path::new("/x/\n/cni"));
        assert!(!odd.comment().contains('\n'));
        assert_ne!(odd.comment(), Claim::of(Path::new("/x//cni")).comment());
    }
}
