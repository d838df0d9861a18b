//! The program cosign itself, in both directions, where it is there: as `$FAIRING_COSIGN` or in the
//! path when the tests are built. Debian 12 has no package of it; without it these tests are counted as ignored.

use std::path::{Path, PathBuf};
use std::process::Command;

use harness::{Algorithm, Host, Key};

use crate::trust::{run, unsigned};

/// The program that was there when the tests were built.
fn cosign() -> PathBuf {
    let named = std::env::var_os("FAIRING_COSIGN").map(PathBuf::from);
    let built = option_env!("FAIRING_COSIGN").map(PathBuf::from);
    named.or(built).expect("cosign")
}

/// Runs cosign with a home of its own, so that it neither reads nor leaves anything; whether it succeeded.
fn call(program: &Path, host: &Host, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program)
        .args(arguments)
        .env("HOME", host.base())
        .env("COSIGN_PASSWORD", "open sesame")
        .env("COSIGN_YES", "true")
        .env("TUF_ROOT", host.base().join("tuf"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), text)
}

/// Whether it is of the third generation, which writes bundles and is told by a file where to log.
fn takes_signing_config(program: &Path) -> bool {
    let help = Command::new(program).args(["sign", "--help"]).output();
    help.is_ok_and(|help| String::from_utf8_lossy(&help.stdout).contains("--signing-config"))
}

#[test]
#[cfg_attr(not(cosign), ignore = "cosign is not installed")]
fn cosign_verifies_what_fairing_signs() {
    let program = cosign();
    let (_registry, host, image) = unsigned();
    let key = Key::generate_as(&host, "team", Algorithm::EcdsaP256);
    let other = Key::generate_as(&host, "other", Algorithm::EcdsaP256);
    for format in ["--format=simple", "--format=both"] {
        host.fairing(["image", "sign", format, "--key"])
            .arg(key.private())
            .arg(&image)
            .run()
            .ok();
        let verify = |key: &Key| {
            let key = key.public().to_str().unwrap();
            let ignore = ["--insecure-ignore-tlog=true", "--allow-insecure-registry"];
            let verify = ["verify", "--key", key];
            call(&program, &host, &[&verify[..], &ignore, &[&image]].concat())
        };
        let (good, told) = verify(&key);
        assert!(good, "{format}: {told}");
        assert!(!verify(&other).0, "{format}");
    }
}

#[test]
#[cfg_attr(not(cosign), ignore = "cosign is not installed")]
fn fairing_verifies_what_cosign_signs() {
    let program = cosign();
    let (registry, host, image) = unsigned();
    let prefix = host.base().join("pair");
    let prefix = prefix.to_str().unwrap();
    let generate = ["generate-key-pair", "--output-key-prefix", prefix];
    let (good, told) = call(&program, &host, &generate);
    assert!(good, "{told}");
    let (private, public) = (format!("{prefix}.key"), format!("{prefix}.pub"));
    host.fairing([
        "trust",
        "add",
        "--yes",
        "--prefix",
        &registry.name("team"),
        &public,
    ])
    .run()
    .ok();
    run(&host, &image).expect_code(115);
    let mut sign = vec!["sign", "--key", &private, "--allow-insecure-registry"];
    let config = host.write(
        "signing.json",
        r#"{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}"#,
    );
    let config = config.to_str().unwrap().to_owned();
    match takes_signing_config(&program) {
        true => sign.extend(["--signing-config", &config]),
        false => sign.push("--tlog-upload=false"),
    }
    sign.push(&image);
    let (good, told) = call(&program, &host, &sign);
    assert!(good, "{told}");
    run(&host, &image).ok();
    // The key itself, which is under a passphrase, signs here too.
    host.fairing(["image", "sign", "--key", &private, &image])
        .env("COSIGN_PASSWORD", "open sesame")
        .run()
        .ok();
}
