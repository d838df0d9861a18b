//! WebSocket (RFC 6455) without a socket, and the channels that Kubernetes puts into its messages.

mod channel;
mod connection;
mod frame;

pub use self::channel::{ChannelReader, Encoding, NotBase64, write_channel};
pub use self::connection::{Connection, Event, Role};
pub use self::frame::Violation;
