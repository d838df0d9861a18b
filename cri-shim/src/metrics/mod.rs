//! Metrics of sandboxes and containers, by the names that cAdvisor gives them: for kubelets, and as text for Prometheus.

mod exposition;
mod facts;
mod families;
mod family;
mod http;
mod listed;
mod open_files;
mod seats;

pub(crate) use self::http::serve;
pub(crate) use self::listed::{descriptors, list, listed};
