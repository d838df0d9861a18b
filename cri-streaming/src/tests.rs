//! The server and its clients, whole: what is served are commands of this machine.

mod attach;
mod exec;
mod hostile;
mod kubernetes_client;
mod leaving;
mod local;
mod port_forward;
mod requests;
mod terminal;
mod tls;
