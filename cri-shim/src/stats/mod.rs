//! What sandboxes and containers use: asked of their monitors, all before the first is listened to. What one doesn't say
//! is left out; it fails no list.

mod attributes;
mod container;
mod gather;
mod numbers;
mod rates;
mod sandbox;

pub(crate) use self::container::{
    list as list_containers, listed as listed_containers, one as container,
};
pub(crate) use self::gather::{Gathered, gather};
pub(crate) use self::rates::Rates;
pub(crate) use self::sandbox::{
    list as list_sandboxes, listed as listed_sandboxes, one as sandbox,
};
