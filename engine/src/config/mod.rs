//! Where everything is, and what the configuration of fairing itself says.

mod amount;
mod apps;
mod cdi;
pub mod cri;
pub mod directories;
pub mod files;
pub mod kvm;
mod layers;
pub(crate) mod ownership;
mod pods;
pub(crate) mod root_files;
mod selinux;
mod services;
mod signatures;
pub mod size;
mod subordinate;
mod trust;
mod units;
pub mod user_namespaces;
