//! Whose users on the host those of a pod are.

use std::num::NonZeroU32;

use clap::Args;
use engine::pods::spec::Users;
use pod::manifest::{IdMapping, UserNamespace};

use super::users_variable::USERS_VARIABLE;
use crate::wording::failure::Failure;

/// Flags of a pod's user namespace.
#[derive(Debug, Clone, Args)]
pub(crate) struct UserArguments {
    /// The pod's users: auto (IDs that no other pod has), host (the host's), or which IDs are which
    ///
    /// UIDMAP is POD-HOST-COUNT, such as 0-200000-65536: the first ID in the pod, the first on the host, and how many.
    /// Several are written with commas between. Groups are as users where GIDMAP is not given.
    #[arg(long, value_name = "auto|host|UIDMAP[:GIDMAP]", value_parser = users)]
    #[arg(env = USERS_VARIABLE, hide_env = true, hide_short_help = true)]
    userns: Option<Users>,
    /// A range of users of the pod, and which of the host they are
    #[arg(long, value_name = "POD:HOST[:COUNT]", value_parser = range_with_colons)]
    #[arg(hide_short_help = true)]
    uidmap: Vec<IdMapping>,
    /// The same of groups, if they are others
    #[arg(long, value_name = "POD:HOST[:COUNT]", value_parser = range_with_colons)]
    #[arg(hide_short_help = true)]
    gidmap: Vec<IdMapping>,
}

impl UserArguments {
    /// What was asked for.
    ///
    /// # Errors
    /// [`Failure::Usage`] if no pod can have these users.
    pub(crate) fn users(self) -> Result<Users, Failure> {
        let Self {
            userns,
            uidmap,
            gidmap,
        } = self;
        if uidmap.is_empty() && gidmap.is_empty() {
            return Ok(userns.unwrap_or_default());
        }
        // The variable is for pods that don't say.
        let by_variable = std::env::var_os(USERS_VARIABLE).is_some_and(|value| !value.is_empty());
        if !by_variable && userns.is_some_and(|users| users != Users::Usual) {
            return Err(Failure::Usage(
                "--userns and --uidmap or --gidmap say different things; leave out one of them"
                    .to_owned(),
            ));
        }
        let (users, groups) = match (uidmap.is_empty(), gidmap.is_empty()) {
            (true, _) => (gidmap.clone(), gidmap),
            (_, true) => (uidmap.clone(), uidmap),
            _ => (uidmap, gidmap),
        };
        let mapped = UserNamespace::new(users, groups);
        let mapped =
            mapped.map_err(|unfit| Failure::Usage(format!("--uidmap, --gidmap: {unfit}")))?;
        Ok(Users::Mapped(mapped))
    }
}

/// The value of `--userns`.
fn users(text: &str) -> Result<Users, String> {
    match text {
        "auto" => return Ok(Users::Auto),
        "host" => return Ok(Users::Host),
        // A variable that is set to nothing.
        "" => return Ok(Users::default()),
        _ => {}
    }
    let (users, groups) = match text.split_once(':') {
        Some((users, groups)) => (users, Some(groups)),
        None => (text, None),
    };
    let users = ranges(users)?;
    let groups = groups.map_or_else(|| Ok(users.clone()), ranges)?;
    let mapped = UserNamespace::new(users, groups).map_err(|unfit| unfit.to_string())?;
    Ok(Users::Mapped(mapped))
}

fn ranges(text: &str) -> Result<Vec<IdMapping>, String> {
    let read = |range: &str| {
        let fields: Vec<&str> = range.split('-').collect();
        match fields.as_slice() {
            [pod, host, count] => mapping(pod, host, count),
            _ => None,
        }
    };
    let all: Option<Vec<_>> = text.split(',').map(read).collect();
    all.ok_or_else(|| {
        "there are auto, host, and UIDMAP[:GIDMAP], each POD-HOST-COUNT such as 0-200000-65536"
            .to_owned()
    })
}

/// The value of `--uidmap` and of `--gidmap`.
fn range_with_colons(text: &str) -> Result<IdMapping, String> {
    let fields: Vec<&str> = text.split(':').collect();
    let range = match fields.as_slice() {
        [pod, host] => mapping(pod, host, "1"),
        [pod, host, count] => mapping(pod, host, count),
        _ => None,
    };
    range.ok_or_else(|| "a range is POD:HOST:COUNT, such as 0:200000:65536".to_owned())
}

fn mapping(pod: &str, host: &str, count: &str) -> Option<IdMapping> {
    Some(IdMapping {
        container_id: pod.parse().ok()?,
        host_id: host.parse().ok()?,
        size: count.parse::<NonZeroU32>().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(first: u32) -> IdMapping {
        mapping("0", &first.to_string(), "65536").unwrap()
    }

    #[test]
    fn users_are_given_by_a_word_or_by_ranges() {
        assert_eq!(users("auto"), Ok(Users::Auto));
        assert_eq!(users("host"), Ok(Users::Host));
        assert_eq!(users(""), Ok(Users::Usual));
        let mapped = |uids, gids| Ok(Users::Mapped(UserNamespace::new(uids, gids).unwrap()));
        assert_eq!(
            users("0-200000-65536"),
            mapped(vec![map(200_000)], vec![map(200_000)])
        );
        assert_eq!(
            users("0-200000-65536:0-300000-65536"),
            mapped(vec![map(200_000)], vec![map(300_000)])
        );
        for bad in [
            "keep-id",
            "auto:size=1000",
            "0-1",
            "0-1-0",
            "0:200000:65536",
        ] {
            let error = users(bad).unwrap_err();
            assert!(error.contains("POD-HOST-COUNT"), "{bad}: {error}");
        }
        let error = users("0-200000-1000").unwrap_err();
        assert_eq!(error, "65534 in the pod is nothing on the host");
    }

    #[test]
    fn podmans_words_for_ranges_are_understood() {
        assert_eq!(range_with_colons("0:200000:65536"), Ok(map(200_000)));
        assert_eq!(range_with_colons("5:6").unwrap().size.get(), 1);
        range_with_colons("0:1:2:3").unwrap_err();
        let of = |uidmap: &[IdMapping], gidmap: &[IdMapping]| {
            let arguments = UserArguments {
                userns: None,
                uidmap: uidmap.to_vec(),
                gidmap: gidmap.to_vec(),
            };
            arguments.users()
        };
        let both = UserNamespace::new(vec![map(200_000)], vec![map(200_000)]).unwrap();
        assert_eq!(
            of(&[map(200_000)], &[]).unwrap(),
            Users::Mapped(both.clone())
        );
        assert_eq!(of(&[], &[map(200_000)]).unwrap(), Users::Mapped(both));
        assert_eq!(of(&[], &[]).unwrap(), Users::Usual);
        let short = mapping("0", "200000", "10").unwrap();
        assert!(
            of(&[short], &[])
                .unwrap_err()
                .to_string()
                .contains("--uidmap")
        );
    }
}
