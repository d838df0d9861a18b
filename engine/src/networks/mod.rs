//! The networks of pods: what is asked of them, what is configured, and what dead pods hold.

pub mod collection;
pub mod foreign_drops;
mod free_ports;
mod image_ports;
pub mod settings;
pub mod spec;
