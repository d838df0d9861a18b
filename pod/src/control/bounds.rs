//! How much and how long a monitor deals with what it is asked.

use std::time::Duration;

/// Most connections that wait for something at once; the request of another one to wait is refused.
pub const CLIENTS_MAX: usize = 256;
/// Most connections at once; of more, the oldest one that waits for nothing is closed.
pub const CONNECTIONS_MAX: usize = 384;
/// Most apps of a pod.
pub const APPS_MAX: usize = 256;
/// Most clients that are attached to one app.
pub const ATTACHED_MAX: usize = 8;
/// How long pod init may take to do what it is told, before the monitor answers that it didn't.
pub const ANSWER_MAX: Duration = Duration::from_secs(30);
/// How long pod init may take to do something with cgroups that it has itself, in a machine.
pub const CGROUPS_MAX: Duration = Duration::from_secs(5);
/// The longest grace period, in milliseconds: a year of 365 days. A longer one is as good as this.
pub const GRACE_MS_MAX: u64 = 31_536_000_000;
