//! YAML as people and programs write it: lists, maps and words, each with its line.
//!
//! What a text can make is bounded: how deep it goes, how many nodes there are and how large they are together, with all
//! that aliases repeat. Tags are not taken, so nothing but lists, maps and words comes of any text.

mod node;
mod reader;

pub use self::node::{Kind, Member, Node, Value, Word};
pub use self::reader::{DEPTH_MAX, Error, NODES_MAX, TEXT_MAX, documents};
