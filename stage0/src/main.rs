//! `fairing`: resolves, fetches, verifies and prepares, then becomes the isolator (stage1).
//!
//! One file for each subcommand in `command/`. Only `verify` makes the value that `prepare` takes, so
//! that no pod comes to be from an image that nobody judged.

mod activation;
mod app_config;
mod arguments;
mod command;
mod config;
mod connection;
mod containers_policy;
mod context;
mod ending;
mod environment;
mod evidence;
mod exec_session;
mod failure;
mod fetching;
mod foreign_drops;
mod handover;
mod image_choice;
mod image_collection;
mod image_use;
mod interrupt;
mod isolator;
mod isolator_owner;
mod key_files;
mod log_files;
mod log_line;
mod log_merge;
mod network_gc;
mod network_settings;
mod output;
mod passphrase;
mod paths;
mod pod_flow;
mod pod_removal;
mod pod_view;
mod policy_files;
mod prepare;
mod progress;
mod pump;
mod question;
mod readiness;
mod registries;
mod root_owned;
mod signal_names;
mod sys;
mod table;
mod terminal;
mod uuid_file;
mod verify;

use std::process::ExitCode;

fn main() -> ExitCode {
    sys::restore_default_signals();
    match command::dispatch(std::env::args_os().collect()) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.exit_code())
        }
    }
}
