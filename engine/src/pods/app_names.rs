//! What the apps of a pod are called.

use std::collections::HashSet;

use pod::{AppName, PodError};

use super::spec::AppSpec;
use crate::error::{AppError, Error};

/// The names of a pod's apps: as asked for, else from the images; those from images get a number
/// where they would be the same.
///
/// # Errors
/// [`AppError::SameName`].
pub(super) fn app_names(apps: &[(&AppSpec, &str)]) -> Result<Vec<AppName>, Error> {
    let mut taken = HashSet::new();
    for (spec, _) in apps {
        if let Some(name) = &spec.name
            && !taken.insert(name.clone())
        {
            return Err(Error::App(AppError::SameName(name.clone())));
        }
    }
    apps.iter()
        .map(|(spec, repository)| {
            if let Some(name) = &spec.name {
                return Ok(name.clone());
            }
            let plain = AppName::from_repository(repository);
            let mut name = plain.clone();
            let mut number = 1;
            while !taken.insert(name.clone()) {
                number += 1;
                let suffix = format!("-{number}");
                let room = pod::id::NAME_MAX - suffix.len();
                let stem: String = plain.as_str().chars().take(room).collect();
                name = format!("{}{suffix}", stem.trim_end_matches('-'))
                    .parse()
                    .map_err(PodError::from)?;
            }
            Ok(name)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(asked: &[&str]) -> Result<Vec<String>, Error> {
        let app = |name: &&str| AppSpec {
            name: (!name.is_empty()).then(|| name.parse().unwrap()),
            ..AppSpec::of("i")
        };
        let apps: Vec<_> = asked.iter().map(app).collect();
        let pairs: Vec<_> = apps.iter().map(|a| (a, "a.io/team/web")).collect();
        Ok(app_names(&pairs)?.into_iter().map(String::from).collect())
    }

    #[test]
    fn apps_of_one_image_get_numbers() {
        assert_eq!(names(&["", "", ""]).unwrap(), ["web", "web-2", "web-3"]);
        assert_eq!(names(&["", "web"]).unwrap(), ["web-2", "web"]);
    }

    #[test]
    fn names_that_were_given_must_differ() {
        let error = names(&["a", "a"]).unwrap_err();
        assert!(
            matches!(error, Error::App(AppError::SameName(_))),
            "{error}"
        );
    }
}
