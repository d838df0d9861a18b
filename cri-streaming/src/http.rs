//! As much of HTTP/1.1 as comes before an upgrade: the head of a request, and its answer.

mod head;
mod refusal;
mod upgrade;

pub use self::head::{LARGEST_HEAD, Method, Request};
pub use self::refusal::Refusal;
pub use self::upgrade::{Framing, Upgrade, websocket_accept};
