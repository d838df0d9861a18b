//! Bodies of the fuzz targets: ordinary functions that take any bytes, and panic only where the code under
//! test has a bug. `fuzz/` hands them to libFuzzer; the tests below replay their corpora and mutate these.
//!
//! What each asks beside an end without panic: an error fits one line of a terminal, and what is understood
//! is written and understood again as the same.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use crate::{
    Bundle, Claim, ContainersPolicy, Policy, PolicySource, PrivateKey, PublicKey, Statement,
    Timestamp,
};

/// The value, or nothing after a look at the error.
fn told<T, E: Display>(result: Result<T, E>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            let shown = error.to_string();
            let fits = shown.len() < 2000 && !shown.contains(|c: char| c.is_control());
            assert!(fits, "{shown:?}");
            None
        }
    }
}

/// Payloads of cosign's tag format.
pub fn simple_signing(data: &[u8]) {
    told(Claim::parse(data));
}

/// Sigstore bundles, and the statements in them.
pub fn bundle(data: &[u8]) {
    if let Some(bundle) = told(Bundle::parse(data)) {
        statement(bundle.payload());
    }
}

/// in-toto statements.
pub fn statement(data: &[u8]) {
    told(Statement::parse(data));
}

/// Public keys in PEM.
pub fn public_key(data: &[u8]) {
    if let Some(key) = told(PublicKey::from_pem(&String::from_utf8_lossy(data))) {
        assert_eq!(PublicKey::from_pem(&key.to_pem()), Ok(key));
    }
}

/// Private keys in PEM.
pub fn private_key(data: &[u8]) {
    told(PrivateKey::from_pem(&String::from_utf8_lossy(data)));
}

/// Private keys under a passphrase.
pub fn encrypted_key(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    told(PrivateKey::from_encrypted_pem(&text, b"x"));
}

/// Policy files.
pub fn policy(data: &[u8]) {
    let parse = |text: String| {
        let path = "/etc/fairing/trust.d/a.toml".into();
        Policy::parse(&[], &[PolicySource { path, text }])
    };
    let text = String::from_utf8_lossy(data).into_owned();
    let Some(policy) = told(parse(text)) else {
        return;
    };
    told(policy.check());
    for placed in policy.rules() {
        // It stands elsewhere in a file of its own.
        let again = parse(placed.rule().to_toml());
        let rules = again.as_ref().map(Policy::rules).unwrap_or_default();
        let rules: Vec<_> = rules.iter().map(|placed| placed.rule()).collect();
        assert_eq!(rules, [placed.rule()], "{again:?}");
    }
}

/// Containers' policy.json.
pub fn containers_policy(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let file = Path::new("/etc/containers/policy.json");
    let policy = told(ContainersPolicy::parse(&text));
    let policy = policy.and_then(|policy| told(policy.into_policy(file, &BTreeMap::new())));
    if let Some(policy) = policy {
        told(policy.check());
    }
}

/// Files of cases for a policy.
pub fn policy_test(data: &[u8]) {
    let now = Timestamp::from_seconds(1_800_000_000);
    let text = String::from_utf8_lossy(data);
    if let Some(now) = now {
        told(crate::test_policy(&Policy::default(), &text, now));
    }
}

/// Times.
pub fn time(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(time) = told(Timestamp::parse(&text)) {
        assert_eq!(Timestamp::parse(&time.to_string()), Ok(time));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    replay::targets! {
        simple_signing: 10_000,
        bundle: 8000,
        statement: 8000,
        public_key: 10_000,
        private_key: 10_000,
        encrypted_key: 5000,
        policy: 3000,
        containers_policy: 8000,
        policy_test: 4000,
        time: 10_000,
    }

    #[test]
    fn the_largest_seeds_are_understood() {
        let path = "/etc/fairing/trust.d/a.toml".into();
        let text = include_str!("../../fuzz/corpus/policy/all.toml").to_owned();
        let policy = Policy::parse(&[], &[PolicySource { path, text }]).unwrap();
        assert_eq!((policy.rules().len(), policy.revoked().len()), (4, 1));
        let text = include_str!("../../fuzz/corpus/containers_policy/all.json");
        assert_eq!(ContainersPolicy::parse(text).unwrap().key_files().len(), 3);
        let now = Timestamp::from_seconds(1_800_000_000).unwrap();
        let cases = include_str!("../../fuzz/corpus/policy_test/all.toml");
        let outcomes = crate::test_policy(&Policy::default(), cases, now).unwrap();
        assert!(
            outcomes.iter().all(|outcome| outcome.passed),
            "{outcomes:?}"
        );
    }
}
