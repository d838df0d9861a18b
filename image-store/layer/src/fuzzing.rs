//! Bodies of the fuzz targets of what reads layers: ordinary functions that take any bytes, and panic
//! only where the code under test has a bug. `fuzz/` hands them to libFuzzer; the tests below replay
//! their corpora and mutate these.

#[cfg(test)]
mod seeds;

use std::collections::BTreeMap;

use super::chunks::Chunks;
use super::header::BLOCK;
use super::inflate::Inflate;
use super::member::{Kind, Member, MemberPath, Time};
use super::walk::Walk;
use super::whiteout::{Meaning, meaning};
use super::window::WindowMemory;
use crate::limits::Limits;

/// The walk through a tar stream, into nothing: as it is, and once more with checksums that are
/// right, without which few changed headers would be looked at.
pub fn layer(data: &[u8]) {
    walk(data);
    walk(&mended(data));
}

/// The same with checksums that are right.
pub fn mended(data: &[u8]) -> Vec<u8> {
    let mut mended = data.to_vec();
    for block in mended.chunks_exact_mut(BLOCK as usize) {
        mend(block);
    }
    mended
}

fn mend(block: &mut [u8]) {
    if block.get(257..262) != Some(b"ustar") {
        return;
    }
    let Some(field) = block.get_mut(148..156) else {
        return;
    };
    field.fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    if let Some(field) = block.get_mut(148..154) {
        field.copy_from_slice(format!("{sum:06o}").as_bytes());
    }
}

fn walk(data: &[u8]) {
    let limits = Limits {
        expanded: 1 << 40,
        ..Limits::default()
    };
    let mut walk = Walk::new(data, "layer", &limits);
    loop {
        match walk.next_member() {
            Ok(Some(member)) => {
                check(&member, &limits);
                drop(meaning(&member));
                let mut given = 0;
                let read = walk.read_data(member.size, &mut |chunk| {
                    given += chunk.len() as u64;
                    Ok(())
                });
                let stored = match &member.segments {
                    None => member.size,
                    Some(segments) => segments.iter().map(|segment| segment.length).sum(),
                };
                if read.is_ok() && member.kind == Kind::File {
                    assert_eq!(given, stored, "bytes of {member:?}");
                }
            }
            Ok(None) => break,
            Err(error) => return assert!(!error.to_string().is_empty()),
        }
    }
    drop(walk.finish());
}

/// What all that unpacks relies on.
fn check(member: &Member, limits: &Limits) {
    let paths = [Some(&member.path), member.linked.as_ref()];
    for path in paths.into_iter().flatten() {
        assert!(path.as_bytes().len() <= limits.path && !path.as_bytes().contains(&0));
        assert!(path.components().count() <= limits.depth);
        for component in path.components() {
            assert!(component != b"." && component != b".." && component.len() <= 255);
        }
    }
    assert!(member.mode <= 0o7777 && member.mtime.nanoseconds < 1_000_000_000);
    assert!(member.uid != u32::MAX && member.gid != u32::MAX);
    assert!(member.size <= limits.file);
    assert_eq!(member.linked.is_some(), member.kind == Kind::HardLink);
    let mut end = 0;
    for segment in member.segments.iter().flatten() {
        assert!(segment.offset >= end);
        end = segment.offset + segment.length;
        assert!(end <= member.size);
    }
    for name in member.xattrs.keys() {
        assert!(name == "security.capability" || name.starts_with("user."));
        assert!(!name.starts_with("user.overlay.") && !name.contains('\0'));
    }
}

/// Extended headers.
pub fn pax(data: &[u8]) {
    if let Ok(pax) = super::pax::parse(data) {
        assert!(pax.xattr_bytes() <= data.len() as u64);
    }
}

/// Compressed streams, up to a megabyte of what is in them.
pub fn inflate(data: &[u8]) {
    let limits = Limits {
        expanded: 1 << 20,
        ..Limits::default()
    };
    let Ok(mut inflate) = Inflate::new(data, "layer", limits.inflating(), &WindowMemory::default())
    else {
        return;
    };
    let mut chunk = Vec::new();
    let mut taken = 0;
    while let Ok(()) = inflate.next(&mut chunk) {
        if chunk.is_empty() {
            return;
        }
        taken += chunk.len();
        assert!(taken <= 1 << 20);
    }
}

/// Names of whiteouts; the first byte chooses the kind of member.
pub fn whiteout(data: &[u8]) {
    let Some((kind, name)) = data.split_first() else {
        return;
    };
    let Ok(path) = MemberPath::parse(name, &Limits::default()) else {
        return;
    };
    let member = Member {
        path,
        kind: match kind % 4 {
            0 => Kind::Folder,
            1 => Kind::Symlink,
            2 => Kind::HardLink,
            _ => Kind::File,
        },
        mode: 0,
        uid: 0,
        gid: 0,
        mtime: Time::default(),
        size: 0,
        segments: None,
        target: Vec::new(),
        linked: None,
        xattrs: BTreeMap::new(),
    };
    let is_marked = member
        .path
        .components()
        .any(|component| component.starts_with(b".wh."));
    match meaning(&member) {
        Ok(Meaning::Plain) => assert!(!is_marked),
        Ok(Meaning::Whiteout(hidden)) => {
            assert!(!matches!(hidden, b"" | b"." | b"..") && !hidden.contains(&b'/'));
            assert!(matches!(member.kind, Kind::File | Kind::HardLink));
        }
        Ok(Meaning::Opaque | Meaning::Ignored) | Err(_) => assert!(is_marked),
    }
}

#[cfg(test)]
mod tests {
    replay::targets! {
        seeds: super::seeds::of;
        layer: 6000,
        inflate: 2000,
        pax: 50_000,
        whiteout: 50_000,
    }
}
