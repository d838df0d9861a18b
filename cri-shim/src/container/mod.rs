//! Containers: made, started, stopped, removed, told of.

mod create;
mod facts;
mod images;
mod list;
mod logs;
mod remove;
mod spec;
mod start;
mod status;
mod stop;

pub(crate) use self::create::create;
pub(crate) use self::list::list;
pub(crate) use self::logs::reopen;
pub(crate) use self::remove::remove;
pub(crate) use self::start::start;
pub(crate) use self::status::status;
pub(crate) use self::stop::stop;
