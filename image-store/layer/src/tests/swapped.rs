//! Somebody who changes the tree while it is being filled: nothing outside is reached.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::Ground;
use crate::error::ContentError;
use crate::fixture::{Head, Tar};

/// Everything that a member can do below directories that are swapped.
fn layer() -> Vec<u8> {
    let mut tar = Tar::default().folder("d").folder("d/sub");
    for n in 0..40 {
        let name = |kind: &str| format!("d/sub/{kind}{n}");
        let fifo = name("fifo");
        let fifo = Head {
            name: fifo.as_bytes(),
            kind: b'6',
            mode: 0o777,
            uid: 7,
            ..Head::default()
        };
        tar = tar
            .folder("d")
            .folder("d/sub")
            .file(&name("file"), b"evil")
            .file("d/sub/file", b"evil")
            .file("d/sub/folder/file", b"evil")
            .symlink(&name("link"), "x")
            .hard_link(&name("hard"), "d/sub/file")
            .folder("d/sub/folder")
            .file("d/.wh.sub", b"")
            .file("d/sub/.wh..wh..opq", b"")
            .file("d/sub/.wh.file", b"")
            .head(&fifo);
    }
    tar.end()
}

/// Tells the swapper to end, also when the test fails.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn folders_swapped_for_links_lead_nowhere() {
    let tar = layer();
    let (mut swaps, mut refused) = (0_u64, 0);
    for round in 0..10 {
        let ground = Ground::new();
        let done = AtomicBool::new(false);
        // Beside the directory stands a link to the outside; the two change places all the time.
        let (inside, link) = match round % 2 {
            0 => (ground.root().join("d"), ground.root().join("swap")),
            _ => (ground.root().join("d/sub"), ground.root().join("d/swap")),
        };
        fs::create_dir_all(&inside).unwrap();
        std::os::unix::fs::symlink(ground.outside(), &link).unwrap();
        std::thread::scope(|scope| {
            let swapper = scope.spawn(|| {
                let mut swaps = 0;
                // One swap at least, however fast the other is.
                while swaps == 0 || !done.load(Ordering::Relaxed) {
                    let swapped = renameat_with(CWD, &inside, CWD, &link, RenameFlags::EXCHANGE);
                    swaps += u64::from(swapped.is_ok());
                    if swapped.is_err() && done.load(Ordering::Relaxed) {
                        break;
                    }
                }
                swaps
            });
            let result = {
                let _done = Done(&done);
                ground.unpack(&tar)
            };
            swaps += swapper.join().unwrap();
            match result {
                Ok(_) => {}
                Err(ContentError::UnsafeEntry { .. }) => refused += 1,
                // A directory that is gone between two steps is the machine's doing, as far as known.
                Err(ContentError::Io { .. }) => {}
                Err(other) => panic!("{other:?}"),
            }
        });
        ground.expect_untouched();
    }
    assert!(swaps > 0, "nothing was swapped ({refused} refused)");
}
