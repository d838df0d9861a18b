//! Where files are copied from, and where to: `POD:PATH`, `POD/APP:PATH`, a path of this machine, or `-`.

use std::path::PathBuf;

use pod::AppName;
use pod::manifest::AppPath;

/// One side of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In an app.
    App {
        /// The pod, as it was typed.
        pod: String,
        /// The app, if it is named.
        app: Option<AppName>,
        /// The path in there.
        path: AppPath,
    },
    /// On this machine.
    Here(PathBuf),
    /// A tar file, through standard input or output.
    Stream,
}

/// The value of an argument. What begins with `/` or `.` is a path of this machine, as docker has it.
///
/// # Errors
/// Why it is no place.
pub(crate) fn place(text: &str) -> Result<Place, String> {
    if text == "-" {
        return Ok(Place::Stream);
    }
    if text.is_empty() {
        return Err("a path must not be empty".to_owned());
    }
    let is_path = text.starts_with(['/', '.']);
    let Some((pod, path)) = text.split_once(':').filter(|_| !is_path) else {
        return Ok(Place::Here(PathBuf::from(text)));
    };
    let (pod, app) = match pod.split_once('/') {
        None => (pod, None),
        Some((pod, app)) => {
            let app = app.parse().map_err(|error| format!("{error}"))?;
            (pod, Some(app))
        }
    };
    if pod.is_empty() {
        return Err("a pod must be named before the `:`".to_owned());
    }
    if path.is_empty() {
        return Err("a path must follow the `:`".to_owned());
    }
    let path = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("/{path}"),
    };
    Ok(Place::App {
        pod: pod.to_owned(),
        app,
        path: AppPath::try_from(path).map_err(|error| error.to_string())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_in_a_pod_or_here_or_a_stream() {
        let in_app = |app: Option<&str>, path: &str| Place::App {
            pod: "web".to_owned(),
            app: app.map(|app| app.parse().unwrap()),
            path: path.to_owned().try_into().unwrap(),
        };
        assert_eq!(place("web:/etc/hosts"), Ok(in_app(None, "/etc/hosts")));
        assert_eq!(place("web:etc/."), Ok(in_app(None, "/etc/.")));
        assert_eq!(place("web/db:/a:b"), Ok(in_app(Some("db"), "/a:b")));
        for here in ["/a:b", "./web:x", "../a:b", "file", "a/b"] {
            assert_eq!(place(here), Ok(Place::Here(PathBuf::from(here))));
        }
        assert_eq!(place("-"), Ok(Place::Stream));
        for bad in ["", ":/x", "web:", "web/:x", "web/No_Name:x"] {
            place(bad).unwrap_err();
        }
    }
}
