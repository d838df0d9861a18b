//! An app of a pod, as one word: `POD` or `POD/APP`.

use pod::AppName;

use crate::wording::failure::Failure;

/// A pod, and perhaps one of its apps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PodApp {
    /// The pod, as it was typed.
    pub(crate) pod: String,
    /// The app, if it is named.
    pub(crate) app: Option<AppName>,
}

/// The value of an argument.
///
/// # Errors
/// Why it is none.
pub(crate) fn pod_app(text: &str) -> Result<PodApp, String> {
    let (pod, app) = match text.split_once('/') {
        None => (text, None),
        Some((pod, app)) => {
            let app = app.parse().map_err(|error| format!("{error}"))?;
            (pod, Some(app))
        }
    };
    match pod {
        "" => Err("a pod must be named".to_owned()),
        pod => Ok(PodApp {
            pod: pod.to_owned(),
            app,
        }),
    }
}

impl PodApp {
    /// The app, where a flag may name it, too.
    ///
    /// # Errors
    /// If both name one, and not the same.
    pub(crate) fn app_or<'a>(
        &'a self,
        by_flag: Option<&'a AppName>,
    ) -> Result<Option<&'a AppName>, Failure> {
        match (&self.app, by_flag) {
            (Some(named), Some(other)) if named != other => Err(Failure::Usage(format!(
                "two apps are named: {named}, and {other} with --app"
            ))),
            (named, other) => Ok(named.as_ref().or(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_named_behind_its_pod_or_by_a_flag() {
        let app = |name: &str| -> AppName { name.parse().unwrap() };
        let (plain, whole) = (pod_app("web").unwrap(), pod_app("web/db").unwrap());
        assert_eq!((&*plain.pod, &plain.app), ("web", &None));
        assert_eq!((&*whole.pod, &whole.app), ("web", &Some(app("db"))));
        assert_eq!(plain.app_or(Some(&app("x"))).unwrap(), Some(&app("x")));
        assert_eq!(plain.app_or(None).unwrap(), None);
        assert_eq!(whole.app_or(Some(&app("db"))).unwrap(), Some(&app("db")));
        whole.app_or(Some(&app("x"))).unwrap_err();
        for bad in ["", "/db", "web/", "web/a/b", "web/No_Name"] {
            pod_app(bad).unwrap_err();
        }
    }
}
