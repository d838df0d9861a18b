//! The directories that networks are configured in.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::list::{NetworkList, Source};
use super::selection::{DEFAULT, NetworkRequest, Selection};
use crate::builtin;
use crate::id::NetworkName;
use crate::record::{self, FileError};

/// A directory of network configurations.
#[derive(Debug, Clone)]
pub struct ConfigFolder {
    /// Where it is; it need not exist.
    pub path: PathBuf,
    /// Whether a file that can't be understood is an error at once. In a directory that is shared with other programs,
    /// it is one only for who asks for a network that isn't found.
    pub own: bool,
}

/// The networks that pods can join, in the order in which they give interfaces.
#[derive(Debug)]
pub struct Networks {
    lists: Vec<NetworkList>,
    broken: Vec<ConfigError>,
}

impl Networks {
    /// Reads the directories, in order: of two networks of one name, and of two files of one name, the first counts. The
    /// built-in networks come last.
    ///
    /// # Errors
    /// If a directory can't be read, or a file in a directory of this project's own.
    pub fn load(folders: &[ConfigFolder]) -> Result<Self, ConfigError> {
        let mut lists: Vec<(String, NetworkList)> = Vec::new();
        let mut broken = Vec::new();
        let mut seen_files = BTreeSet::new();
        for folder in folders {
            for file in record::names(&folder.path)? {
                let path = folder.path.join(&file);
                if !is_configuration(&path) || !seen_files.insert(file.clone()) {
                    continue;
                }
                match read(&path) {
                    Ok(Some(list)) if lists.iter().any(|(_, other)| other.name == list.name) => (),
                    Ok(list) => lists.extend(list.map(|list| (file, list))),
                    Err(error) if folder.own => return Err(error),
                    Err(error) => broken.push(error),
                }
            }
        }
        lists.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut lists: Vec<_> = lists.into_iter().map(|(_, list)| list).collect();
        for list in builtin::networks() {
            if !lists.iter().any(|other| other.name == list.name) {
                lists.push(list);
            }
        }
        Ok(Self { lists, broken })
    }

    /// All of them.
    pub fn lists(&self) -> &[NetworkList] {
        &self.lists
    }

    /// The network of that name.
    pub fn get(&self, name: &NetworkName) -> Option<&NetworkList> {
        self.lists.iter().find(|list| list.name == *name)
    }

    /// Files that could not be understood.
    pub fn broken(&self) -> &[ConfigError] {
        &self.broken
    }

    /// The networks that were asked for, in the order of their interfaces.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] names those that there are not, [`ConfigError::Argument`] what a built-in one can't be
    /// told.
    pub fn select(
        &self,
        selection: &Selection,
    ) -> Result<Vec<(&NetworkList, NetworkRequest)>, ConfigError> {
        let requests = match selection {
            Selection::None | Selection::Host => return Ok(Vec::new()),
            Selection::All => {
                let wanted = |list: &&NetworkList| {
                    list.source != Source::BuiltIn || list.name.as_str() == DEFAULT
                };
                let request = |list: &NetworkList| NetworkRequest {
                    name: list.name.clone(),
                    arguments: Vec::new(),
                };
                return Ok(self
                    .lists
                    .iter()
                    .filter(wanted)
                    .map(|list| (list, request(list)))
                    .collect());
            }
            Selection::Named(requests) => requests,
        };
        let missing: Vec<_> = requests
            .iter()
            .filter(|request| self.get(&request.name).is_none())
            .map(|request| request.name.clone())
            .collect();
        if !missing.is_empty() {
            return Err(ConfigError::Unknown {
                missing,
                known: self.lists.iter().map(|list| list.name.clone()).collect(),
                broken: self.first_broken().map(Box::new),
            });
        }
        let mut chosen = Vec::new();
        for list in &self.lists {
            if let Some(request) = requests.iter().find(|request| request.name == list.name) {
                builtin::check_arguments(list, &request.arguments).map_err(|reason| {
                    ConfigError::Argument {
                        network: list.name.clone(),
                        reason,
                    }
                })?;
                chosen.push((list, request.clone()));
            }
        }
        Ok(chosen)
    }

    fn first_broken(&self) -> Option<ConfigError> {
        match self.broken.first()? {
            ConfigError::Invalid { path, source } => {
                Some(ConfigError::File(FileError::damaged(path, source)))
            }
            other => Some(ConfigError::File(FileError::damaged(Path::new(""), other))),
        }
    }
}

fn is_configuration(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| matches!(extension, "conflist" | "conf" | "json"))
}

/// An empty file hides those of its name in later directories.
fn read(path: &Path) -> Result<Option<NetworkList>, ConfigError> {
    let bytes = record::read(path)?.unwrap_or_default();
    if bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    NetworkList::parse(&bytes, Source::File(path.to_path_buf()))
        .map(Some)
        .map_err(|source| ConfigError::Invalid {
            path: path.to_path_buf(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folders(tempfile::TempDir);

    impl Folders {
        fn new(files: &[(&str, &str)]) -> Self {
            let root = tempfile::tempdir().unwrap();
            for (path, text) in files {
                let path = root.path().join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            Self(root)
        }

        fn load(&self) -> Result<Networks, ConfigError> {
            let folder = |name: &str, own| ConfigFolder {
                path: self.0.path().join(name),
                own,
            };
            Networks::load(&[
                folder("own", true),
                folder("vendor", true),
                folder("cni", false),
            ])
        }
    }

    fn list(name: &str, kind: &str) -> String {
        format!(r#"{{"name": "{name}", "cniVersion": "1.0.0", "type": "{kind}"}}"#)
    }

    fn names(networks: &Networks, selection: &[&str]) -> Vec<String> {
        let selection = Selection::parse(selection.iter().copied()).unwrap();
        let chosen = networks.select(&selection).unwrap();
        chosen
            .iter()
            .map(|(list, _)| list.name.to_string())
            .collect()
    }

    #[test]
    fn file_names_order_the_networks_and_the_first_of_a_name_counts() {
        let folders = Folders::new(&[
            ("own/50-b.conf", &list("b", "own")),
            ("cni/10-a.conflist", &list("a", "cni")),
            ("cni/20-b.json", &list("b", "cni")),
            ("cni/90-c.conf", &list("c", "cni")),
            ("cni/README", "{"),
        ]);
        let networks = folders.load().unwrap();
        assert_eq!(names(&networks, &["all"]), ["a", "b", "c", "default"]);
        assert_eq!(names(&networks, &["c,default,a"]), ["a", "c", "default"]);
        assert_eq!(names(&networks, &[]), ["default"]);
        assert_eq!(
            networks.get(&"b".parse().unwrap()).unwrap().plugins[0].kind,
            "own"
        );
    }

    #[test]
    fn built_in_networks_give_way_and_files_can_be_hidden() {
        let folders = Folders::new(&[
            ("own/10-default.conf", &list("default", "mine")),
            ("own/20-x.conf", ""),
            ("vendor/20-x.conf", &list("x", "vendor")),
        ]);
        let networks = folders.load().unwrap();
        let default = networks.get(&"default".parse().unwrap()).unwrap();
        assert_eq!(default.plugins[0].kind, "mine");
        assert!(networks.get(&"x".parse().unwrap()).is_none());
        assert!(
            networks
                .get(&"default-restricted".parse().unwrap())
                .is_some()
        );
    }

    #[test]
    fn unknown_networks_are_all_named_with_what_there_is() {
        let folders = Folders::new(&[("cni/10-a.conf", &list("a", "x")), ("cni/20.conf", "{")]);
        let networks = folders.load().unwrap();
        let selection = Selection::parse(["x,a,y"]).unwrap();
        let error = networks.select(&selection).unwrap_err().to_string();
        assert!(
            error.starts_with("no such network: x, y; there are: a, default"),
            "{error}"
        );
        assert!(error.contains("20.conf is damaged"), "{error}");
    }

    #[test]
    fn a_broken_file_of_our_own_is_no_way_around_it() {
        let folders = Folders::new(&[("vendor/20.conf", "{")]);
        let error = folders.load().unwrap_err().to_string();
        assert!(error.contains("vendor/20.conf"), "{error}");
    }

    #[test]
    fn built_in_networks_say_which_arguments_they_know() {
        let folders = Folders::new(&[("own/10-own.conf", &list("own", "x"))]);
        let networks = folders.load().unwrap();
        let select = |net: &str| {
            let selection = Selection::parse([net]).unwrap();
            networks
                .select(&selection)
                .map(|_| ())
                .map_err(|e| e.to_string())
        };
        for good in [
            "default:IP=10.0.0.5;MAC=02:00:00:00:00:05",
            "macvlan:MASTER=eth0;GATEWAY=10.0.0.1;IP=10.0.0.5/24",
            "own:K8S_POD_NAME=x",
            "default:IgnoreUnknown=1;K8S_POD_NAME=x;IP=10.0.0.5",
        ] {
            assert_eq!(select(good), Ok(()), "{good}");
        }
        for (bad, reason) in [
            (
                "default:ip=10.0.0.5",
                "network default: it has no argument ip; there are IP, MAC",
            ),
            ("default:MASTER=eth0", "no argument MASTER"),
            (
                "default:IP=x",
                "network default: IP=x: this is not an address",
            ),
            ("ptp:MAC=x", "network ptp: MAC=x"),
            ("default:IgnoreUnknown=1;IP=x", "IP=x"),
            ("default:IgnoreUnknown=0;K8S_POD_NAME=x", "IgnoreUnknown"),
            ("macvlan:GATEWAY=x", "GATEWAY=x"),
        ] {
            let error = select(bad).unwrap_err();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }
}
