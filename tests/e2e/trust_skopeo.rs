//! What a policy.json accepts, compared with skopeo: it can't read the signatures that fairing reads,
//! so each name is signed twice, for skopeo with GPG.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use harness::{Algorithm, Host, ImageBuilder, Key, Layer, ScriptedRegistry};
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

/// A registry with one image for each version of each row, and a host on which skopeo and fairing look at
/// them.
struct Bench {
    registry: ScriptedRegistry,
    gpg: Gpg,
    key: Key,
    table: Value,
    cases: Vec<Case>,
    // Last: what ends runs in it.
    host: Host,
}

impl Bench {
    fn new() -> Self {
        let host = Host::new();
        let mut bench = Self {
            registry: ScriptedRegistry::start(),
            gpg: Gpg::new(&host),
            key: Key::generate_as(&host, "team", Algorithm::EcdsaP256),
            table: serde_json::from_str(TABLE).unwrap(),
            cases: Vec::new(),
            host,
        };
        let count = |part: &str| bench.table[part].as_array().unwrap().len();
        let (rows, versions) = (count("rows"), count("versions"));
        for row in 0..rows {
            for version in 0..versions {
                let case = bench.offer(row, version);
                bench.cases.push(case);
            }
        }
        bench.configure();
        bench
    }

    /// Offers an image that is signed as a cell of the table says, in both ways.
    fn offer(&self, row: usize, version: usize) -> Case {
        let at = format!("r{row}v{version}");
        let repository = format!("{at}/team/x");
        let layer = Layer::new().file("file", &at, 0o644);
        let image = ImageBuilder::new().layer(layer).build();
        let (host, digest) = (format!("{at}.test"), image.digest());
        for tag in ["1", "latest"] {
            self.registry.offer(&image, &format!("{repository}:{tag}"));
        }
        let row_of_table = &self.table["rows"][row];
        let signed = [&row_of_table["signed"], &self.table["versions"][version]];
        let signed = signed.map(|part| part.as_str().unwrap()).concat();
        let signed = filled(&signed, &host, &digest);
        let tag = format!("{}.sig", digest.replace(':', "-"));
        Beside::signed(&self.key, &signed, &digest).offer(&self.registry, &repository, &tag);
        let signature = self
            .gpg
            .run(&["--sign"], payload(&signed, &digest).as_bytes());
        let file = format!("{repository}@{}/signature-1", digest.replace(':', "="));
        self.host
            .write(Path::new("lookaside").join(file), signature);
        let identity = filled(&row_of_table["identity"].to_string(), &host, &digest);
        Case {
            row,
            version,
            host,
            digest,
            identity: serde_json::from_str(&identity).unwrap(),
        }
    }

    /// Says where the images and their signatures are, and that fairing reads a policy.json.
    fn configure(&self) {
        let mut places = String::new();
        for case in &self.cases {
            let at = case.host.trim_end_matches(".test");
            let (name, location) = (&case.host, self.registry.reference(at));
            writeln!(
                places,
                "[[registry]]\nprefix = {name:?}\nlocation = {location:?}"
            )
            .unwrap();
        }
        self.host.write("containers/registries.conf", places);
        // Where images really are counts for where their signatures are.
        let place = self.registry.reference("");
        let signatures = format!(
            "docker: {{\"{}\": {{lookaside: \"file://{}\"}}}}\n",
            place.trim_end_matches('/'),
            self.host.base().join("lookaside").display()
        );
        self.host.write("registries.d/tests.yaml", signatures);
        let policy = self.host.base().join("policy.json").display().to_string();
        let setting = format!("[trust]\ncontainers-policy = {policy:?}\n");
        self.host.write("etc/config.toml", setting);
    }

    fn gpg_signed(&self) -> Value {
        json!({ "type": "signedBy", "keyType": "GPGKeys", "keyPath": self.gpg.public })
    }

    fn sigstore_signed(&self) -> Value {
        json!({ "type": "sigstoreSigned", "keyPath": self.key.public() })
    }

    fn skopeo(&self, policy: &str) -> Command {
        let policy = self.host.write("theirs.json", policy);
        let file = |name: &str| self.host.base().join(name);
        let mut command = Command::new("skopeo");
        command.arg("--policy").arg(policy);
        command
            .arg("--registries-conf")
            .arg(file("containers/registries.conf"));
        command.arg("--registries.d").arg(file("registries.d"));
        command
    }

    /// Lets skopeo copy what it accepts; gives where to, and what it says.
    fn copies(&self) -> (PathBuf, String) {
        let mut list = String::new();
        for Case { host, digest, .. } in &self.cases {
            writeln!(
                list,
                "{host}: {{tls-verify: false, images: {{team/x: [\"1\", latest, {digest:?}]}}}}"
            )
            .unwrap();
        }
        let list = self.host.write("list.yaml", list);
        let copies = self.host.base().join("copies");
        let mut sync = self.skopeo(&policy(&self.cases, &self.gpg_signed()));
        sync.args(["sync", "--keep-going", "--scoped"]);
        let sync = sync
            .args(["--src=yaml", "--dest=dir"])
            .arg(list)
            .arg(&copies);
        let told = sync.output().unwrap().stderr;
        (copies, String::from_utf8_lossy(&told).into_owned())
    }

    /// Lets fairing fetch all of them, by all their names.
    fn fetch(&self) {
        let accept = r#"{"default":[{"type":"insecureAcceptAnything"}]}"#;
        self.host.write("policy.json", accept);
        let names = self.cases.iter().flat_map(Case::asked);
        let fetch = self
            .host
            .fairing(["fetch"])
            .args(names.map(|(_, name)| name));
        fetch.limit(Duration::from_secs(300)).run().ok();
    }
}

#[test]
#[cfg_attr(not(skopeo_with_gpg), ignore = "skopeo or gpg is not installed")]
fn a_policy_json_gives_the_verdicts_of_skopeo() {
    let bench = Bench::new();
    let (copies, told) = bench.copies();
    bench.fetch();
    let ours = policy(&bench.cases, &bench.sigstore_signed());
    bench.host.write("policy.json", ours);
    let mut wrong = Vec::new();
    let mut accepted = 0;
    for case in &bench.cases {
        let row = &bench.table["rows"][case.row];
        for (asked_by, name) in case.asked() {
            let explain = ["trust", "explain", "--format=json", &name];
            let explained = bench.host.fairing(explain).run().ok().json();
            let verdicts = (case.copied(&copies, &name), explained["allowed"] == true);
            let cell = row[asked_by].as_str().unwrap().as_bytes()[case.version];
            if verdicts != (cell == b'+', cell == b'+') {
                let version = &bench.table["versions"][case.version];
                wrong.push(format!("{row} {version} by {asked_by}: {verdicts:?}"));
            }
            accepted += usize::from(verdicts.0);
        }
    }
    let none = <[String; 0]>::default();
    assert_eq!(wrong, none, "what skopeo and what fairing say\n{told}");
    assert!(accepted > 0);
    both_refuse_policies(&bench);
}

/// What makes no sense refuses the policy, whatever image is asked for.
fn both_refuse_policies(bench: &Bench) {
    let case = &bench.cases[0];
    let [_, (_, name), _] = case.asked();
    for mistake in bench.table["mistakes"].as_array().unwrap() {
        let mistake = filled(&mistake.to_string(), "a.io", &case.digest);
        let mistake = serde_json::from_str(&mistake).unwrap();
        let with_mistake = |requirement: &Value| {
            let scope = json!({ "b.io": [with(requirement, &mistake)] });
            json!({
                "default": [{ "type": "insecureAcceptAnything" }],
                "transports": { "docker": scope },
            })
            .to_string()
        };
        let mut copy = bench.skopeo(&with_mistake(&bench.gpg_signed()));
        let to = format!("dir:{}/no", bench.host.base().display());
        let copy = copy.args(["copy", "--quiet", &format!("docker://{name}"), &to]);
        let told = copy.output().unwrap().stderr;
        let told = String::from_utf8_lossy(&told);
        assert!(told.contains("trust policy"), "{mistake}: {told}");
        let ours = with_mistake(&bench.sigstore_signed());
        bench.host.write("policy.json", ours);
        let explain = bench.host.fairing(["trust", "explain", &name]).run();
        explain.expect_error(125, &["policy.json"]);
    }
}
