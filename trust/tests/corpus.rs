//! Every parser of the crate, fed with the files of `corpus/TARGET` and with what a seeded generator makes of
//! them. No text may make one panic or take long, and every error must be fit for one line of a terminal.
//!
//! A fuzzer may start from the same folders; each target is one function of this file.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::time::{Duration, Instant};

use trust::{
    Bundle, Claim, ContainersPolicy, Policy, PolicySource, Prefix, PrivateKey, PublicKey,
    Repository, Statement, Timestamp,
};

/// Longest that the mutations of one target are tried.
const BUDGET: Duration = Duration::from_millis(700);
/// Most mutations of one target: enough for a machine that has nothing else to do.
const MUTATIONS: usize = 3000;

/// Texts that parsers are known to stumble over.
const TOKENS: [&str; 16] = [
    "\"", "\\", "{", "}", "[", "]", ",", ":", "null", "-1", "1e999", "\u{0}", "é", "\\u0000", "=",
    "'''",
];

/// Marsaglia's xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (limit.max(1) as u64)).unwrap()
    }

    fn mutate(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len() + 1);
            let end = (at + 1 + self.below(24)).min(bytes.len());
            match self.below(6) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 => drop(bytes.drain(at..end)),
                2 => bytes.truncate(at),
                3 => {
                    let copy = bytes[at..end].to_vec();
                    let to = self.below(bytes.len() + 1);
                    bytes.splice(to..to, copy);
                }
                _ => {
                    let token = TOKENS[self.below(TOKENS.len())];
                    bytes.splice(at..at, token.bytes());
                }
            }
        }
        bytes
    }
}

/// Feeds a target with its corpus, then with mutations of it.
fn feed(name: &str, target: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(name);
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort_unstable();
    let seeds: Vec<_> = paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    assert!(!seeds.is_empty());
    for seed in &seeds {
        target(seed);
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let begin = Instant::now();
    for round in 0..MUTATIONS {
        if begin.elapsed() > BUDGET {
            break;
        }
        target(&random.mutate(&seeds[round % seeds.len()]));
    }
}

/// An error fits one line of a terminal.
fn one_line<T, E: Display>(result: Result<T, E>) -> Option<T> {
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

fn simple_signing(bytes: &[u8]) {
    one_line(Claim::parse(bytes));
}

fn bundle(bytes: &[u8]) {
    if let Some(bundle) = one_line(Bundle::parse(bytes)) {
        statement(bundle.payload());
    }
}

fn statement(bytes: &[u8]) {
    one_line(Statement::parse(bytes));
}

fn public_key(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(key) = one_line(PublicKey::from_pem(&text)) {
        assert_eq!(PublicKey::from_pem(&key.to_pem()), Ok(key));
    }
}

fn private_key(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    one_line(PrivateKey::from_pem(&text));
}

fn encrypted_key(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    one_line(PrivateKey::from_encrypted_pem(&text, b"x"));
}

fn policy(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let path = "/etc/fairing/trust.d/a.toml".into();
    let source = PolicySource { path, text };
    let Some(policy) = one_line(Policy::parse(&[], &[source])) else {
        return;
    };
    one_line(policy.check());
    for placed in policy.rules() {
        let path = placed.file().to_owned();
        let text = placed.rule().to_toml();
        let again = Policy::parse(&[], &[PolicySource { path, text }]).unwrap();
        assert_eq!(again.rules(), [placed.clone()]);
    }
}

fn containers_policy(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(policy) = one_line(ContainersPolicy::parse(&text)) {
        let file = Path::new("/etc/containers/policy.json");
        let policy = one_line(policy.into_policy(file, &BTreeMap::new()));
        policy.map(|policy| one_line(policy.check()));
    }
}

fn policy_test(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let now = Timestamp::from_seconds(1_800_000_000).unwrap();
    one_line(trust::test_policy(&Policy::default(), &text, now));
}

fn name(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(repository) = one_line(Repository::parse(&text)) {
        assert_eq!(repository.as_str(), text);
        assert!(Prefix::parse(&text).is_ok());
    }
    one_line(Prefix::parse(&text));
    one_line(Timestamp::parse(&text));
}

macro_rules! targets {
    ($($target:ident $folder:literal)*) => {$(
        mod $target {
            #[test]
            fn corpus_and_mutations() {
                super::feed($folder, super::$target);
            }
        }
    )*};
}

targets! {
    simple_signing "simple-signing"
    bundle "bundle"
    statement "statement"
    public_key "public-key"
    private_key "private-key"
    encrypted_key "encrypted-key"
    policy "policy"
    containers_policy "containers-policy"
    policy_test "policy-test"
    name "name"
}

#[test]
fn the_largest_seeds_are_understood() {
    let path = "/etc/fairing/trust.d/a.toml".into();
    let text = include_str!("corpus/policy/all.toml").to_owned();
    let policy = Policy::parse(&[], &[PolicySource { path, text }]).unwrap();
    assert_eq!((policy.rules().len(), policy.revoked().len()), (4, 1));
    let text = include_str!("corpus/containers-policy/all.json");
    assert_eq!(ContainersPolicy::parse(text).unwrap().key_files().len(), 3);
    let now = Timestamp::from_seconds(1_800_000_000).unwrap();
    let cases = include_str!("corpus/policy-test/all.toml");
    let outcomes = trust::test_policy(&Policy::default(), cases, now).unwrap();
    assert!(
        outcomes.iter().all(|outcome| outcome.passed),
        "{outcomes:?}"
    );
}
