//! The paths that a piece of code mentions.

use proc_macro2::{Spacing, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, LitStr, Meta, Path, UseTree};

use crate::attributes::{is_for_tests, of_item};

/// A path in the code, such as `super::network::Network`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mention {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
}

/// A name that a `use` brings into a module.
#[derive(Debug, Clone)]
pub(crate) struct Alias {
    /// The name; `None` for all that is in there (`*`).
    pub(crate) name: Option<String>,
    pub(crate) of: Mention,
}

/// All that the code of a module mentions.
#[derive(Debug, Default)]
pub(crate) struct Mentions {
    pub(crate) aliases: Vec<Alias>,
    pub(crate) paths: Vec<Mention>,
    /// Macros that are called by their bare name.
    pub(crate) macros: Vec<Mention>,
}

fn names(path: &Path) -> Vec<String> {
    let names = path.segments.iter().map(|part| part.ident.to_string());
    names.collect()
}

impl Mentions {
    /// Adds what `item` mentions.
    pub(crate) fn add(&mut self, item: &syn::Item) {
        self.visit_item(item);
    }

    fn path(&mut self, path: Vec<String>, line: usize) {
        if path.len() > 1 {
            self.paths.push(Mention { path, line });
        }
    }

    /// Paths in code that only a macro understands.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut line = 0;
        // How many colons came after the last name.
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.path(std::mem::take(&mut path), line);
                        line = name.span().start().line;
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(sign)
                    if sign.as_char() == ':'
                        && (sign.spacing() == Spacing::Joint || colons == 1) =>
                {
                    colons += 1;
                }
                other => {
                    self.path(std::mem::take(&mut path), line);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.path(path, line);
    }

    /// `#[serde(with = "module")]` and the like name code in a string.
    fn serde(&mut self, tokens: TokenStream) {
        let mut key = String::new();
        for token in tokens {
            match token {
                TokenTree::Ident(name) => key = name.to_string(),
                TokenTree::Literal(literal) => {
                    let text = syn::parse_str::<LitStr>(&literal.to_string());
                    let path = text.and_then(|text| text.parse_with(Path::parse_mod_style));
                    let names = path.map(|path| names(&path)).unwrap_or_default();
                    let line = literal.span().start().line;
                    match key.as_str() {
                        // A module, of which serde takes the functions.
                        "with" => self.path([names, vec!["serialize".to_owned()]].concat(), line),
                        "default"
                        | "deserialize_with"
                        | "from"
                        | "into"
                        | "serialize_with"
                        | "skip_serializing_if"
                        | "try_from" => self.path(names, line),
                        _ => (),
                    }
                }
                _ => (),
            }
        }
    }

    fn use_tree(&mut self, tree: &UseTree, before: &[String]) {
        let mut path = before.to_vec();
        let (name, last) = match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                return self.use_tree(&part.tree, &path);
            }
            UseTree::Group(group) => {
                return group
                    .items
                    .iter()
                    .for_each(|tree| self.use_tree(tree, before));
            }
            UseTree::Glob(_) => (None, None),
            UseTree::Name(part) => (Some(part.ident.to_string()), Some(&part.ident)),
            UseTree::Rename(part) => (Some(part.rename.to_string()), Some(&part.ident)),
        };
        // `use a::b::{self}` is `use a::b`.
        let name = match name {
            Some(name) if name == "self" => before.last().cloned(),
            name => name,
        };
        path.extend(last.map(ToString::to_string).filter(|last| last != "self"));
        let line = tree.span().start().line;
        self.aliases.push(Alias {
            name,
            of: Mention { path, line },
        });
    }
}

impl<'ast> Visit<'ast> for Mentions {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(of_item(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attributes: &[Attribute] = match item {
            syn::ImplItem::Const(item) => &item.attrs,
            syn::ImplItem::Fn(item) => &item.attrs,
            syn::ImplItem::Type(item) => &item.attrs,
            syn::ImplItem::Macro(item) => &item.attrs,
            _ => &[],
        };
        if !is_for_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast syn::Stmt) {
        let attributes: &[Attribute] = match statement {
            syn::Stmt::Local(local) => &local.attrs,
            syn::Stmt::Macro(call) => &call.attrs,
            _ => &[],
        };
        if !is_for_tests(attributes) {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.use_tree(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        self.path(names(path), path.span().start().line);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if let Some(name) = call.path.get_ident() {
            self.macros.push(Mention {
                path: vec![name.to_string()],
                line: name.span().start().line,
            });
        }
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }

    // To be seen as far as some module is not to need it.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
            if list.path.is_ident("serde") {
                self.serde(list.tokens.clone());
            }
        }
    }
}
