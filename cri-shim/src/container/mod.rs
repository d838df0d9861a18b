//! Containers: made, started, stopped, removed, told of.

mod command;
mod create;
mod exec_sync;
mod facts;
mod host_paths;
mod images;
mod list;
mod logs;
mod remove;
mod spec;
mod start;
mod status;
mod stop;
mod update;

pub(crate) use self::command::require_command;
pub(crate) use self::create::create;
pub(crate) use self::exec_sync::exec_sync;
pub(crate) use self::list::{list, listed};
pub(crate) use self::logs::reopen;
pub(crate) use self::remove::remove;
pub(crate) use self::spec::limits;
pub(crate) use self::start::start;
pub(crate) use self::status::{status, told};
pub(crate) use self::stop::stop;
pub(crate) use self::update::update;
