//! What a policy.json accepts, compared with skopeo: it can't read the signatures that fairing reads,
//! so each name is signed twice, for skopeo with GPG.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::{Algorithm, Host, ImageBuilder, Key, ScriptedRegistry};
use serde_json::{Map, Value, json};

use crate::cosign_forms::{Beside, piped};

/// Identities, signed names, and what should come of them.
const TABLE: &str = include_str!("../../trust/src/containers_policy/identities.json");

/// A key of GPG in a directory of its own, whose agent ends with it.
struct Gpg {
    home: PathBuf,
    public: PathBuf,
}

impl Gpg {
    fn new(host: &Host) -> Self {
        let public = host.write("gpg/public.gpg", "");
        let home = host.base().join("gpg");
        fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let gpg = Self { home, public };
        let make = [
            "--passphrase",
            "",
            "--quick-generate-key",
            "tests",
            "rsa2048",
        ];
        gpg.run(&make, b"");
        let exported = gpg.run(&["--export"], b"");
        fs::write(&gpg.public, exported).unwrap();
        gpg
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = Command::new("gpg");
        let flags = ["--batch", "--quiet", "--homedir"];
        command.args(flags).arg(&self.home).args(arguments);
        piped(&mut command, input)
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let mut end = Command::new("gpgconf");
        end.arg("--homedir").arg(&self.home);
        let _ = end.args(["--kill", "all"]).status();
    }
}

/// What podman and skopeo sign: that a name stands for a digest.
fn payload(name: &str, digest: &str) -> String {
    let critical = json!({
        "identity": { "docker-reference": name },
        "image": { "docker-manifest-digest": digest },
        "type": "atomic container signature",
    });
    json!({ "critical": critical, "optional": {} }).to_string()
}

/// One image with one signature.
struct Case {
    row: usize,
    version: usize,
    host: String,
    digest: String,
    identity: Value,
}

impl Case {
    /// The image's names: without a version, by its tag, by its digest.
    fn asked(&self) -> [(&'static str, String); 3] {
        let name = format!("{}/team/x", self.host);
        [
            ("none", name.clone()),
            ("tag", format!("{name}:1")),
            ("digest", format!("{name}@{}", self.digest)),
        ]
    }

    /// The directory that `skopeo sync` makes for one of these.
    fn copied(&self, to: &Path, name: &str) -> bool {
        let tag = if name.ends_with("/x") { ":latest" } else { "" };
        to.join(format!("{name}{tag}/manifest.json")).exists()
    }
}

/// A policy with these scopes, of which each has one requirement with an identity.
fn policy(cases: &[Case], requirement: &Value) -> String {
    let mut scopes = Map::new();
    for case in cases {
        scopes.insert(
            case.host.clone(),
            json!([with(requirement, &case.identity)]),
        );
    }
    let scopes = json!({ "docker": scopes });
    json!({ "default": [{ "type": "reject" }], "transports": scopes }).to_string()
}

fn with(requirement: &Value, identity: &Value) -> Value {
    let mut requirement = requirement.clone();
    if !identity.is_null() {
        requirement["signedIdentity"] = identity.clone();
    }
    requirement
}

/// The table's text with an image's own values.
fn filled(text: &str, host: &str, digest: &str) -> String {
    let other = format!("sha256:{}", "0b".repeat(32));
    let text = text.replace("HOST", host).replace("DIGEST", digest);
    text.replace("OTHER", &other)
}

fn skopeo(host: &Host, policy: &Path) -> Command {
    let mut command = Command::new("skopeo");
    command
        .arg("--registries-conf")
        .arg(host.base().join("containers/registries.conf"))
        .arg("--policy")
        .arg(policy)
        .arg("--registries.d")
        .arg(host.base().join("registries.d"));
    command
}

#[test]
#[cfg_attr(not(skopeo_with_gpg), ignore = "skopeo or gpg is not installed")]
fn a_policy_json_gives_the_verdicts_of_skopeo() {
    let (registry, host) = (ScriptedRegistry::start(), Host::new());
    let gpg = Gpg::new(&host);
    let key = Key::generate_as(&host, "team", Algorithm::EcdsaP256);
    let table: Value = serde_json::from_str(TABLE).unwrap();
    let versions = table["versions"].as_array().unwrap();
    let rows = table["rows"].as_array().unwrap();

    let (mut cases, mut places, mut list) = (Vec::new(), String::new(), String::new());
    for (row, entry) in rows.iter().enumerate() {
        for (version, signed_version) in versions.iter().enumerate() {
            let at = format!("r{row}v{version}");
            let image = ImageBuilder::new().env("IMAGE", &at).build();
            let digest = image.digest();
            let name = format!("{at}.test");
            for tag in ["1", "latest"] {
                registry.offer(&image, &format!("{at}/team/x:{tag}"));
            }
            let signed = [&entry["signed"], signed_version].map(|part| part.as_str().unwrap());
            let signed = filled(&signed.concat(), &name, &digest);
            Beside::signed(&key, &signed, &digest).offer(
                &registry,
                &format!("{at}/team/x"),
                &format!("{}.sig", digest.replace(':', "-")),
            );
            let payload = payload(&signed, &digest);
            let signature = gpg.run(&["--sign"], payload.as_bytes());
            let folder = format!("lookaside/{at}/team/x@{}", digest.replace(':', "="));
            host.write(format!("{folder}/signature-1"), signature);
            let location = registry.reference(&at);
            let place = format!(
                "[[registry]]\nprefix = {name:?}\nlocation = {location:?}\ninsecure = true\n"
            );
            places.push_str(&place);
            writeln!(
                list,
                "{name}: {{tls-verify: false, images: {{team/x: [\"1\", latest, {digest:?}]}}}}"
            )
            .unwrap();
            let identity = filled(&entry["identity"].to_string(), &name, &digest);
            let identity = serde_json::from_str(&identity).unwrap();
            cases.push(Case {
                row,
                version,
                host: name,
                digest,
                identity,
            });
        }
    }
    host.write("containers/registries.conf", places);
    // Where images really are counts for where their signatures are.
    let place = registry.reference("");
    let lookaside = host.base().join("lookaside");
    let signatures = format!(
        "docker: {{\"{}\": {{lookaside: \"file://{}\"}}}}\n",
        place.trim_end_matches('/'),
        lookaside.display()
    );
    host.write("registries.d/tests.yaml", signatures);
    let list = host.write("list.yaml", list);

    // skopeo copies what it accepts, and goes on.
    let gpg_signed = json!({ "type": "signedBy", "keyType": "GPGKeys", "keyPath": gpg.public });
    let theirs = host.write("theirs.json", policy(&cases, &gpg_signed));
    let copies = host.base().join("copies");
    let mut sync = skopeo(&host, &theirs);
    sync.args([
        "sync",
        "--keep-going",
        "--scoped",
        "--src=yaml",
        "--dest=dir",
    ]);
    let synced = sync.arg(list).arg(&copies).output().unwrap();
    let told = String::from_utf8_lossy(&synced.stderr).into_owned();
    assert!(copies.exists(), "{told}");

    let sigstore_signed = json!({ "type": "sigstoreSigned", "keyPath": key.public() });
    let setting = host.base().join("policy.json");
    let setting = format!(
        "[trust]\ncontainers-policy = {:?}\n",
        setting.display().to_string()
    );
    host.write(
        "policy.json",
        r#"{"default":[{"type":"insecureAcceptAnything"}]}"#,
    );
    host.write("etc/config.toml", setting);
    let names = cases
        .iter()
        .flat_map(|case| case.asked())
        .map(|(_, name)| name);
    let patience = std::time::Duration::from_secs(300);
    host.fairing(["fetch"])
        .args(names)
        .limit(patience)
        .run()
        .ok();
    host.write("policy.json", policy(&cases, &sigstore_signed));

    let mut wrong = Vec::new();
    let mut accepted = 0;
    for case in &cases {
        for (asked_by, name) in case.asked() {
            let skopeo = case.copied(&copies, &name);
            let explained = host
                .fairing(["trust", "explain", "--format=json", &name])
                .run();
            let fairing = explained.ok().json()["refusal"].is_null();
            let row = &rows[case.row];
            let expected = row[asked_by].as_str().unwrap().as_bytes()[case.version] == b'+';
            if skopeo != expected || fairing != expected {
                let version = &versions[case.version];
                wrong.push(format!("{row} {version} by {asked_by}: {skopeo} {fairing}"));
            }
            accepted += usize::from(skopeo);
        }
    }
    assert_eq!(
        wrong,
        <[String; 0]>::default(),
        "row, what skopeo and what fairing say\n{told}"
    );
    assert!(accepted > 0);

    // What makes no sense refuses the policy.
    for mistake in table["mistakes"].as_array().unwrap() {
        let mistake = filled(&mistake.to_string(), "a.io", &cases[0].digest);
        let mistake = serde_json::from_str(&mistake).unwrap();
        let [theirs, ours] = [&gpg_signed, &sigstore_signed].map(|requirement| {
            let scope = json!({ "b.io": [with(requirement, &mistake)] });
            json!({
                "default": [{ "type": "insecureAcceptAnything" }],
                "transports": { "docker": scope },
            })
        });
        let theirs = host.write("theirs.json", theirs.to_string());
        let mut copy = skopeo(&host, &theirs);
        copy.args(["copy", "--quiet"]);
        let copy = copy.arg(format!("docker://{}", cases[0].asked()[1].1));
        let copied = copy
            .arg(format!("dir:{}/no", host.base().display()))
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&copied.stderr).into_owned();
        assert!(told.contains("trust policy"), "{mistake}: {told}");
        host.write("policy.json", ours.to_string());
        let explain = host
            .fairing(["trust", "explain", &cases[0].asked()[1].1])
            .run();
        explain.expect_error(125, &["policy.json"]);
    }
}
