//! Files of units, found and read within bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::regular::{is_null, must_be_file, read};
use crate::finding::{Finding, Severity};
use crate::name::{Kind, SourceName};
use crate::source::{DropIn, Source};

/// The most entries of directories that are looked at.
const ENTRIES_MAX: usize = 8192;
/// The most files that become units.
const SOURCES_MAX: usize = 1024;
/// How deep directories are looked at.
const DEPTH_MAX: usize = 16;
/// The most bytes of all of them.
const ALL_MAX: usize = 64 << 20;

/// A directory in which there are files of units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Its path. It need not be there.
    pub path: PathBuf,
    /// Whether Pod YAML in it becomes units. In podman's directories, only a `.kube` makes a unit of it.
    pub takes_yaml: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The files, by their names.
    pub sources: Vec<Source>,
    /// What could not be read.
    pub findings: Vec<Finding>,
}

/// The directories that count, the first of them most.
pub fn directories(local: &Path, run: &Path, system: &Path, with_podmans: bool) -> Vec<Directory> {
    let own = [local, run, system].map(|path| path.join("pods.d"));
    let own = own.into_iter().map(|path| Directory {
        path,
        takes_yaml: true,
    });
    let podmans = [
        "/etc/containers/systemd",
        "/run/containers/systemd",
        "/usr/share/containers/systemd",
    ];
    let podmans = podmans
        .into_iter()
        .filter(|_| with_podmans)
        .map(|path| Directory {
            path: path.into(),
            takes_yaml: false,
        });
    own.chain(podmans).collect()
}

/// Finds and reads all files of units below these directories. Of two with one name, the one in the earlier directory counts.
pub fn search(directories: &[Directory]) -> Found {
    let mut walk = Walk::default();
    for directory in directories {
        walk.takes_yaml = directory.takes_yaml;
        walk.top.clone_from(&directory.path);
        walk.directory(&directory.path, 0);
    }
    walk.read()
}

/// Reads one file, with the drop-ins that are beside it.
pub fn one_file(path: &Path) -> Found {
    let mut walk = Walk {
        takes_yaml: true,
        ..Walk::default()
    };
    let name = path.file_name().and_then(|name| name.to_str());
    match name.and_then(|name| name.parse::<SourceName>().ok()) {
        Some(name) => {
            let directory = path.parent().unwrap_or(Path::new("/"));
            for name in name.drop_in_directories() {
                let path = directory.join(&name);
                if path.is_dir() {
                    walk.drop_ins(&name, &path);
                }
            }
            walk.files.insert(name, path.to_path_buf());
        }
        None => walk.found.findings.push(Finding::of_file(
            path,
            "its name says of no kind of unit: .container, .pod, .volume, .network, .image, .kube or .yaml",
        )),
    }
    walk.read()
}

#[derive(Debug, Default)]
struct Walk {
    takes_yaml: bool,
    /// The directory that is being looked into, with all below it.
    top: PathBuf,
    seen: BTreeSet<(u64, u64)>,
    entries: usize,
    /// What counts, by its name; with an empty path, what is masked.
    files: BTreeMap<SourceName, PathBuf>,
    /// Drop-ins, by the name of their directory and their own.
    drop_ins: BTreeMap<String, BTreeMap<String, PathBuf>>,
    bytes: usize,
    found: Found,
}

impl Walk {
    fn fail(&mut self, path: &Path, error: &io::Error) {
        self.found
            .findings
            .push(Finding::of_file(path, format!("it can't be read: {error}")));
    }

    fn directory(&mut self, path: &Path, depth: usize) {
        let metadata = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && depth == 0 => return,
            Err(error) => return self.fail(path, &error),
            Ok(metadata) => metadata,
        };
        // A link may lead back.
        if !metadata.is_dir() || !self.seen.insert((metadata.dev(), metadata.ino())) {
            return;
        }
        if depth > DEPTH_MAX {
            let reason = format!("it is deeper than {DEPTH_MAX} directories");
            return self.found.findings.push(Finding::of_file(path, reason));
        }
        let mut below = Vec::new();
        for (name, path) in self.names(path) {
            let metadata = match fs::metadata(&path) {
                Ok(metadata) => metadata,
                Err(error) => {
                    if name.parse::<SourceName>().is_ok() {
                        self.fail(&path, &error);
                    }
                    continue;
                }
            };
            match (metadata.is_dir(), name.ends_with(".d")) {
                (true, true) => self.drop_ins(&name, &path),
                (true, false) => below.push(path),
                (false, _) => self.file(&name, path, &metadata),
            }
        }
        // What is in a directory itself counts more.
        for path in below {
            self.directory(&path, depth.saturating_add(1));
        }
    }

    /// What is in a directory, in the order of the names.
    fn names(&mut self, path: &Path) -> Vec<(String, PathBuf)> {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => {
                self.fail(path, &error);
                return Vec::new();
            }
        };
        let mut names = Vec::new();
        for entry in entries.flatten() {
            if self.entries >= ENTRIES_MAX {
                let reason = format!(
                    "the directories of units hold more than {ENTRIES_MAX} files; the rest is left out"
                );
                if self.entries == ENTRIES_MAX {
                    self.entries = self.entries.saturating_add(1);
                    self.found.findings.push(Finding::of_file(path, reason));
                }
                break;
            }
            self.entries = self.entries.saturating_add(1);
            // What is no text can't be the name of a unit.
            if let Some(name) = entry
                .file_name()
                .to_str()
                .filter(|name| !name.starts_with('.'))
            {
                names.push((name.to_owned(), entry.path()));
            }
        }
        names.sort();
        names
    }

    fn drop_ins(&mut self, directory: &str, path: &Path) {
        for (name, path) in self.names(path) {
            if name.ends_with(".conf") {
                let of_name = self.drop_ins.entry(directory.to_owned()).or_default();
                of_name.entry(name).or_insert(path);
            }
        }
    }

    fn file(&mut self, name: &str, path: PathBuf, metadata: &Metadata) {
        let Ok(name) = name.parse::<SourceName>() else {
            return;
        };
        if name.kind() == Kind::Yaml && !self.takes_yaml {
            return;
        }
        if self.files.len() >= SOURCES_MAX {
            let reason =
                format!("it is left out: there are more than {SOURCES_MAX} files of units");
            return self.found.findings.push(Finding::of_file(path, reason));
        }
        // As for systemd: a link to /dev/null hides a file of that name in a later directory.
        let path = match is_null(metadata) {
            true => PathBuf::new(),
            false => path,
        };
        match self.files.get(&name) {
            None => drop(self.files.insert(name, path)),
            // That an earlier directory counts more is what there are several for.
            Some(counts) if counts.starts_with(&self.top) => {
                let reason = format!("it is hidden by {}", counts.display());
                let mut hidden = Finding::of_file(&path, reason);
                hidden.severity = Severity::Warning;
                self.found.findings.push(hidden);
            }
            Some(_) => {}
        }
    }

    fn read(mut self) -> Found {
        let files = std::mem::take(&mut self.files);
        let directories = std::mem::take(&mut self.drop_ins);
        let mut texts: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
        for (name, path) in files
            .into_iter()
            .filter(|(_, path)| !path.as_os_str().is_empty())
        {
            let mut counting: BTreeMap<&String, &PathBuf> = BTreeMap::new();
            // The nearest comes last, and counts for its name.
            for directory in name.drop_in_directories() {
                counting.extend(directories.get(&directory).into_iter().flatten());
            }
            let mut drop_ins = Vec::new();
            let mut is_whole = true;
            for path in counting.into_values() {
                let text = match texts.get(path) {
                    Some(text) => text.clone(),
                    None => match self.text(path) {
                        Some(text) => text,
                        None => {
                            is_whole = false;
                            continue;
                        }
                    },
                };
                self.bytes = self.bytes.saturating_add(text.len());
                texts.entry(path.clone()).or_insert_with(|| text.clone());
                drop_ins.push(DropIn {
                    path: path.clone(),
                    text,
                });
            }
            let text = match name.kind() {
                // Who plays it reads it.
                Kind::Yaml => match fs::metadata(&path).and_then(|found| must_be_file(&found)) {
                    Ok(()) => Some(Vec::new()),
                    Err(error) => {
                        self.fail(&path, &error);
                        None
                    }
                },
                _ => self.text(&path),
            };
            self.bytes = self.bytes.saturating_add(text.as_ref().map_or(0, Vec::len));
            if self.bytes > ALL_MAX {
                let reason =
                    "all files of units together are larger than 64 MiB; the rest is left out";
                self.found.findings.push(Finding::of_file(path, reason));
                break;
            }
            match text {
                // Without what could not be read, it would be another unit.
                Some(text) if is_whole => self.found.sources.push(Source {
                    name,
                    path,
                    text,
                    drop_ins,
                }),
                Some(_) => {
                    let reason = "one of its drop-ins can't be read";
                    self.found.findings.push(Finding::of_file(path, reason));
                }
                None => {}
            }
        }
        self.found
    }

    fn text(&mut self, path: &Path) -> Option<Vec<u8>> {
        match read(path) {
            Ok(text) => Some(text),
            Err(error) => {
                self.fail(path, &error);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    struct Ground(tempfile::TempDir);

    impl Ground {
        fn new(files: &[(&str, &str)]) -> Self {
            let ground = Self(tempfile::tempdir().unwrap());
            for (name, text) in files {
                let path = ground.at(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            ground
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn found(&self) -> Found {
            let all = ["etc", "run", "usr"].map(|name| Directory {
                path: self.at(name),
                takes_yaml: name != "usr",
            });
            search(&all)
        }

        fn shown(&self) -> Vec<String> {
            let found = self.found();
            assert_eq!(found.findings, []);
            let texts = found.sources.into_iter().map(|source| {
                let drop_ins = source.drop_ins.into_iter().map(|drop_in| drop_in.text);
                let all: Vec<_> = std::iter::once(source.text).chain(drop_ins).collect();
                let all: Vec<_> = all
                    .iter()
                    .map(|text| String::from_utf8_lossy(text))
                    .collect();
                format!("{}: {}", source.name, all.join("+"))
            });
            texts.collect()
        }
    }

    #[test]
    fn the_first_of_a_name_counts_and_directories_are_looked_into() {
        let ground = Ground::new(&[
            ("etc/a.container", "1"),
            ("run/a.container", "2"),
            ("usr/a.container", "3"),
            ("run/sub/b.pod", "4"),
            ("usr/sub/b.pod", "5"),
            ("run/c.yaml", "x"),
            ("usr/d.yaml", "x"),
            ("usr/README", "x"),
            ("usr/.e.container", "x"),
            ("usr/f.container", "6"),
        ]);
        symlink("/dev/null", ground.at("etc/f.container")).unwrap();
        symlink("..", ground.at("run/sub/back")).unwrap();
        assert_eq!(ground.shown(), ["a.container: 1", "b.pod: 4", "c.yaml: "]);
    }

    #[test]
    fn what_is_in_a_directory_itself_counts_more_than_what_is_below_it() {
        let ground = Ground::new(&[
            ("etc/sub/web.container", "below"),
            ("etc/web.container", "own"),
            ("usr/web.container", "later"),
        ]);
        let found = ground.found();
        let texts: Vec<_> = found
            .sources
            .iter()
            .map(|source| &source.text[..])
            .collect();
        assert_eq!(texts, [b"own"]);
        let told: Vec<_> = found.findings.iter().map(Finding::to_string).collect();
        let [told] = &told[..] else {
            panic!("{told:?}");
        };
        assert!(
            told.contains("etc/sub/web.container: warning: it is hidden by"),
            "{told}"
        );
    }

    #[test]
    fn drop_ins_are_in_the_order_of_their_names_and_the_nearest_counts() {
        let ground = Ground::new(&[
            ("etc/a-b.container", "0"),
            ("usr/container.d/20-x.conf", "all"),
            ("usr/container.d/30-x.conf", "all"),
            ("usr/a-.container.d/30-x.conf", "near"),
            ("etc/a-b.container.d/10-x.conf", "own"),
            ("usr/a-b.container.d/10-x.conf", "later"),
            ("etc/a-b.container.d/note", "none"),
            ("etc/t@.container", "t"),
            ("etc/t@.container.d/1.conf", "template"),
            ("etc/t@i.container.d/2.conf", "instance"),
        ]);
        symlink("t@.container", ground.at("etc/t@i.container")).unwrap();
        assert_eq!(
            ground.shown(),
            [
                "a-b.container: 0+own+all+near",
                "t@.container: t+template+all+all",
                "t@i.container: t+template+instance+all+all"
            ]
        );
    }

    #[test]
    fn what_can_not_be_read_is_told_of_and_nothing_else_suffers() {
        let ground = Ground::new(&[("etc/a.container", "1"), ("etc/b.container.d/x.conf", "")]);
        symlink("nowhere", ground.at("etc/c.container")).unwrap();
        let fifo = ground.at("etc/d.container");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success());
        let found = ground.found();
        let names: Vec<_> = found
            .sources
            .iter()
            .map(|source| source.name.to_string())
            .collect();
        assert_eq!(names, ["a.container"]);
        let told: Vec<_> = found.findings.iter().map(Finding::to_string).collect();
        assert!(
            told.iter()
                .any(|text| text.contains("c.container: it can't be read")),
            "{told:?}"
        );
        assert!(
            told.iter().any(|text| text
                .contains("d.container: it can't be read: it is not a regular file but a FIFO")),
            "{told:?}"
        );
        assert_eq!(told.len(), 2);
    }

    #[test]
    fn devices_are_told_of_and_never_read() {
        let ground = Ground::new(&[("etc/a.container", "1"), ("usr/z.container", "2")]);
        symlink("/dev/zero", ground.at("etc/z.container")).unwrap();
        symlink("/dev/full", ground.at("etc/p.yaml")).unwrap();
        fs::create_dir(ground.at("etc/a.container.d")).unwrap();
        symlink("/dev/zero", ground.at("etc/a.container.d/x.conf")).unwrap();
        let found = ground.found();
        let told: Vec<_> = found.findings.iter().map(Finding::to_string).collect();
        for name in ["z.container", "p.yaml", "x.conf"] {
            let wanted = format!("{name}: it can't be read: it is not a regular file but a device");
            assert!(told.iter().any(|text| text.contains(&wanted)), "{told:?}");
        }
        // Without its drop-in, it would be another unit; the later directory's is hidden all the same.
        assert!(found.sources.is_empty(), "{:?}", found.sources);
        let alone = one_file(&ground.at("etc/z.container"));
        assert!(alone.findings[0].to_string().contains("but a device"));
    }

    #[test]
    fn directories_are_looked_at_within_bounds() {
        let deep = format!("etc/{}x.container", "d/".repeat(DEPTH_MAX + 1));
        let ground = Ground::new(&[(&deep, "x")]);
        let found = ground.found();
        assert!(found.sources.is_empty());
        assert!(
            found.findings[0].to_string().contains("deeper than"),
            "{:?}",
            found.findings
        );
    }
}
