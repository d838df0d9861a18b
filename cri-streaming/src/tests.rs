//! The server and its clients, whole: what is served are commands of this machine.

mod exec;
mod local;
mod port_forward;
