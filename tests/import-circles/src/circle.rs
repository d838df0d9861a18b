//! Circles in what imports what.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};

use crate::graph::Import;

/// Files each of which imports each other one, if by way of the rest.
#[derive(Debug)]
pub struct Circle {
    /// The files.
    pub files: BTreeSet<PathBuf>,
    /// A shortest way round: each import is of the file that has the next one.
    pub round: Vec<Import>,
    /// All imports among the files.
    pub imports: Vec<Import>,
}

type Graph = BTreeMap<PathBuf, Vec<Import>>;

/// The circles of a crate, none of which has a file of another.
pub(crate) fn find(graph: &Graph) -> Vec<Circle> {
    let reached: BTreeMap<&Path, BTreeSet<&Path>> = graph
        .keys()
        .map(|file| (file.as_path(), reachable(graph, file)))
        .collect();
    let reaches = |from: &Path, to: &Path| reached.get(from).is_some_and(|all| all.contains(to));
    let mut done: BTreeSet<&Path> = BTreeSet::new();
    let mut circles = Vec::new();
    for file in graph.keys().map(PathBuf::as_path) {
        if done.contains(file) || !reaches(file, file) {
            continue;
        }
        let others = graph.keys().map(PathBuf::as_path);
        let files: BTreeSet<&Path> = others
            .filter(|other| reaches(file, other) && reaches(other, file))
            .collect();
        done.extend(&files);
        let rounds = files.iter().filter_map(|file| round(graph, file));
        let round = rounds.min_by_key(Vec::len).unwrap_or_default();
        let imports = files.iter().filter_map(|file| graph.get(*file)).flatten();
        circles.push(Circle {
            round,
            imports: imports
                .filter(|import| files.contains(import.of.as_path()))
                .cloned()
                .collect(),
            files: files.into_iter().map(Path::to_owned).collect(),
        });
    }
    circles
}

fn imports_of<'a>(graph: &'a Graph, file: &Path) -> &'a [Import] {
    graph.get(file).map(Vec::as_slice).unwrap_or_default()
}

/// What `from` imports, and what that imports, and so on.
fn reachable<'a>(graph: &'a Graph, from: &Path) -> BTreeSet<&'a Path> {
    let mut found = BTreeSet::new();
    let mut next = vec![from];
    while let Some(file) = next.pop() {
        for import in imports_of(graph, file) {
            if found.insert(import.of.as_path()) {
                next.push(&import.of);
            }
        }
    }
    found
}

/// The shortest way from a file back to itself.
fn round(graph: &Graph, file: &Path) -> Option<Vec<Import>> {
    // How each file was reached first.
    let mut by: BTreeMap<&Path, &Import> = BTreeMap::new();
    let mut next = VecDeque::from([file]);
    while let Some(here) = next.pop_front() {
        for import in imports_of(graph, here) {
            if by.contains_key(import.of.as_path()) {
                continue;
            }
            by.insert(&import.of, import);
            next.push_back(&import.of);
        }
        if by.contains_key(file) {
            break;
        }
    }
    let mut way = vec![*by.get(file)?];
    while let Some(first) = way.last().filter(|import| import.from != file) {
        way.push(by.get(first.from.as_path())?);
    }
    Some(way.into_iter().rev().cloned().collect())
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} files import each other in a circle; a shortest one:",
            self.files.len()
        )?;
        for import in &self.round {
            write!(f, "\n  {import}")?;
        }
        if self.imports.len() > self.round.len() {
            write!(f, "\n and the other imports among these files:")?;
        }
        for import in self.imports.iter().filter(|one| !self.round.contains(one)) {
            write!(f, "\n  {import}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let directory = self.from.ancestors().skip(1);
        // Both names begin alike; the common directory is said once.
        let common = directory
            .filter(|directory| self.of.starts_with(directory))
            .find_map(|directory| self.of.strip_prefix(directory).ok());
        write!(
            f,
            "{}:{} imports {} of {}",
            self.from.display(),
            self.line,
            self.what,
            common.unwrap_or(&self.of).display()
        )
    }
}
