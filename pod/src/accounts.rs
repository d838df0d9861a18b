//! Users and groups as an image's `/etc/passwd` and `/etc/group` define them (passwd(5), group(5)).
//!
//! Both files are the image's, so they may hold anything. A line that is not well formed is passed over;
//! a name that is not found is an error and never falls back to a default.

use crate::manifest::{ImageGroups, User};

/// A user or group that the image doesn't know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnknownAccount(String);

/// Who a process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// User ID.
    pub uid: u32,
    /// Primary group ID.
    pub gid: u32,
    /// All groups of the process, the primary one first.
    pub groups: Vec<u32>,
    /// Home directory.
    pub home: String,
}

/// The image's account files, as text.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    /// `/etc/passwd`; empty if the image has none.
    pub passwd: String,
    /// `/etc/group`; empty if the image has none.
    pub group: String,
}

struct Passwd<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

/// 2^32 - 1 means "no change" to setresuid(2): it is nobody's ID.
fn parse_id(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits
        .then(|| text.parse().ok())
        .flatten()
        .filter(|&id| id != u32::MAX)
}

impl Accounts {
    fn users(&self) -> impl Iterator<Item = Passwd<'_>> {
        self.passwd.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let (name, _password) = (fields.next()?, fields.next()?);
            let (uid, gid) = (parse_id(fields.next()?)?, parse_id(fields.next()?)?);
            let (_gecos, home) = (fields.next(), fields.next().unwrap_or_default());
            (!name.is_empty()).then_some(Passwd {
                name,
                uid,
                gid,
                home,
            })
        })
    }

    fn groups(&self) -> impl Iterator<Item = Group<'_>> {
        self.group.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let (name, _password) = (fields.next()?, fields.next()?);
            let gid = parse_id(fields.next()?)?;
            let members = fields.next().unwrap_or_default();
            (!name.is_empty()).then_some(Group { name, gid, members })
        })
    }

    /// The groups that have this user among their members.
    fn groups_of(&self, user: Option<&str>) -> Vec<u32> {
        let Some(user) = user else {
            return Vec::new();
        };
        let groups = self.groups().filter(|group| {
            let mut members = group.members.split(',');
            members.any(|member| member.trim() == user)
        });
        groups.map(|group| group.gid).collect()
    }

    /// Resolves a user and a group as the OCI image specification has them: each a name or a number,
    /// either may be empty.
    ///
    /// # Errors
    /// [`UnknownAccount`] if a name is not in the image.
    pub fn resolve(&self, user: &str, group: &str) -> Result<Identity, UnknownAccount> {
        let unknown = |what: &str, name: &str, file: &str| {
            UnknownAccount(match name.parse() {
                // What the kernel takes for no change.
                Ok(u32::MAX) => format!("{name} means no {what} to the kernel"),
                _ => format!("the {what} `{name}` is not in the image's {file}"),
            })
        };
        let wanted = if user.is_empty() { "0" } else { user };
        let by_name = self.users().find(|u| u.name == wanted);
        let entry = by_name.or_else(|| {
            let uid = parse_id(wanted)?;
            self.users().find(|u| u.uid == uid)
        });
        let (uid, primary) = match (&entry, parse_id(wanted)) {
            (Some(entry), _) => (entry.uid, entry.gid),
            (None, Some(uid)) => (uid, 0),
            (None, None) => return Err(unknown("user", user, "/etc/passwd")),
        };
        let gid = if group.is_empty() {
            primary
        } else {
            self.groups()
                .find(|g| g.name == group)
                .map(|g| g.gid)
                .or_else(|| parse_id(group))
                .ok_or_else(|| unknown("group", group, "/etc/group"))?
        };
        let mut groups = vec![gid];
        // A group named by hand replaces the user's own ones, as `User: "name:group"` does elsewhere.
        if group.is_empty()
            && let Some(entry) = &entry
        {
            for gid in self.groups_of(Some(entry.name)) {
                if !groups.contains(&gid) && groups.len() < GROUPS_MAX {
                    groups.push(gid);
                }
            }
        }
        let home = entry
            .map(|e| e.home)
            .filter(|home| home.starts_with('/'))
            .unwrap_or("/");
        Ok(Identity {
            uid,
            gid,
            groups,
            home: home.to_owned(),
        })
    }
}

impl Accounts {
    /// Gives an identity the further groups that are asked for.
    ///
    /// # Errors
    /// [`UnknownAccount`] if a name is not in the image.
    pub fn add_groups(
        &self,
        mut identity: Identity,
        user: &User,
    ) -> Result<Identity, UnknownAccount> {
        let own = self.users().find(|entry| entry.uid == identity.uid);
        let of_image: Vec<u32> = match user.image_groups {
            Some(ImageGroups::Added) => self.groups_of(own.map(|entry| entry.name)),
            Some(ImageGroups::LeftOut) => {
                identity.groups.truncate(1);
                Vec::new()
            }
            None => Vec::new(),
        };
        let mut add = |gid: u32| {
            if !identity.groups.contains(&gid) && identity.groups.len() < GROUPS_MAX {
                identity.groups.push(gid);
            }
        };
        of_image.into_iter().for_each(&mut add);
        for name in &user.additional_groups {
            let group = self.groups().find(|group| group.name == name);
            let gid = group.map(|group| group.gid).or_else(|| parse_id(name));
            add(gid.ok_or_else(|| {
                UnknownAccount(format!(
                    "the group `{name}` is not in the image's /etc/group"
                ))
            })?);
        }
        user.additional_gids.iter().copied().for_each(add);
        Ok(identity)
    }
}

/// Who needs no file to be known: a user and a group by number.
pub fn by_numbers(user: &str, group: &str) -> Option<(u32, u32)> {
    parse_id(user).zip(parse_id(group))
}

/// Most groups that a process can have (`NGROUPS_MAX`).
const GROUPS_MAX: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn accounts() -> Accounts {
        Accounts {
            passwd: "root:x:0:0:root:/root:/bin/sh\n\
                     broken line\nhuge:x:99999999999:1::/:\n\
                     www-data:x:33:33:www:/var/www:/bin/sh\nnohome:x:7:7\n1000:x:5:5::/num:\n"
                .into(),
            group: "root:x:0:\nadm:x:4:www-data,root\nwww-data:x:33:\ntape:x:26: www-data\nbad\n"
                .into(),
        }
    }

    #[test]
    fn names_numbers_and_defaults() {
        let a = accounts();
        let root = a.resolve("", "").unwrap();
        assert_eq!(
            (root.uid, root.gid, root.groups.as_slice()),
            (0, 0, [0, 4].as_slice())
        );
        assert_eq!(root.home, "/root");
        let www = a.resolve("www-data", "").unwrap();
        assert_eq!((www.uid, www.gid, www.groups), (33, 33, vec![33, 4, 26]));
        let same = a.resolve("33", "").unwrap();
        assert_eq!((same.uid, same.gid), (33, 33));
        let stranger = a.resolve("4242", "").unwrap();
        assert_eq!(
            (stranger.uid, stranger.gid, stranger.home.as_str()),
            (4242, 0, "/")
        );
        assert_eq!(a.resolve("nohome", "").unwrap().home, "/");
    }

    #[test]
    fn groups_of_the_image_are_added_or_left_out_as_asked() {
        let a = accounts();
        let groups = |group: &str, image_groups| {
            let identity = a.resolve("www-data", group).unwrap();
            let user = User {
                image_groups,
                additional_gids: vec![9],
                ..User::default()
            };
            a.add_groups(identity, &user).unwrap().groups
        };
        assert_eq!(groups("", None), [33, 4, 26, 9]);
        assert_eq!(groups("7", None), [7, 9]);
        assert_eq!(groups("7", Some(ImageGroups::Added)), [7, 4, 26, 9]);
        assert_eq!(groups("", Some(ImageGroups::LeftOut)), [33, 9]);
    }

    #[test]
    fn a_group_by_hand_replaces_the_users_own() {
        let id = accounts().resolve("www-data", "adm").unwrap();
        assert_eq!((id.gid, id.groups), (4, vec![4]));
        assert_eq!(accounts().resolve("www-data", "77").unwrap().gid, 77);
    }

    #[test]
    fn a_name_of_digits_is_a_name_first() {
        assert_eq!(accounts().resolve("1000", "").unwrap().uid, 5);
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let a = accounts();
        for (user, group) in [
            ("ghost", ""),
            ("root", "ghosts"),
            ("-1", ""),
            ("4294967295", ""),
            ("+0", ""),
        ] {
            a.resolve(user, group).expect_err(user);
        }
        assert_eq!(Accounts::default().resolve("0", "").unwrap().uid, 0);
    }

    proptest! {
        #[test]
        fn a_user_of_the_file_has_what_its_line_says(name in "[a-z_][a-z0-9_-]{0,15}", uid in 0..u32::MAX,
            gid in 0..u32::MAX, home in "/[a-z/]{0,12}", noise in "([a-z]{1,8}:x[a-z:]{0,8}\n){0,3}") {
            let accounts = Accounts {
                passwd: format!("{noise}{name}:x:{uid}:{gid}::{home}:/bin/sh\n"),
                group: String::new(),
            };
            let expected = Identity { uid, gid, groups: vec![gid], home };
            prop_assert_eq!(accounts.resolve(&name, ""), Ok(expected));
        }

        #[test]
        fn a_number_needs_no_file_and_is_nobody_else(uid in 0..u32::MAX, gid in 0..u32::MAX) {
            let expected = Identity { uid, gid, groups: vec![gid], home: "/".into() };
            let found = Accounts::default().resolve(&uid.to_string(), &gid.to_string());
            prop_assert_eq!(found, Ok(expected));
        }

        #[test]
        fn no_file_makes_an_unknown_name_somebody(passwd in ".*", group in ".*") {
            let accounts = Accounts { passwd, group };
            let found = accounts.resolve("no-such-user", "");
            prop_assert!(found.is_err() || accounts.passwd.contains("no-such-user"));
        }
    }
}
