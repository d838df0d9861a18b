//! The modules of a crate, each with its file and with what it defines and mentions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::{Attribute, Expr, Item, ItemMod, Lit, Meta};

use crate::attributes::{is_for_tests, of_item};
use crate::error::Error;
use crate::mention::Mentions;

/// A module, by its place in [`Tree::modules`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ModuleId(usize);

/// A module. Several may be in one file.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) file: PathBuf,
    pub(crate) parent: Option<ModuleId>,
    pub(crate) children: BTreeMap<String, ModuleId>,
    /// What is defined in it, but for modules.
    pub(crate) items: BTreeSet<String>,
    /// Macros among these, which children call without a path.
    pub(crate) macros: BTreeSet<String>,
    pub(crate) mentions: Mentions,
}

/// All modules of a crate.
#[derive(Debug)]
pub(crate) struct Tree {
    modules: Vec<Module>,
}

impl Tree {
    /// The crate's root.
    pub(crate) const ROOT: ModuleId = ModuleId(0);

    /// Reads the crate whose root is in the file `root`, but for what is for tests alone.
    pub(crate) fn read(root: &Path) -> Result<Self, Error> {
        let mut tree = Self {
            modules: Vec::new(),
        };
        let directory = root.parent().unwrap_or(Path::new("")).to_owned();
        tree.read_file(root.to_owned(), None, &directory)?;
        Ok(tree)
    }

    pub(crate) fn get(&self, id: ModuleId) -> Option<&Module> {
        self.modules.get(id.0)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = ModuleId> + use<> {
        (0..self.modules.len()).map(ModuleId)
    }

    /// Reads a module's file; its children's are in `directory`.
    fn read_file(
        &mut self,
        file: PathBuf,
        parent: Option<ModuleId>,
        directory: &Path,
    ) -> Result<ModuleId, Error> {
        let text = std::fs::read_to_string(&file).map_err(|source| Error::Read {
            path: file.clone(),
            source,
        })?;
        let parsed = syn::parse_file(&text).map_err(|source| Error::Syntax {
            path: file.clone(),
            source,
        })?;
        self.read_items(parsed.items, file, parent, directory)
    }

    fn read_items(
        &mut self,
        items: Vec<Item>,
        file: PathBuf,
        parent: Option<ModuleId>,
        directory: &Path,
    ) -> Result<ModuleId, Error> {
        let id = ModuleId(self.modules.len());
        self.modules.push(Module {
            file: file.clone(),
            parent,
            children: BTreeMap::new(),
            items: BTreeSet::new(),
            macros: BTreeSet::new(),
            mentions: Mentions::default(),
        });
        for item in items {
            if is_for_tests(of_item(&item)) {
                continue;
            }
            if let Item::Mod(module) = item {
                let name = module.ident.to_string();
                let child = self.read_child(module, &file, id, directory)?;
                if let Some(module) = self.modules.get_mut(id.0) {
                    module.children.insert(name, child);
                }
            } else if let Some(module) = self.modules.get_mut(id.0) {
                if let Item::Macro(definition) = &item {
                    let name = definition.ident.as_ref().map(ToString::to_string);
                    module.macros.extend(name);
                }
                module.items.extend(name_of(&item));
                module.mentions.add(&item);
            }
        }
        Ok(id)
    }

    fn read_child(
        &mut self,
        child: ItemMod,
        file: &Path,
        parent: ModuleId,
        directory: &Path,
    ) -> Result<ModuleId, Error> {
        let name = child.ident.to_string();
        let below = directory.join(&name);
        if let Some((_, items)) = child.content {
            return self.read_items(items, file.to_owned(), Some(parent), &below);
        }
        if let Some(path) = child.attrs.iter().find_map(path_attribute) {
            let path = file.parent().unwrap_or(Path::new("")).join(path);
            let beside = path.parent().unwrap_or(Path::new("")).to_owned();
            return self.read_file(path, Some(parent), &beside);
        }
        let beside = directory.join(format!("{name}.rs"));
        let within = below.join("mod.rs");
        let path = [beside, within].into_iter().find(|path| path.exists());
        let path = path.ok_or_else(|| Error::NoFile {
            path: file.to_owned(),
            module: name,
        })?;
        self.read_file(path, Some(parent), &below)
    }
}

/// The file that `#[path = "…"]` names.
fn path_attribute(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(value) => match &value.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        _ => return None,
    };
    Some(name.to_string())
}
