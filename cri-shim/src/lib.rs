//! Kubernetes' Container Runtime Interface.
pub mod api;
