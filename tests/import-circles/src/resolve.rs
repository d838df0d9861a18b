//! Which file defines what a path names.

use std::path::Path;

use crate::mention::Alias;
use crate::module::{Module, ModuleId, Tree};

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// A module.
    Module(ModuleId),
    /// Something that this file defines.
    In(&'a Path),
    /// Nothing of this crate.
    Elsewhere,
}

/// As many `pub use` as a name may come through; more are a circle of their own.
const STEPS: usize = 32;

/// What `path` leads to, as written in the module `from`.
pub(crate) fn resolve<'a>(tree: &'a Tree, from: ModuleId, path: &[String]) -> Found<'a> {
    walk(tree, from, path, STEPS)
}

fn walk<'a>(tree: &'a Tree, from: ModuleId, path: &[String], steps: usize) -> Found<'a> {
    let mut here = from;
    let mut inside = false;
    for (at, name) in path.iter().enumerate() {
        let Some(module) = tree.get(here) else {
            return Found::Elsewhere;
        };
        match name.as_str() {
            "crate" | "$crate" => here = Tree::ROOT,
            "self" => (),
            "super" => here = module.parent.unwrap_or(here),
            name => {
                let is_last = at + 1 == path.len();
                match look_up(tree, here, module, name, is_last, steps) {
                    Some(Found::Module(next)) => here = next,
                    Some(other) => return other,
                    // Made by a macro, or by something else that can't be seen.
                    None if inside => return Found::In(&module.file),
                    None => return Found::Elsewhere,
                }
            }
        }
        inside = true;
    }
    Found::Module(here)
}

/// What a name is in a module, if it is known there.
fn look_up<'a>(
    tree: &'a Tree,
    id: ModuleId,
    module: &'a Module,
    name: &str,
    is_last: bool,
    steps: usize,
) -> Option<Found<'a>> {
    // A module and a function may have one name; only the module has something in it.
    let item = module
        .items
        .contains(name)
        .then_some(Found::In(&module.file));
    let child = module.children.get(name).copied().map(Found::Module);
    if let Some(found) = if is_last {
        item.or(child)
    } else {
        child.or(item)
    } {
        return Some(found);
    }
    let steps = steps.checked_sub(1)?;
    let aliases = &module.mentions.aliases;
    let named = aliases.iter().find(|one| one.name.as_deref() == Some(name));
    if let Some(alias) = named {
        return Some(walk_alias(tree, id, alias, steps));
    }
    let globs = aliases.iter().filter(|one| one.name.is_none());
    globs
        .filter_map(|glob| match walk_alias(tree, id, glob, steps) {
            Found::Module(target) if target != id => Some(target),
            _ => None,
        })
        .find_map(|target| look_up(tree, target, tree.get(target)?, name, is_last, steps))
}

fn walk_alias<'a>(tree: &'a Tree, id: ModuleId, alias: &Alias, steps: usize) -> Found<'a> {
    let path = &alias.of.path;
    // `use nix::…` beside `use crate::nix` is the alias itself: a name isn't looked up through itself.
    if let ([first, ..], Some(name)) = (path.as_slice(), &alias.name)
        && first == name
        && tree
            .get(id)
            .is_some_and(|module| !module.children.contains_key(first))
    {
        return Found::Elsewhere;
    }
    walk(tree, id, path, steps)
}
