//! Where images and pods are kept.

use engine::machine::Store;

use super::area::Area;
use super::area::Severity::{Error, Note, Warning};
use crate::console::table::size;

/// No image to speak of fits into less.
const ROOM_LEAST: u64 = 64 << 20;
const ROOM_FEW: u64 = 1 << 30;
const FILES_FEW: u64 = 10_000;

pub(super) fn checks(store: &Store) -> Area {
    let mut area = Area::new("store");
    let place = store.path.display();
    match store.filesystem {
        Some(kind @ ("nfs" | "cifs" | "vfat" | "overlay" | "ecryptfs")) => area.lacks(
            "filesystem",
            Error,
            format!("{kind} at {place}"),
            "changes of apps can't be kept there: overlayfs takes no such filesystem; name another place with --dir",
        ),
        Some("fuse") => area.lacks(
            "filesystem",
            Warning,
            format!("fuse at {place}"),
            "owners of files can't be mapped: pods have the host's users, as with --userns=host",
        ),
        Some("tmpfs") => area.lacks(
            "filesystem",
            Warning,
            format!("tmpfs at {place}"),
            "images and volumes are gone with the machine; before Linux 6.3 pods have the host's users there",
        ),
        Some(kind) => area.fine("filesystem", format!("{kind} at {place}")),
        None => area.lacks(
            "filesystem",
            Note,
            format!("one that is not known, at {place}"),
            "whether overlayfs takes it shows when a pod starts",
        ),
    }
    match store.free {
        Some(free) if free < ROOM_LEAST => {
            area.lacks("room", Error, size(free), "images and pods need more");
        }
        Some(free) if free < ROOM_FEW => area.lacks(
            "room",
            Warning,
            size(free),
            "`fairing image gc` and `fairing gc` free what nobody needs",
        ),
        Some(free) => area.fine("room", size(free)),
        None => area.lacks("room", Note, "unknown", "the filesystem doesn't tell"),
    }
    match store.free_files {
        Some(free) if free < FILES_FEW => area.lacks(
            "files",
            Warning,
            format!("{free} can be made"),
            "an image may have more",
        ),
        Some(free) => area.fine("files", format!("{free} can be made")),
        None => area.fine("files", "no limit"),
    }
    area.either(
        "project quotas",
        store.has_quotas,
        Note,
        "`volume create --size` is refused: it needs ext4 with prjquota, or XFS with pquota",
    );
    area
}
