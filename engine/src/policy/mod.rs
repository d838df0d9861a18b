//! The policy that is in force, what speaks for an image, and the verdict.

pub mod circumstances;
mod containers;
pub mod evidence;
pub mod files;
pub mod names;
pub mod remedy;
pub mod verifier;
