//! The interface as Rust: what `build.rs` makes of `proto/`.
#![allow(missing_docs, unreachable_pub, clippy::all, rust_2018_idioms)]

tonic::include_proto!("runtime.v1");
