//! What there is: read from disk, each time it is asked for.
//!
//! A sandbox is a pod in phase `run` whose manifest holds a record. It is ready while its lock is held and its monitor
//! listens. A container is an app with a record: it has ended if that is written down, it is created if its directory says
//! so, and else it runs as long as the pod does. Nothing here asks a monitor, so that one that hangs keeps no list waiting.

mod cache;
mod container;
mod find;
mod marks;
mod sandbox;

pub(crate) use self::cache::Cache;
pub(crate) use self::container::{Container, ContainerEnd, ContainerPhase, Look};
pub(crate) use self::find::{container, container_if_any, sandbox, sandbox_if_any, wreck};
pub(crate) use self::marks::mark_stopping;
pub(crate) use self::sandbox::{Sandbox, SandboxPhase, all, nanoseconds};
