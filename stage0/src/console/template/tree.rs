//! What templates consist of.

use serde_json::Value;

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Text(String),
    Print(Term),
    /// What stands if something is the case, and what else.
    If(Term, Vec<Node>, Vec<Node>),
    /// What stands for each member, and what if there is none.
    Range(Term, Vec<Node>, Vec<Node>),
}

/// What has a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Term {
    /// Names of fields, each within the one before.
    Field(Vec<String>),
    Literal(Value),
    Call(Function, Vec<Term>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Json,
    Upper,
    Lower,
    Len,
    Join,
    Index,
    Equal,
    NotEqual,
    Not,
}
