//! What service managers hand to a program and are told by it.
//!
//! - [`manager`]: what the environment says of one, taken out of it so that no other program is handed it.
//! - [`message`] and [`socket`]: what it is told, by the protocol of sd_notify(3).
//! - [`bus`]: a scope, which systemd is asked for by D-Bus.
//! - [`from_app`]: what an app of a pod may say in that protocol.

pub mod bus;
pub mod from_app;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod manager;
pub mod message;
pub mod socket;
mod sys;

pub use self::from_app::{AppMessage, Change};
pub use self::manager::ServiceManager;
pub use self::message::Message;
pub use self::socket::NotifySocket;
