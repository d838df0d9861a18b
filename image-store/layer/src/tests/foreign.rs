//! Layers that other tools made for lazy pulling: to us they are ordinary ones.

use std::fs;

use super::Ground;
use crate::digest::sha256;
use crate::fixture::{Tar, gzip, zstd};
use crate::limits::Limits;

fn unpack(blob: &[u8], tar: &[u8]) -> Ground {
    let ground = Ground::new();
    ground
        .unpack_blob(blob, &sha256(tar), &Limits::default())
        .unwrap();
    ground
}

/// The end of an eStargz blob: an empty gzip member whose extra field says where the index is.
fn estargz_footer(index_offset: usize) -> Vec<u8> {
    let mut footer = vec![0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 26, 0];
    footer.extend_from_slice(b"SG\x16\0");
    footer.extend_from_slice(format!("{index_offset:016x}STARGZ").as_bytes());
    // One empty last block, and CRC and size of nothing.
    footer.extend_from_slice(&[1, 0, 0, 0xff, 0xff]);
    footer.extend_from_slice(&[0; 8]);
    assert_eq!(footer.len(), 51);
    footer
}

#[test]
fn estargz_is_an_ordinary_layer() {
    // A member of gzip for each member of tar and each chunk of a file; the index and the marks of
    // its reader are members like any other, and the diff ID is over them.
    let content = vec![b'c'; 10_000];
    let folder = Tar::default().folder("etc").open_end();
    let mark = Tar::default()
        .file(".no.prefetch.landmark", &[0xf])
        .open_end();
    let file = Tar::default().file("etc/large", &content).open_end();
    let index = Tar::default()
        .file("stargz.index.json", b"{\"version\":1,\"entries\":[]}")
        .end();
    let pieces = [&folder[..], &mark, &file[..4000], &file[4000..]];
    let mut blob: Vec<u8> = pieces.iter().flat_map(|piece| gzip(piece)).collect();
    let index_offset = blob.len();
    blob.extend(gzip(&index));
    blob.extend(estargz_footer(index_offset));
    let tar = [pieces.concat(), index].concat();
    let ground = unpack(&blob, &tar);
    // As Docker, containerd and podman do, what is in the archive is in the tree.
    assert_eq!(
        ground.tree(),
        [
            ".no.prefetch.landmark 100644 0:0 1",
            "etc 40755 0:0 0",
            "etc/large 100644 0:0 10000",
            "stargz.index.json 100644 0:0 26",
        ]
    );
    assert_eq!(fs::read(ground.root().join("etc/large")).unwrap(), content);
}

fn skippable(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap();
    [
        &[0x50, 0x2a, 0x4d, 0x18],
        &length.to_le_bytes()[..],
        content,
    ]
    .concat()
}

#[test]
fn zstd_chunked_is_an_ordinary_layer() {
    // A frame for each file, then skippable frames: the index, what rebuilds the archive, and a
    // footer that says where these are.
    let content = vec![b'c'; 10_000];
    let tar = Tar::default()
        .folder("etc")
        .file("etc/large", &content)
        .file("etc/other", b"other")
        .end();
    let pieces = [
        &tar[..1024],
        &tar[1024..6000],
        &tar[6000..6000],
        &tar[6000..],
    ];
    let mut blob: Vec<u8> = pieces.iter().flat_map(|piece| zstd(piece)).collect();
    let index = zstd(b"{\"version\":1,\"entries\":[]}");
    let index_offset = blob.len() as u64 + 8;
    blob.extend(skippable(&index));
    let split_offset = blob.len() as u64 + 8;
    let split = zstd(b"{}");
    blob.extend(skippable(&split));
    let footer: Vec<u8> = [
        index_offset,
        index.len() as u64,
        26,
        1,
        split_offset,
        split.len() as u64,
        2,
    ]
    .iter()
    .flat_map(|number| number.to_le_bytes())
    .chain(*b"GNUlInUx")
    .collect();
    blob.extend(skippable(&footer));
    let ground = unpack(&blob, &tar);
    assert_eq!(
        ground.tree(),
        [
            "etc 40755 0:0 0",
            "etc/large 100644 0:0 10000",
            "etc/other 100644 0:0 5",
        ]
    );
    assert_eq!(fs::read(ground.root().join("etc/large")).unwrap(), content);
}

#[test]
fn nothing_hides_in_a_skippable_frame() {
    // Cut off, or longer than the blob: no end of a stream.
    let tar = Tar::default().file("f", b"").end();
    let frame = skippable(b"twelve bytes");
    for cut in [5, 9, frame.len() - 1] {
        let blob = [&zstd(&tar)[..], &frame[..cut]].concat();
        let ground = Ground::new();
        ground
            .unpack_blob(&blob, &sha256(&tar), &Limits::default())
            .unwrap_err();
    }
}
