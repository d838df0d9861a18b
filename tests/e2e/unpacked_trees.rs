//! Unpacked layers, stacked, are what another tool makes of the same image: umoci, the reference
//! of the image specification.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use harness::{Host, ImageBuilder, Layer, debian_images_dir, digest_of};
use serde_json::{Value, json};

/// One tree as the bytes of its tar: paths, types, modes, owners, times, targets, hard links,
/// devices, extended attributes and contents, in the order of names.
const TAR: &str = "tar --create --sort=name --numeric-owner --format=posix --xattrs \
    --xattrs-include='*' --pax-option=delete=atime,delete=ctime,exthdr.name=%d/pax/%f";

fn digest(text: &Value) -> &str {
    text.as_str().unwrap().split_once(':').unwrap().1
}

/// An OCI layout of which one tag is read.
struct Layout {
    folder: PathBuf,
    manifest: Value,
    diff_ids: Vec<String>,
}

impl Layout {
    fn open(folder: &Path, tag: &str) -> Self {
        let json =
            |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
        let index = json(&folder.join("index.json"));
        let entry = index["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .find(|entry| entry["annotations"]["org.opencontainers.image.ref.name"] == tag);
        let blobs = folder.join("blobs/sha256");
        let manifest = json(&blobs.join(digest(&entry.unwrap()["digest"])));
        let config = json(&blobs.join(digest(&manifest["config"]["digest"])));
        let diff_ids = config["rootfs"]["diff_ids"].as_array().unwrap();
        Self {
            folder: folder.to_owned(),
            diff_ids: diff_ids.iter().map(|id| digest(id).to_owned()).collect(),
            manifest,
        }
    }

    fn blob(&self, digest_text: &Value) -> PathBuf {
        self.folder.join("blobs/sha256").join(digest(digest_text))
    }

    /// The same image in another layout, with plain tar where it has zstd, which Debian's umoci does
    /// not read.
    fn without_zstd(&self, to: &Path) {
        let blobs = to.join("blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        let mut manifest = self.manifest.clone();
        let config = self.blob(&manifest["config"]["digest"]);
        fs::copy(&config, blobs.join(config.file_name().unwrap())).unwrap();
        let layers = manifest["layers"].as_array_mut().unwrap();
        for (layer, diff_id) in layers.iter_mut().zip(&self.diff_ids) {
            let blob = self.blob(&layer["digest"]);
            if !layer["mediaType"].as_str().unwrap().ends_with("zstd") {
                fs::copy(&blob, blobs.join(blob.file_name().unwrap())).unwrap();
                continue;
            }
            let tar = blobs.join(diff_id);
            if !tar.exists() {
                shell(&format!(
                    "zstd -qdc '{}' > '{}'",
                    blob.display(),
                    tar.display()
                ));
            }
            *layer = json!({
                "mediaType": "application/vnd.oci.image.layer.v1.tar",
                "digest": format!("sha256:{diff_id}"),
                "size": tar.metadata().unwrap().len(),
            });
        }
        let manifest = manifest.to_string();
        let named = digest_of(manifest.as_bytes());
        fs::write(blobs.join(digest(&json!(named))), &manifest).unwrap();
        let index = json!({
            "schemaVersion": 2,
            "manifests": [{
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": named,
                "size": manifest.len(),
                "annotations": { "org.opencontainers.image.ref.name": "image" },
            }],
        });
        fs::write(to.join("index.json"), index.to_string()).unwrap();
        fs::write(to.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    }
}

/// Unpacks an image by umoci into `root`.
fn by_umoci(host: &Host, layout: &Layout, root: &Path) {
    let plain = host.base().join("without-zstd");
    layout.without_zstd(&plain);
    let output = Command::new("umoci")
        .args(["raw", "unpack", "--image"])
        .arg(format!("{}:image", plain.display()))
        .arg(root)
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "umoci: {message}");
}

/// Unpacks an image by fairing, and gives the layers as `lowerdir` wants them, below the directory of
/// layers.
fn by_fairing(host: &Host, layout: &Layout, tag: &str, empty: &Path) -> String {
    host.fairing(["--insecure-options=image", "image", "import"])
        .arg(format!("oci:{}:{tag}", layout.folder.display()))
        .args(["--name", &format!("example.com/tree:{tag}")])
        .run()
        .ok();
    let layers = host.data_dir().join("images/layers");
    let mut lower = String::new();
    for diff_id in layout.diff_ids.iter().rev() {
        write!(lower, "{diff_id}/fs:").unwrap();
        if layers.join(diff_id).join("opaque").exists() {
            break;
        }
    }
    // A stack has two layers at least.
    write!(lower, "{}", empty.display()).unwrap();
    lower
}

fn shell(command: &str) {
    let status = Command::new("/bin/sh")
        .args(["-euc", command])
        .status()
        .unwrap();
    assert!(status.success(), "{command}");
}

/// The members of a tar by their names, each as a line and a digest of what it holds.
fn members(tar: &Path) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(File::open(tar).unwrap());
    let mut members = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let mut line = String::new();
        // Extended attributes have no order.
        let records: BTreeMap<String, String> = entry
            .pax_extensions()
            .unwrap()
            .into_iter()
            .flatten()
            .map(|record| {
                let record = record.unwrap();
                let value = String::from_utf8_lossy(record.value_bytes()).into_owned();
                (record.key().unwrap().to_owned(), value)
            })
            .collect();
        write!(line, "{records:?} ").unwrap();
        let header = entry.header();
        write!(
            line,
            "{:?} {:o} {}:{} mtime {} size {} link {:?} device {:?}:{:?}",
            header.entry_type(),
            header.mode().unwrap(),
            header.uid().unwrap(),
            header.gid().unwrap(),
            header.mtime().unwrap(),
            header.size().unwrap(),
            header
                .link_name_bytes()
                .map(|link| String::from_utf8_lossy(&link).into_owned()),
            header.device_major(),
            header.device_minor(),
        )
        .unwrap();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        write!(line, " {}", digest_of(&content)).unwrap();
        members.insert(name, line);
    }
    members
}

#[track_caller]
fn compare(host: &Host, layout: &Path, tag: &str, least: usize) {
    let work = host.base().join(format!("compare-{tag}"));
    let at = |name: &str| work.join(name);
    for name in ["merged", "empty"] {
        fs::create_dir_all(at(name)).unwrap();
    }
    let layout = Layout::open(layout, tag);
    by_umoci(host, &layout, &at("umoci"));
    let lower = by_fairing(host, &layout, tag, &at("empty"));
    // An archive of the root alone first: two that fail alike would be the same.
    // The mount is for this shell alone and ends with it. Where the two tars are not the same to
    // the byte, they are kept for a closer look.
    let inside = format!(
        "cd '{layers}'; mount -t overlay -o ro,lowerdir={lower} overlay '{work}/merged'; cd '{work}'
         {TAR} -C merged --no-recursion . | tar -t > root
         find merged | wc -l > count
         if ! cmp -s <({TAR} -C umoci .) <({TAR} -C merged .); then
             {TAR} -C umoci -f theirs.tar .
             {TAR} -C merged -f ours.tar .
         fi",
        layers = host.data_dir().join("images/layers").display(),
        work = work.display(),
    );
    let status = Command::new("unshare")
        .args([
            "--mount",
            "--propagation=private",
            "/bin/bash",
            "-euo",
            "pipefail",
            "-c",
            &inside,
        ])
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    // As many as this, or something was not looked at.
    let count: usize = fs::read_to_string(at("count"))
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert!(count >= least, "{tag} has {count} files");
    let report = match at("ours.tar").exists() {
        true => differences(&members(&at("theirs.tar")), &members(&at("ours.tar"))),
        false => String::new(),
    };
    fs::remove_dir_all(&work).unwrap();
    let report: String = report.chars().take(8000).collect();
    assert!(report.is_empty(), "the trees of {tag} differ:\n{report}");
}

fn differences(theirs: &BTreeMap<String, String>, ours: &BTreeMap<String, String>) -> String {
    let mut report = String::new();
    for (name, line) in theirs {
        match ours.get(name) {
            Some(other) if other == line => {}
            Some(other) => {
                writeln!(report, "{name}\n  umoci:   {line}\n  fairing: {other}").unwrap();
            }
            None => writeln!(report, "{name}\n  only umoci has it: {line}").unwrap(),
        }
    }
    for (name, line) in ours.iter().filter(|(name, _)| !theirs.contains_key(*name)) {
        writeln!(report, "{name}\n  only fairing has it: {line}").unwrap();
    }
    report
}

#[test]
fn debian_images_are_as_umoci_unpacks_them() {
    let host = Host::new();
    for (tag, least) in [("nginx", 2500), ("redis", 2500), ("postgres", 4000)] {
        compare(&host, &debian_images_dir(), tag, least);
    }
}

/// All that a layer can do to those below it. Each names the directories that it changes something in,
/// as tools that compare trees do: what a layer does not name has the mode 0755 in that layer.
fn stacked() -> ImageBuilder {
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let long = "n".repeat(200);
    let base = Layer::new()
        .folder(".", 0o750)
        .folder("bin", 0o755)
        .file("bin/su", "su", 0o4755)
        .file("bin/wall", "wall", 0o2755)
        .owner(7, 8)
        .file("bin/ping", "ping", 0o755)
        .xattr("security.capability", capability)
        .xattr("user.note", "kept")
        .owner(0, 0)
        .folder("tmp", 0o1777)
        .folder("dev", 0o755)
        .character_device("dev/null", 1, 3)
        .fifo("dev/initctl")
        .folder("keep", 0o700)
        .file("keep/file", "below", 0o600)
        .file("keep/gone", "below", 0o600)
        .hardlink("keep/hard", "keep/file")
        .symlink("keep/link", "/no/where")
        .hardlink("keep/hardlink-of-link", "keep/link")
        .folder("opaque", 0o755)
        .file("opaque/below", "below", 0o644)
        .folder("opaque/sub", 0o755)
        .file("opaque/sub/below", "below", 0o644)
        .folder("removed", 0o755)
        .file("removed/below", "below", 0o644)
        .folder("again", 0o711)
        .file("again/below", "below", 0o644)
        .folder("folder-to-file", 0o755)
        .file("folder-to-file/below", "below", 0o644)
        .file("file-to-folder", "below", 0o644)
        .symlink("link-to-folder", "keep")
        .folder("folder-to-link", 0o755)
        .file("folder-to-link/below", "below", 0o644)
        .folder("there-and-back", 0o755)
        .file("there-and-back/below", "below", 0o644)
        .owner(70_000, 2_000_000)
        .file("owned", "", 0o640)
        .owner(3_000_000_000, 4_000_000_000)
        .file(
            &format!("{long}/far").replace(&format!("{long}/"), ""),
            "x",
            0o644,
        )
        .owner(0, 0)
        .file(&long, "long", 0o644)
        .symlink("far-link", &"t/".repeat(150));
    let middle = Layer::new()
        .folder(".", 0o751)
        .folder("keep", 0o701)
        .whiteout("keep/gone")
        .whiteout("keep/never-was")
        .file("keep/file", "above", 0o640)
        .folder("opaque", 0o755)
        .opaque("opaque")
        .file("opaque/above", "above", 0o644)
        .folder("opaque/sub", 0o755)
        .whiteout("removed")
        .whiteout("again")
        .folder("again", 0o700)
        .file("again/above", "above", 0o644)
        .file("folder-to-file", "above", 0o644)
        .folder("file-to-folder", 0o755)
        .file("file-to-folder/above", "above", 0o644)
        .folder("link-to-folder", 0o755)
        .file("link-to-folder/above", "above", 0o644)
        .symlink("folder-to-link", "keep")
        .file("there-and-back", "", 0o644)
        .folder("there-and-back", 0o755)
        .file("there-and-back/above", "above", 0o644);
    let top = Layer::new()
        .folder(".", 0o755)
        .folder("keep", 0o700)
        .file("keep/gone", "back", 0o600)
        .hardlink("keep/gone-too", "keep/gone")
        .folder("removed", 0o500)
        .file("removed/new", "new", 0o400)
        .folder("opaque", 0o755)
        .whiteout("opaque/above")
        .whiteout("folder-to-link")
        .fifo("folder-to-file");
    ImageBuilder::new().layer(base).layer(middle).layer(top)
}

#[test]
fn stacked_layers_are_as_umoci_unpacks_them() {
    let host = Host::new();
    let folder = host.base().join("layout");
    stacked().build().write_layout(&folder, "stacked");
    compare(&host, &folder, "stacked", 25);
    // A layer that hides all of those below.
    let bare = stacked().layer(
        Layer::new()
            .opaque(".")
            .folder(".", 0o711)
            .folder("only", 0o755)
            .file("only/this", "x", 0o644),
    );
    bare.build().write_layout(&folder, "bare");
    compare(&host, &folder, "bare", 3);
}
