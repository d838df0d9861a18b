//! How much a pod may receive and send: what users write, what plugins are told, and what is kept in between.

mod cni;
mod limits;
mod quantity;
mod spec;

pub use limits::{Bandwidth, CAPABILITY, RateLimit};
pub use quantity::{Burst, InvalidQuantity, Rate};
pub use spec::{BandwidthSpec, InvalidBandwidth};
