//! Fetching an image: first what names it and who signed it, then, once the caller agrees, its
//! layers. Nothing is visible in the store before it was checked, and the name comes last.

mod begin;
mod commit;
mod event;
mod layers;
mod name;
mod patience;
#[cfg(test)]
mod registry_tests;
mod signatures;

pub use begin::Fetch;
pub use event::FetchEvent;
pub(crate) use layers::unpack_to;
pub(crate) use signatures::look_up;
