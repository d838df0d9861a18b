//! Commands, attachments and forwarded ports: calls give URLs, behind which pods' monitors are talked to.

mod call;
mod process;
mod server;
mod target;

pub(crate) use self::call::{attach, exec, port_forward};
pub(crate) use self::server::{StreamServer, start};
