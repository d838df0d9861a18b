//! Whose process a container is.

use engine::pods::spec::AppSpec;
use pod::manifest::ImageGroups;

use super::field::SECURITY;
use crate::api::{Int64Value, LinuxContainerSecurityContext, SupplementalGroupsPolicy};
use crate::error::CriError;

/// Most further groups: the kernel gives no process more (`NGROUPS_MAX`).
const GROUPS_MAX: usize = 65_536;

/// Says it of an app.
pub(super) fn set(
    security: &LinuxContainerSecurityContext,
    spec: &mut AppSpec,
) -> Result<(), CriError> {
    let uid = number("run_as_user", security.run_as_user.as_ref())?;
    let gid = number("run_as_group", security.run_as_group.as_ref())?;
    let name = &security.run_as_username;
    spec.user = match (uid, name.as_str()) {
        (Some(_), name) if !name.is_empty() => {
            return Err(invalid("run_as_username", "run_as_user is given, too"));
        }
        (Some(uid), _) => Some(uid.to_string()),
        (None, "") => None,
        (None, name) if name.contains(':') => {
            return Err(invalid("run_as_username", "it holds a colon"));
        }
        (None, name) => Some(name.to_owned()),
    };
    if gid.is_some() && spec.user.is_none() {
        return Err(invalid(
            "run_as_group",
            "it is given without run_as_user or run_as_username",
        ));
    }
    spec.group = gid.map(|gid| gid.to_string());
    let policy = SupplementalGroupsPolicy::try_from(security.supplemental_groups_policy);
    spec.image_groups = match policy {
        // Those that the image gives the user, whatever the primary group is.
        Ok(SupplementalGroupsPolicy::Merge) => Some(ImageGroups::Added),
        Ok(SupplementalGroupsPolicy::Strict) => Some(ImageGroups::LeftOut),
        Err(_) => {
            return Err(invalid(
                "supplemental_groups_policy",
                "there is no such policy",
            ));
        }
    };
    let count = security.supplemental_groups.len();
    if count > GROUPS_MAX {
        return Err(invalid(
            "supplemental_groups",
            &format!("{count} are more than {GROUPS_MAX}"),
        ));
    }
    for group in &security.supplemental_groups {
        let gid = id("supplemental_groups", *group)?;
        spec.groups.push(gid.to_string());
    }
    Ok(())
}

fn number(field: &str, value: Option<&Int64Value>) -> Result<Option<u32>, CriError> {
    value.map(|value| id(field, value.value)).transpose()
}

fn id(field: &str, value: i64) -> Result<u32, CriError> {
    // The last one means no change to the kernel.
    let id = u32::try_from(value).ok().filter(|id| *id != u32::MAX);
    id.ok_or_else(|| invalid(field, &format!("{value} is no id of a user or group")))
}

fn invalid(field: &str, reason: &str) -> CriError {
    CriError::invalid(format!("{SECURITY}.{field}"), reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// User, group and further groups.
    type Identity = (Option<String>, Option<String>, Vec<String>);

    fn of(change: impl FnOnce(&mut LinuxContainerSecurityContext)) -> Result<Identity, String> {
        let mut security = LinuxContainerSecurityContext::default();
        change(&mut security);
        let mut spec = AppSpec::default();
        set(&security, &mut spec).map_err(|error| error.to_string())?;
        Ok((spec.user, spec.group, spec.groups))
    }

    fn some(value: i64) -> Option<Int64Value> {
        Some(Int64Value { value })
    }

    #[test]
    fn users_come_by_number_or_name_and_groups_only_with_them() {
        assert_eq!(of(|_| ()).unwrap(), (None, None, Vec::new()));
        let all = of(|security| {
            security.run_as_user = some(1000);
            security.run_as_group = some(0);
            security.supplemental_groups = vec![7, 8];
        });
        let groups = vec!["7".to_owned(), "8".to_owned()];
        let (user, group) = (Some("1000".to_owned()), Some("0".to_owned()));
        assert_eq!(all.unwrap(), (user, group, groups));
        let named = of(|security| security.run_as_username = "www".to_owned());
        assert_eq!(named.unwrap().0.as_deref(), Some("www"));
    }

    #[test]
    fn what_contradicts_itself_is_refused_by_field() {
        let alone = of(|security| security.run_as_group = some(5)).unwrap_err();
        assert!(alone.contains("security_context.run_as_group: "), "{alone}");
        of(|s| (s.run_as_user, s.run_as_username) = (some(5), "x".into())).unwrap_err();
        of(|security| security.run_as_username = "a:b".into()).unwrap_err();
        of(|security| security.run_as_user = some(-1)).unwrap_err();
        of(|security| security.run_as_user = some(i64::from(u32::MAX))).unwrap_err();
        of(|security| security.supplemental_groups = vec![1 << 40]).unwrap_err();
        of(|security| security.supplemental_groups_policy = 7).unwrap_err();
    }
}
