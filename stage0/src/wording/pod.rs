//! Pods in words: who vouched for their images, how apps ended, where ports lead.

use std::collections::BTreeSet;

use cni_glue::ports::PortMapping;
use engine::signal_names;
use pod::exit::{OutOfMemory, Outcome};
use pod::manifest::{HostNamespace, InsecureOption, Network, VerificationRecord};

/// The protections that were given up for a pod, and what an app was given beyond the usual, separated by commas; a dash
/// if there is nothing of it.
pub(crate) fn given_up(options: &BTreeSet<InsecureOption>, widened: &[String]) -> String {
    let options = options.iter().map(|option| option.word());
    let words: Vec<_> = options.chain(widened.iter().map(String::as_str)).collect();
    match words.is_empty() {
        true => "-".to_owned(),
        false => words.join(","),
    }
}

/// What a pod shares with the host beside its network.
pub(crate) fn shared(of_host: &BTreeSet<HostNamespace>) -> impl Iterator<Item = String> {
    of_host.iter().map(|one| format!("{}=host", one.word()))
}

/// In words, who vouched for an image and which rule let it run.
pub(crate) fn vouched(verification: &VerificationRecord) -> String {
    let mut text = verification.policy.clone();
    if !verification.keys.is_empty() {
        text.push(' ');
        let keys: Vec<&str> = verification.keys.iter().map(AsRef::as_ref).collect();
        text.push_str(&keys.join(" and "));
    }
    if let (Some(prefix), Some(file)) = (&verification.rule_prefix, &verification.rule_file) {
        text.push_str(&format!(", rule \"{prefix}\" of {}", file.display()));
    }
    text
}

/// In words, which networks a pod was asked to join.
pub(crate) fn selected(network: &Network) -> String {
    match network {
        Network::None => "none".to_owned(),
        Network::Host => "host".to_owned(),
        Network::All => "all".to_owned(),
        Network::Named(requests) => {
            let names: Vec<_> = requests.iter().map(|r| r.name.as_str()).collect();
            names.join(",")
        }
    }
}

/// A port of the host and where it leads: `8080/tcp -> 80`.
pub(crate) fn port_in_words(port: &PortMapping) -> String {
    let first = port.container_port;
    let inside = match port.count {
        0 | 1 => first.to_string(),
        count => format!("{first}-{}", first.saturating_add(count - 1)),
    };
    format!("{} -> {inside}", port.host_side())
}

/// In words, how a process ended.
pub(crate) fn ended(outcome: &Outcome, out_of_memory: Option<OutOfMemory>) -> String {
    match outcome {
        Outcome::Exited { code } => format!("exited with {code}"),
        Outcome::Signaled {
            signal,
            oom_killed: true,
        } => format!(
            "killed by {}: out of memory{}",
            signal_names::name(*signal),
            out_of_memory.map_or("", OutOfMemory::words)
        ),
        Outcome::Signaled { signal, .. } => {
            format!("killed by {}", signal_names::name(*signal))
        }
        Outcome::NotStarted { failure } => match failure {
            pod::exit::FailureKind::NotFound => {
                "not started: its program does not exist".to_owned()
            }
            pod::exit::FailureKind::NotExecutable => {
                "not started: its program can't be executed".to_owned()
            }
            pod::exit::FailureKind::UnknownUser => {
                "not started: its image does not know the user or group".to_owned()
            }
            pod::exit::FailureKind::NoSpace => "not started: no space was left".to_owned(),
            pod::exit::FailureKind::NameTaken
            | pod::exit::FailureKind::Interrupted { .. }
            | pod::exit::FailureKind::TooMany
            | pod::exit::FailureKind::Other => "not started".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oom_kill_is_told_apart() {
        let killed = |oom_killed, out_of_memory| {
            let outcome = Outcome::Signaled {
                signal: 9,
                oom_killed,
            };
            ended(&outcome, out_of_memory)
        };
        assert_eq!(killed(false, None), "killed by SIGKILL");
        let own = killed(true, Some(OutOfMemory::App));
        assert_eq!(own, "killed by SIGKILL: out of memory");
        assert_eq!(killed(true, None), own);
        assert_eq!(
            killed(true, Some(OutOfMemory::Machine)),
            "killed by SIGKILL: out of memory of the virtual machine"
        );
    }

    #[test]
    fn the_signer_and_the_rule_are_named() {
        let verification = VerificationRecord {
            policy: "signed-by".into(),
            rule_prefix: Some("a.io".parse().unwrap()),
            rule_file: Some("/etc/t.toml".into()),
            keys: vec![image_name::Digest::from_bytes(&[0xaa; 32])],
            signed_digest: None,
            integrity: None,
        };
        assert_eq!(
            vouched(&verification),
            format!(
                "signed-by sha256:{}, rule \"a.io\" of /etc/t.toml",
                "aa".repeat(32)
            )
        );
    }
}
