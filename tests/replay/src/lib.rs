//! Fuzz targets in ordinary tests: each file of a target's corpus (`fuzz/corpus/TARGET/`), then
//! some thousands of inputs that are made of these. Always the same ones, so that a failure comes
//! again.
//!
//! `FAIRING_MUTATIONS=1000000` runs longer, `FAIRING_MUTATION_SEED=7` elsewhere.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    reason = "a failure here is a failure of a test, and its input must be seen"
)]

mod mutation;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use crate::mutation::Mutator;

/// What runs on one input. It returns, whatever the bytes; how long is the test runner's to bound.
pub type Target = fn(&[u8]);

/// Runs `target` on all of its corpus and then on `mutations` inputs made of it.
///
/// # Panics
/// If the target panics, after its input was printed; if it has no corpus.
pub fn replay(name: &str, mutations: u64, target: Target) {
    let seeds = corpus(name);
    for (path, input) in &seeds {
        run(name, &path.display().to_string(), input, target);
    }
    let mutations = from_environment("FAIRING_MUTATIONS").unwrap_or(mutations);
    let start = from_environment("FAIRING_MUTATION_SEED").unwrap_or(0);
    let inputs: Vec<&[u8]> = seeds.iter().map(|(_, input)| input.as_slice()).collect();
    let mut mutator = Mutator::new(name, start, &inputs);
    for number in 0..mutations {
        let input = mutator.next();
        run(name, &format!("mutation {number}"), input, target);
    }
}

/// Makes a test for each of these targets, which are functions of the module around, so that the runner has them side by
/// side: `replay::targets! { name: 1000 }`, with how many mutations there are.
///
/// With `seeds: path::to::function;` first, the corpus of each has the seeds that the function gives for its name, and
/// `FAIRING_BLESS=1` writes them.
#[macro_export]
macro_rules! targets {
    (seeds: $seeds:path; $($name:ident: $mutations:expr),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                $crate::bless(stringify!($name), &$seeds(stringify!($name)));
                $crate::replay(stringify!($name), $mutations, super::$name);
            }
        )*

        #[test]
        fn each_corpus_has_its_seeds() {
            for name in [$(stringify!($name)),*] {
                for (seed, _) in $seeds(name) {
                    let file = $crate::corpus_folder(name).join(seed);
                    assert!(file.exists(), "{} is missing: see fuzz/README.md", file.display());
                }
            }
        }
    };
    ($($name:ident: $mutations:expr),* $(,)?) => {$(
        #[test]
        fn $name() {
            $crate::replay(stringify!($name), $mutations, super::$name);
        }
    )*};
}

/// An input of a corpus that stands for a form of the target's: the name of its file, and its bytes.
pub type Seed = (&'static str, Vec<u8>);

/// Writes the seeds of a target into its corpus, if `FAIRING_BLESS` is set.
///
/// # Panics
/// If they can't be written.
pub fn bless(target: &str, seeds: &[Seed]) {
    if std::env::var_os("FAIRING_BLESS").is_none() {
        return;
    }
    let folder = corpus_folder(target);
    let written = std::fs::create_dir_all(&folder).and_then(|()| {
        let mut seeds = seeds.iter();
        seeds.try_for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes))
    });
    written.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
}

/// The directory of a target's corpus, within the repository.
#[must_use]
pub fn corpus_folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(name)
}

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = corpus_folder(name);
    let entries = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{} has no corpus: {error}", folder.display()));
    let mut seeds: Vec<(PathBuf, Vec<u8>)> = entries
        .map(|entry| {
            let read = entry.and_then(|entry| Ok((entry.path(), std::fs::read(entry.path())?)));
            read.unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        })
        .collect();
    assert!(!seeds.is_empty(), "{} is empty", folder.display());
    // The order of a directory is anybody's; that of the inputs is not.
    seeds.sort();
    seeds
}

fn run(name: &str, which: &str, input: &[u8], target: Target) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
        eprintln!(
            "target {name}, {which}: {} bytes\n{}",
            input.len(),
            input.escape_ascii()
        );
        resume_unwind(panic);
    }
}

fn from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number")),
    )
}

#[cfg(test)]
mod targets;
