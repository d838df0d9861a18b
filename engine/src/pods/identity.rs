//! Whose process an app is.

use image_store::Image;
use pod::accounts::{Accounts, Identity, UnknownAccount};
use pod::manifest::User;

use super::execution;
use super::spec::AppSpec;
use crate::error::Error;

/// Who an app would be, by the files of accounts of its image.
///
/// # Errors
/// If the image names its user in a way that makes no sense; within, that it knows no such user or group.
pub fn of(
    spec: &AppSpec,
    image: &Image,
    accounts: &Accounts,
) -> Result<Result<Identity, UnknownAccount>, Error> {
    let config = image.config().config().as_ref();
    let of_image = config.and_then(|config| config.user().as_deref());
    let (user, group) = execution::identity(spec, of_image)?;
    let user = user_of(spec, user, group, Vec::new());
    let resolved = accounts.resolve(&user.user, &user.group);
    Ok(resolved.and_then(|identity| accounts.add_groups(identity, &user)))
}

/// The user of an app, and the groups that are asked for, and these.
pub(super) fn user_of(spec: &AppSpec, user: String, group: String, groups: Vec<u32>) -> User {
    let mut additional_gids = Vec::new();
    let mut additional_groups = Vec::new();
    for asked in &spec.groups {
        match asked.parse() {
            Ok(number) => additional_gids.push(number),
            // What is no number is a name of the image's.
            Err(_) => additional_groups.push(asked.clone()),
        }
    }
    additional_gids.extend(groups);
    User {
        user,
        group,
        additional_gids,
        additional_groups,
        image_groups: spec.image_groups,
        umask: spec.umask,
    }
}
