//! What templates consist of.

use serde_json::Value;

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Text(String),
    Print(Term),
    /// What stands if something is the case, and what else.
    If(Term, Vec<Node>, Vec<Node>),
    /// What stands for something, if it is there, and what else.
    With(Term, Vec<Node>, Vec<Node>),
    /// What stands for each member, and what if there is none.
    Range(Each, Vec<Node>, Vec<Node>),
    /// A variable gets a value.
    Set(String, Term),
}

/// What a block is repeated for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Each {
    pub(super) term: Term,
    /// The variables that get the place or the name of a member, and the member.
    pub(super) key: Option<String>,
    pub(super) member: Option<String>,
}

/// What has a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Term {
    /// Names of fields, each within the one before.
    Field(Vec<String>),
    /// The same of a variable; that without a name is the whole.
    Variable(String, Vec<String>),
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
    And,
    Or,
    Split,
    Print,
    PrintLine,
}
