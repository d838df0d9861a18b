//! End-to-end tests: the built programs, on a machine as it is, as root. One file per capability.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed: a panic with a message is its result"
)]

mod activation;
mod app;
mod app_at_once;
mod app_control;
mod bad_input;
mod bad_requests;
mod cgroup;
mod cgroup_v2;
mod command_words;
mod concurrency;
mod confinement;
mod copy;
mod cosign;
mod detach;
mod dns_server;
mod ending;
mod engine_threads;
mod enter;
mod export;
mod fetch_kill;
mod fetching;
mod foreign_images;
mod format_json;
mod habits;
mod habits_images;
mod habits_keys;
mod habits_pods;
mod hostile_images;
mod hung_starts;
mod image_gc;
mod image_gc_at_once;
mod image_sources;
mod images;
mod import;
mod imported;
mod insecure_options;
mod isolator;
mod kill;
mod layer_bombs;
mod machine_checks;
mod machine_link;
mod names;
mod network;
mod network_attacks;
mod network_bandwidth;
mod network_create;
mod network_dns;
mod network_failures;
mod network_gc;
mod network_interrupt;
mod network_kill;
mod network_lab;
mod network_names;
mod network_peers;
mod network_plugins;
mod network_ports;
mod network_traffic;
mod older_kernel;
mod other_tools;
mod prepare;
mod programs;
mod push;
mod real_programs;
mod registry_auth;
mod registry_faults;
mod registry_names;
mod registry_tls;
mod run;
mod seal;
mod seal_records;
mod sessions;
mod states;
mod stocked;
mod stopped_processes;
mod store_damage;
mod store_scale;
mod stuck_output;
mod terminal;
mod trust;
mod trust_allow;
mod trust_attacks;
mod trust_commands;
mod trust_containers_policy;
mod trust_monotonic;
mod trust_rules;
mod trust_signatures;
mod unpacked_trees;
mod upgrade;
mod working_directory;
