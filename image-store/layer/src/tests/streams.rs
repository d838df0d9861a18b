//! Compressed streams: what is accepted, and that nothing passes unproven.

use std::fs;
use std::sync::atomic::AtomicBool;

use super::{Ground, descriptor};
use crate::digest::sha256;
use crate::error::ContentError;
use crate::fixture::{Tar, gzip, zstd};
use crate::limits::Limits;
use crate::{Intake, LayerJob, Watch, WindowMemory};

fn tar() -> Vec<u8> {
    Tar::default().file("f", b"content").end()
}

/// A layer that is large enough for threads.
fn large() -> Vec<u8> {
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    })
    .take((1 << 20) + 300_000)
    .collect();
    Tar::default()
        .file("noise", &noise)
        .file("f", b"content")
        .end()
}

fn unpack(blob: &[u8], tar: &[u8]) -> Result<(), ContentError> {
    let ground = Ground::new();
    ground.unpack_blob(blob, &sha256(tar), &Limits::default())?;
    assert_eq!(fs::read(ground.root().join("f")).unwrap(), b"content");
    Ok(())
}

#[test]
fn all_compressions_in_one_piece_and_in_several() {
    for tar in [tar(), large()] {
        let (head, tail) = tar.split_at(700);
        unpack(&tar, &tar).unwrap();
        unpack(&gzip(&tar), &tar).unwrap();
        unpack(&zstd(&tar), &tar).unwrap();
        unpack(&[gzip(head), gzip(tail)].concat(), &tar).unwrap();
        unpack(&[gzip(&tar), gzip(b"")].concat(), &tar).unwrap();
        unpack(&[zstd(head), zstd(tail)].concat(), &tar).unwrap();
        // zstd:chunked ends with skippable frames.
        let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        unpack(&[&zstd(&tar)[..], &skippable].concat(), &tar).unwrap();
        unpack(&[&skippable[..], &zstd(&tar)].concat(), &tar).unwrap();
    }
}

#[test]
fn truncated_streams() {
    for tar in [tar(), large()] {
        for blob in [gzip(&tar), zstd(&tar)] {
            for cut in [blob.len() - 1, blob.len() - 9, blob.len() / 2] {
                // The blob itself is what the manifest names, so its digest is right.
                let error = unpack(&blob[..cut], &tar).unwrap_err();
                assert!(matches!(error, ContentError::Truncated { .. }), "{error:?}");
            }
        }
        let error = unpack(&tar[..600], &tar[..600]).unwrap_err();
        assert!(
            matches!(error, ContentError::CorruptLayer { .. }),
            "{error:?}"
        );
    }
}

#[test]
fn garbage_and_corruption() {
    for tar in [tar(), large()] {
        for blob in [gzip(&tar), zstd(&tar)] {
            let error = unpack(&[&blob[..], b"garbage at the end"].concat(), &tar).unwrap_err();
            assert!(
                matches!(error, ContentError::CorruptCompression { .. }),
                "{error:?}"
            );
            let mut bad = blob.clone();
            let middle = bad.len() / 2;
            bad[middle..middle + 8].fill(0xff);
            let error = unpack(&bad, &tar).unwrap_err();
            assert!(
                matches!(
                    error,
                    ContentError::CorruptCompression { .. }
                        | ContentError::CorruptLayer { .. }
                        | ContentError::DigestMismatch { .. }
                ),
                "{error:?}"
            );
        }
    }
    let xz = [&[0xfd, b'7', b'z', b'X', b'Z', 0][..], &[0; 100]].concat();
    let error = unpack(&xz, &tar()).unwrap_err();
    assert!(error.to_string().contains("xz"), "{error}");
}

#[test]
fn windows_are_bounded() {
    let compress = |log: u32| {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(log).unwrap();
        std::io::Write::write_all(&mut encoder, &large()).unwrap();
        encoder.finish().unwrap()
    };
    for log in [20, 23, 25] {
        unpack(&compress(log), &large()).unwrap();
    }
    let error = unpack(&compress(26), &large()).unwrap_err().to_string();
    assert!(error.contains("window of 67108864 bytes"), "{error}");
    // What comes later may not ask for more than the first frame did.
    let frames = [zstd(&large()), compress(25)].concat();
    let error = unpack(&frames, &[large(), large()].concat()).unwrap_err();
    assert!(
        matches!(error, ContentError::CorruptCompression { .. }),
        "{error:?}"
    );
}

#[test]
fn another_diff_id_is_found() {
    for tar in [tar(), large()] {
        let error = unpack(&gzip(&tar), b"other").unwrap_err();
        assert!(
            error.to_string().contains("diff ID: digest mismatch"),
            "{error}"
        );
    }
}

/// A blob that is not what its descriptor says.
fn unpack_as(sent: &[u8], named: &[u8], tar: &[u8]) -> ContentError {
    let ground = Ground::new();
    let cancelled = AtomicBool::new(false);
    let watch = Watch {
        received: &|_| {},
        cancelled: &cancelled,
    };
    let descriptor = descriptor(named);
    let intake = Intake::new(Box::new(sent), "layer", descriptor.wanted(), None, watch).unwrap();
    let (root, limits, diff_id) = (ground.root(), Limits::default(), sha256(tar));
    let (size, what) = (descriptor.size, "layer");
    let job = LayerJob {
        what,
        size,
        diff_id: &diff_id,
        root: &root,
        limits: &limits,
        memory: &WindowMemory::default(),
    };
    job.run(intake, &mut crate::seal::Record::default())
        .unwrap_err()
}

#[test]
fn another_blob_is_found_whatever_is_in_it() {
    for tar in [tar(), large()] {
        let blob = gzip(&tar);
        let mut flipped = blob.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 0x10;
        let error = unpack_as(&flipped, &blob, &tar);
        assert!(
            matches!(error, ContentError::DigestMismatch { .. }),
            "{error:?}"
        );
        let mut other_time = blob.clone();
        other_time[4] ^= 1;
        let error = unpack_as(&other_time, &blob, &tar);
        assert!(
            matches!(error, ContentError::DigestMismatch { .. }),
            "{error:?}"
        );
        let error = unpack_as(&blob[..blob.len() - 30], &blob, &tar);
        assert!(matches!(error, ContentError::Truncated { .. }), "{error:?}");
        let error = unpack_as(&[&blob[..], b"more"].concat(), &blob, &tar);
        assert!(
            matches!(error, ContentError::SizeMismatch { .. }),
            "{error:?}"
        );
        let error = unpack_as(&vec![b'x'; blob.len()], &blob, &tar);
        assert!(
            matches!(error, ContentError::DigestMismatch { .. }),
            "{error:?}"
        );
    }
}

#[test]
fn as_many_zeros_may_follow_an_archive_as_are_allowed() {
    let passes = |zeros: usize, most: u64| {
        let mut archive = Tar::default().file("file", b"content").end();
        archive.resize(archive.len() + zeros, 0);
        let limits = Limits::default();
        let mut walk = crate::Walk::new(archive.as_slice(), "archive", &limits);
        while walk.next_member().unwrap().is_some() {}
        walk.skip_zeros(most).is_ok()
    };
    // The archive's own end has some.
    let own = (0..100_000).find(|most| passes(0, *most)).unwrap();
    assert!(passes(700, own + 700) && !passes(700, own + 699));
}
