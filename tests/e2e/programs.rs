//! What the programs are made of.

use std::path::Path;
use std::process::Command;

use harness::dist_dir;

/// The packages that programs are made of, and where the programs are installed.
const PROGRAMS: [(&str, &str); 4] = [
    ("fairing", "bin/fairing"),
    ("fairing-stage1", "lib/fairing/stage1/nspawn/pod-init"),
    (
        "fairing-stage1-nspawn",
        "lib/fairing/stage1/nspawn/stage1-nspawn",
    ),
    ("fairing-cni-glue", "lib/fairing/cni/fairing-cni"),
];

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The crates that `deny.toml` bans: asynchronous runtimes, and second implementations of TLS.
fn banned() -> Vec<String> {
    let text = std::fs::read_to_string(repository().join("deny.toml")).unwrap();
    let entries = text.lines().filter_map(|line| {
        let name = line.trim().strip_prefix("{ name = \"")?;
        Some(name.split('"').next()?.to_owned())
    });
    let banned: Vec<String> = entries.collect();
    assert!(banned.contains(&"tokio".to_owned()), "{banned:?}");
    banned
}

/// The names of all crates that a package is linked of.
fn crates(package: &str) -> Vec<String> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["tree", "--offline", "--locked", "--edges=normal"])
        .args(["--prefix=none", "--format={p}", "--package", package])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let names = text.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

#[test]
fn no_program_is_made_of_a_crate_that_is_banned() {
    for (package, _) in PROGRAMS {
        let crates = crates(package);
        assert!(crates.contains(&"serde_json".to_owned()), "{crates:?}");
        for banned in banned() {
            assert!(!crates.contains(&banned), "{package} links {banned}");
        }
    }
}

/// Messages of panics name the source file, and so the crate, of whatever may panic.
#[test]
fn no_installed_program_has_code_of_a_crate_that_is_banned() {
    for (_, program) in PROGRAMS {
        let bytes = std::fs::read(dist_dir().join(program)).unwrap();
        let has = |name: &str| {
            let sought = format!("/{name}-").into_bytes();
            bytes.windows(sought.len()).any(|window| window == sought)
        };
        assert!(has("serde_json"), "{program} has no names of crates");
        for banned in banned() {
            assert!(!has(&banned), "{program} has code of {banned}");
        }
    }
}
