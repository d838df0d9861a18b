//! Exec and attach: the protocols `channel.k8s.io` to `v5.channel.k8s.io`.

mod abandoned;
mod channel;
mod channels;
mod ending;
#[cfg(any(test, feature = "fuzzing"))]
mod fuzz;
mod pump;
mod resize;
mod spdy_channels;
mod status;
mod version;
mod websocket_channels;

pub use self::resize::SizeReader;
pub use self::status::{Kind, Status, exit_status};
pub use self::version::{SPDY_PROTOCOLS, Version, WEBSOCKET_PROTOCOLS};

pub(crate) use self::abandoned::Abandoned;
pub(crate) use self::channels::Channels;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::fuzz::fuzz;
pub(crate) use self::pump::{Heir, serve};
