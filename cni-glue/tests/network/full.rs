//! State that can't be written: nothing is left half-made, and nobody else suffers from it.

use std::fs;
use std::io::Write;

use nix::mount::{MsFlags, mount};

use crate::lab::{Lab, files, sh};

#[test]
fn a_pod_that_no_room_is_left_to_remember_leaves_nothing() {
    let lab = Lab::new();
    let state = &lab.attacher.runtime.state;
    fs::create_dir(state).unwrap();
    let size = Some("size=256k");
    mount(Some("tmpfs"), state, Some("tmpfs"), MsFlags::empty(), size).unwrap();
    let first = lab.pod("first", &[], &["8080:80"]);
    let before = (lab.leftovers(), sh("nft list table inet fairing"));

    let filler = state.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    drop(file);
    let error = lab.try_pod("second", &[], &["8081:80"]).err().unwrap();
    assert!(error.to_string().contains("No space left"), "{error}");
    assert_eq!((lab.leftovers(), sh("nft list table inet fairing")), before);
    // Who is there can leave all the same.
    lab.end(first);
    assert_eq!(files(&state.join("results")), Vec::<String>::new());

    fs::remove_file(&filler).unwrap();
    let second = lab.pod("second", &[], &["8081:80"]);
    lab.end(second);
    lab.gc(&[]);
    lab.wait_for_nothing();
    nix::mount::umount(state).unwrap();
}
