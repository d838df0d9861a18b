//! Which file of a crate imports what of which other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::mention::Mention;
use crate::module::{ModuleId, Tree};
use crate::resolve::{Found, resolve};

/// An import of one file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The file that imports.
    pub from: PathBuf,
    /// The line where it does so first.
    pub line: usize,
    /// What it imports, as it is written there.
    pub what: String,
    /// The file that defines that.
    pub of: PathBuf,
}

/// The imports of each file: of each other file, the first.
pub(crate) fn imports(tree: &Tree) -> BTreeMap<PathBuf, Vec<Import>> {
    let mut graph: BTreeMap<PathBuf, Vec<Import>> = BTreeMap::new();
    for id in tree.ids() {
        let Some(module) = tree.get(id) else { continue };
        let all = graph.entry(module.file.clone()).or_default();
        let mut add = |mention: &Mention, of: &Path| {
            if of != module.file && !all.iter().any(|import| import.of == of) {
                all.push(Import {
                    from: module.file.clone(),
                    line: mention.line,
                    what: mention.path.join("::"),
                    of: of.to_owned(),
                });
            }
        };
        for alias in &module.mentions.aliases {
            match resolve(tree, id, &alias.of.path) {
                Found::In(file) => add(&alias.of, file),
                // Of a module that is imported, the names count that are taken from it.
                Found::Module(target) if alias.name.is_none() => {
                    if let Some(target) = tree.get(target) {
                        add(&alias.of, &target.file);
                    }
                }
                Found::Module(_) | Found::Elsewhere => (),
            }
        }
        for mention in &module.mentions.paths {
            if let Found::In(file) = resolve(tree, id, &mention.path) {
                add(mention, file);
            }
        }
        for mention in &module.mentions.macros {
            if let Some(file) = macro_above(tree, id, mention) {
                add(mention, file);
            }
        }
    }
    graph
}

/// The file above a module that defines the macro which is called in it.
fn macro_above<'a>(tree: &'a Tree, id: ModuleId, call: &Mention) -> Option<&'a Path> {
    let name = call.path.first()?;
    let mut module = tree.get(id)?;
    loop {
        if module.macros.contains(name) {
            return Some(&module.file);
        }
        module = tree.get(module.parent?)?;
    }
}
