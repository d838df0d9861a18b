//! The walk from the document that names an image to the manifests that it leads to. Every reader of
//! images goes this way; what each makes of it is its [`Visitor`]'s.

mod chain;
mod documents;
#[cfg(test)]
mod tests;

pub(crate) use chain::{Chain, chain};
pub(crate) use documents::{Bounds, Visitor, Walk};
