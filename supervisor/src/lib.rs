//! Decides when the apps of a pod start, whether they are well, when they start again, and when the pod ends.
//!
//! A pure function with a memory: events and the time in, actions out. Who calls it does what it says, and tells what
//! came of it. It opens nothing, waits for nothing and looks at no clock. Order, numbers and meanings are those of
//! Kubernetes (Pod v1: init containers, sidecars, probes, hooks, restart policies, termination).
//!
//! - [`Plan`] is what it has to know of a pod; a pod that asks for nothing of this has none.
//! - [`Event`] and [`Action`] are what goes in and comes out of [`Supervisor::handle`].

mod action;
mod back_off;
mod checks;
mod ending;
mod event;
mod member;
mod plan;
mod probing;
mod readiness;
mod restarting_all;
mod starting;
mod supervisor;

pub use self::action::{Action, CheckId, CheckKind, EndCause};
pub use self::event::{Answer, Event};
pub use self::member::Condition;
pub use self::plan::{AppPlan, Plan};
pub use self::supervisor::{AppView, Supervisor};
