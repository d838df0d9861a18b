//! When apps start again, in Kubernetes' words.

use pod::manifest::RestartPolicy;

pub(super) fn word(policy: RestartPolicy) -> &'static str {
    match policy {
        RestartPolicy::Never => "Never",
        RestartPolicy::OnFailure => "OnFailure",
        RestartPolicy::Always => "Always",
    }
}
