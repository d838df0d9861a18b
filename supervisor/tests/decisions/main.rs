//! What the supervisor decides, told as a play: what happens to a pod, and what is done about it.

mod ending;
mod hooks;
mod order;
mod probes;
mod properties;
mod readiness;
mod restarts;
mod stage;
