//! Newer images for pods that services run: which pods ask for them, what registries have, and how a service gets its
//! new image, or its old one back.
//!
//! [`run::update`] does it all. What is to be done is decided by functions without side effects: [`policy`] (who asks),
//! [`plan`] (who gets what, and which services belong together), [`watch`] (whether a service has come up). What must
//! outlive the command is in [`records`].

pub mod options;
pub mod plan;
pub mod policy;
pub mod records;
pub mod registry;
pub mod run;
pub mod service_manager;
mod survey;
pub mod trial;
pub mod trial_record;
pub mod unit;
pub mod version;
pub mod watch;
