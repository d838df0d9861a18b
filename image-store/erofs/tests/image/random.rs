//! Any tree.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use rustix::fs::{XattrFlags, lsetxattr};

use crate::tree::{all_facts, bytes, mounted};

#[derive(Debug, Clone)]
enum Node {
    File {
        content: Vec<u8>,
        mode: u32,
        xattrs: Vec<(String, Vec<u8>)>,
    },
    Link(String),
    Directory(Vec<(Vec<u8>, Node)>),
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let usable = |byte: &u8| !matches!(byte, b'/' | 0);
    vec(any::<u8>().prop_filter("no separator", usable), 1..=40)
        .prop_filter("no directory's", |name| name != b"." && name != b"..")
}

fn file() -> impl Strategy<Value = Node> {
    let size = prop_oneof![0..200_usize, 3900..4200_usize, 0..100_000_usize];
    let content = (size, any::<u8>()).prop_map(|(size, seed)| {
        let bytes = (0..size).map(|at| (at as u8).wrapping_mul(31) ^ seed);
        bytes.collect()
    });
    let xattrs = btree_map("[a-z]{1,20}", vec(any::<u8>(), 0..300), 0..4);
    (content, 0..=0o7777_u32, xattrs).prop_map(|(content, mode, xattrs)| Node::File {
        content,
        mode,
        xattrs: xattrs.into_iter().collect(),
    })
}

fn tree() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![4 => file(), 1 => "[a-z/.]{1,200}".prop_map(Node::Link)];
    let inner = leaf.prop_recursive(4, 60, 20, |inner| {
        btree_map(name(), inner, 0..20)
            .prop_map(|entries| Node::Directory(entries.into_iter().collect()))
    });
    btree_map(name(), inner, 0..20)
        .prop_map(|entries| Node::Directory(entries.into_iter().collect()))
}

fn make(path: &Path, node: &Node) {
    match node {
        Node::File {
            content,
            mode,
            xattrs,
        } => {
            fs::write(path, content).unwrap();
            for (name, value) in xattrs {
                let name = format!("user.{name}");
                lsetxattr(path, name.as_str(), value, XattrFlags::empty()).unwrap();
            }
            fs::set_permissions(path, PermissionsExt::from_mode(*mode)).unwrap();
        }
        Node::Link(target) => symlink(target, path).unwrap(),
        Node::Directory(entries) => {
            fs::create_dir(path).unwrap();
            for (name, node) in entries {
                make(&path.join(std::ffi::OsStr::from_bytes(name)), node);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_tree_is_mounted_as_it_was_and_is_one_image(tree in tree()) {
        let source = tempfile::tempdir().unwrap();
        let root = source.path().join("root");
        make(&root, &tree);
        let image = mounted(&root);
        prop_assert_eq!(all_facts(&image.path()), all_facts(&root));
        prop_assert!(bytes(&root) == bytes(&root));
    }
}
