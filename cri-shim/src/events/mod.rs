//! What happens to sandboxes and containers, told to those who watch.
//!
//! One thread compares what there is with what there was, each time that something may have changed, and only while somebody
//! watches. All watchers read from one ring of bounded length and size: who falls behind is told to list anew, and keeps
//! nobody else waiting.

mod compare;
mod look;
mod ring;
mod snapshot;
mod watchers;

pub(crate) use self::look::watch;
pub(crate) use self::watchers::Watchers;
