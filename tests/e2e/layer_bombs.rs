//! Layers that are small on their way and huge once unpacked: refused with bounded memory, and
//! nothing of them stays.

use std::fs;
use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use harness::store_contents::store_files;
use harness::{Host, ImageBuilder, Layer, Output};

/// Private memory that a fetch may have, in KiB: RLIMIT_DATA. Threads' stacks count, the program's
/// text does not.
const MEMORY: &str = "65536";

fn gzip(parts: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for part in parts {
        encoder.write_all(&part).unwrap();
    }
    encoder.finish().unwrap()
}

fn zstd(part: &[u8]) -> Vec<u8> {
    zstd::encode_all(part, 1).unwrap()
}

const MIB: usize = 1 << 20;

/// The tar of a layer up to the data of a file that says it is so large.
fn head(kind: u8, name: &str, size: u64) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_path(name).unwrap();
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    header.as_bytes().to_vec()
}

fn import(host: &Host, blob: Vec<u8>) -> Output {
    let image = ImageBuilder::new().layer(Layer::ready(b"unknown", blob));
    let folder = host.base().join("layout");
    let _ = fs::remove_dir_all(&folder);
    image.build().write_layout(&folder, "latest");
    let limited = format!("ulimit -d {MEMORY} && exec \"$@\"");
    host.fairing(["--insecure-options=image", "image", "import"])
        .arg(format!("oci:{}:latest", folder.display()))
        .args(["--name", "example.com/bomb:1"])
        .through("/bin/sh", ["-c", &limited, "sh"])
        .limit(Duration::from_secs(50))
        .run()
}

#[track_caller]
fn refused(host: &Host, blob: Vec<u8>, parts: &[&str]) {
    let output = import(host, blob).expect_error(112, parts);
    assert!(output.stderr.contains("layer sha256:"), "{output}");
    let left = store_files(host);
    assert!(left.is_empty(), "{left:#?}");
}

#[test]
fn a_gzip_of_a_thousand_to_one() {
    let host = Host::new();
    let zeros = |count| std::iter::repeat_n(vec![0; MIB], count);
    let file = head(b'0', "zeros", 100 << 30);
    let stream = gzip(std::iter::once(file.clone()).chain(zeros(100)));
    refused(&host, stream, &["max-ratio"]);
    // The same as one member for each megabyte.
    let member = gzip(zeros(1));
    let members: Vec<u8> = std::iter::once(gzip([file].into_iter()))
        .chain(std::iter::repeat_n(member, 4096))
        .flatten()
        .collect();
    refused(&host, members, &["max-ratio"]);
}

#[test]
fn many_frames_of_zstd() {
    let host = Host::new();
    let frame = zstd(&vec![0; MIB]);
    let frames: Vec<u8> = std::iter::once(zstd(&head(b'0', "zeros", 100 << 30)))
        .chain(std::iter::repeat_n(frame, 20_000))
        .flatten()
        .collect();
    refused(&host, frames, &["max-ratio"]);
}

#[test]
fn ten_million_entries() {
    let host = Host::new();
    let config = host.local_config().join("config.toml");
    fs::write(&config, "[layers]\nmax-entries = 20_000\n").unwrap();
    let member = gzip(std::iter::repeat_n(head(b'0', "x", 0), 2048));
    let members = member.repeat(10_000_000 / 2048);
    refused(
        &host,
        members,
        &["number of entries", "max-entries", "20000"],
    );
    // The same limit lets others pass.
    let image = ImageBuilder::busybox().build();
    crate::imported::import(&host, &image, "small:1");
}

#[test]
fn files_of_nothing_but_holes() {
    let host = Host::new();
    let sparse = |size: &str| {
        let records = [("GNU.sparse.map", ""), ("GNU.sparse.size", size)];
        let records: String = records
            .iter()
            .map(|(key, value)| {
                let rest = key.len() + value.len() + 3;
                format!("{} {key}={value}\n", rest + 2)
            })
            .collect();
        let mut tar = head(b'x', "pax", records.len() as u64);
        tar.extend_from_slice(records.as_bytes());
        tar.resize(1024, 0);
        tar.extend(head(b'0', "holes", 0));
        tar
    };
    refused(
        &host,
        sparse("999999999999999"),
        &["max-file-size", "\"holes\""],
    );
    // Three times 100 GiB.
    let many = sparse("107374182400").repeat(3);
    refused(&host, many, &["max-size", "\"holes\""]);
}

#[test]
fn headers_of_a_gigabyte() {
    let host = Host::new();
    for kind in *b"xgLK" {
        let head = head(kind, "extended", 1 << 30);
        let zeros = std::iter::repeat_n(vec![0; MIB], 2);
        let blob = gzip(std::iter::once(head).chain(zeros));
        refused(&host, blob, &["1073741824 bytes is longer than"]);
    }
    // As many extended attributes as a header can hold, over and over.
    let mut records = String::new();
    for n in 10_000..12_000 {
        records += &format!("29 SCHILY.xattr.user.{n}=y\n");
    }
    let mut pax = head(b'x', "pax", records.len() as u64);
    pax.extend_from_slice(records.as_bytes());
    pax.resize(pax.len().next_multiple_of(512), 0);
    pax.extend(head(b'0', "attributes", 0));
    let blob = gzip(std::iter::repeat_n(pax, 1000));
    refused(&host, blob, &["\"attributes\""]);
}

#[test]
fn maps_of_a_million_segments() {
    let host = Host::new();
    // Each segment is of no bytes, so that only the map has a size.
    let map = format!("1048576\n{}", "0\n0\n".repeat(1 << 20));
    let records = "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n25 GNU.sparse.realsize=0\n";
    let mut tar = head(b'x', "pax", records.len() as u64);
    tar.extend_from_slice(records.as_bytes());
    tar.resize(1024, 0);
    tar.extend(head(b'0', "map", map.len() as u64));
    tar.extend_from_slice(map.as_bytes());
    tar.resize(tar.len().next_multiple_of(512), 0);
    // It is a fair file, so it is the garbage behind it that is refused.
    let blob = gzip([tar, vec![b'x'; 512]].into_iter());
    refused(&host, blob, &["\"map\"", "wrong checksum"]);
}

#[test]
fn paths_of_a_thousand_folders() {
    let host = Host::new();
    let path = "d/".repeat(1000);
    let mut tar = head(b'L', "long", path.len() as u64);
    tar.extend_from_slice(path.as_bytes());
    tar.resize(tar.len().next_multiple_of(512), 0);
    tar.extend(head(b'5', "short", 0));
    refused(&host, gzip([tar].into_iter()), &["max-depth", "\"d/d/"]);
}

#[test]
fn other_compressions_are_not_even_begun() {
    let host = Host::new();
    // Decoders of these take as much memory as a header asks for (CVE-2014-9357).
    let xz = [&[0xfd, b'7', b'z', b'X', b'Z', 0][..], &[0xff; 4096]].concat();
    refused(&host, xz, &["xz"]);
    let lzma = [&[0x5d, 0, 0, 0xff, 0xff][..], &[0xff; 4096]].concat();
    refused(&host, lzma, &["corrupt"]);
    let bzip2 = [&b"BZh9"[..], &[0xff; 4096]].concat();
    refused(&host, bzip2, &["bzip2"]);
}
