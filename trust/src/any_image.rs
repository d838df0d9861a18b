//! Whether a policy lets any image run: one that doesn't is told to who looks after the node, not to each pod alone.

use crate::held_key::HeldKey;
use crate::policy::Policy;
use crate::rule::Requirement;
use crate::timestamp::Timestamp;

impl Policy {
    /// Whether a rule of it may let an image run, whichever that is: one that can be met, by keys that count now.
    pub fn lets_some_run(&self, now: Timestamp) -> bool {
        let mut rules = self.rules().iter();
        rules.any(|placed| self.can_be_met(placed.rule().requirement(), now))
    }

    fn can_be_met(&self, requirement: &Requirement, now: Timestamp) -> bool {
        match requirement {
            Requirement::SignedBy {
                keys, threshold, ..
            } => {
                let held = keys.iter().map(|key| HeldKey::of(self, key, now));
                let held: Result<Vec<_>, _> = held.collect();
                held.is_ok_and(|held| {
                    let fit = held.iter().filter(|key| key.unfit.is_none());
                    fit.count() >= *threshold
                })
            }
            Requirement::Digest { .. } | Requirement::AcceptUnsigned => true,
            Requirement::All(all) => {
                let mut all = all.iter();
                all.all(|one| self.can_be_met(one, now))
            }
            Requirement::Reject | Requirement::Unsupported(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::algorithm::Algorithm;
    use crate::policy::{Policy, PolicySource};
    use crate::private_key::PrivateKey;
    use crate::timestamp::Timestamp;

    fn policy(text: String) -> bool {
        let path = "/etc/fairing/trust.d/a.toml".into();
        let policy = Policy::parse(&[], &[PolicySource { path, text }]).unwrap();
        policy.lets_some_run(Timestamp::from_clock(std::time::SystemTime::now()))
    }

    fn rule(body: &str) -> String {
        format!("[[rule]]\nprefix = \"registry.example\"\n{body}\n")
    }

    #[test]
    fn a_rule_that_can_be_met_is_enough() {
        assert!(!policy(String::new()));
        let reject = rule("type = \"reject\"");
        assert!(!policy(reject.clone()));
        let accept = "[[rule]]\nprefix = \"*\"\ntype = \"accept-unsigned\"\n";
        assert!(policy(format!("{reject}{accept}")));
        let digest = format!(
            "type = \"digest\"\ndigests = [\"sha256:{}\"]",
            "0".repeat(64)
        );
        assert!(policy(rule(&digest)));
    }

    #[test]
    fn keys_have_to_be_readable_and_count() {
        let private = PrivateKey::generate(Algorithm::Ed25519).unwrap();
        let key = private.public();
        let signed = |pem: &str| rule(&format!("type = \"signed-by\"\nkeys = ['''{pem}''']"));
        let pem = key.to_pem();
        assert!(policy(signed(&pem)));
        assert!(!policy(signed("no key")));
        let revoked = format!("[[revoked]]\nfingerprint = \"{}\"\n", key.fingerprint());
        assert!(!policy(format!("{}{revoked}", signed(&pem))));
    }
}
