//! What holds for all archives, whatever is in them.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::header::{BLOCK, Field, Header, number};
use crate::limits::Limits;
use crate::pax;
use crate::{Kind, Walk};

/// An extended header of these records.
fn records(records: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        // The length counts its own digits.
        let mut length = rest + 1;
        while length.to_string().len() + rest != length {
            length = length.to_string().len() + rest;
        }
        bytes.extend_from_slice(format!("{length} {key}=").as_bytes());
        bytes.extend_from_slice(value);
        bytes.push(b'\n');
    }
    bytes
}

proptest! {
    #[test]
    fn the_last_record_of_a_key_counts(
        paths in vec(vec(any::<u8>(), 0..300), 1..4),
        size in any::<u64>(),
        comment in vec(any::<u8>(), 0..100),
    ) {
        let mut all: Vec<_> = paths.iter().map(|path| ("path".to_owned(), path.clone())).collect();
        all.push(("size".to_owned(), size.to_string().into_bytes()));
        all.push(("comment".to_owned(), comment));
        let pax = pax::parse(&records(&all)).unwrap();
        prop_assert_eq!(pax.path.as_ref(), paths.last());
        prop_assert_eq!(pax.size, Some(size));
        prop_assert!(pax.is_structural());
        prop_assert!(pax.uid.is_none() && pax.link_path.is_none());
    }

    #[test]
    fn attributes_of_users_are_kept_and_those_of_the_host_are_not(
        name in "[a-z]{1,20}",
        value in vec(any::<u8>(), 0..100),
        space in prop_oneof!["user\\.", "trusted\\.", "security\\.", "system\\."],
    ) {
        let key = format!("SCHILY.xattr.{space}{name}");
        let pax = pax::parse(&records(&[(key, value.clone())])).unwrap();
        match space == "user." {
            true => prop_assert_eq!(pax.xattrs.get(&format!("user.{name}")), Some(&value)),
            false if name == "capability" => {}
            false => prop_assert!(pax.xattrs.is_empty()),
        }
    }

    #[test]
    fn extended_headers_of_any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(pax) = pax::parse(&bytes) {
            prop_assert!(pax.xattr_bytes() <= bytes.len() as u64);
        }
    }

    #[test]
    fn numbers_are_read_as_they_are_written(value in any::<u64>(), blanks in 0_usize..4) {
        let octal = format!("{}{:o}\0", " ".repeat(blanks), value);
        prop_assert_eq!(number(octal.as_bytes()), Some(value));
        let mut binary = vec![0x80, 0, 0, 0];
        binary.extend_from_slice(&value.to_be_bytes());
        prop_assert_eq!(number(&binary), Some(value));
    }

    #[test]
    fn a_checksum_tells_of_every_changed_byte(
        at in 0_usize..512,
        change in 1_u8..,
        name in "[a-z]{1,90}",
    ) {
        let mut block = tar::Header::new_ustar();
        block.set_path(&name).unwrap();
        block.set_size(0);
        block.set_cksum();
        let mut bytes = *block.as_bytes();
        prop_assert!(Header(bytes).checksum_fits());
        // The checksum's own field may say the same number in other bytes: with a space for a leading zero, or another end.
        prop_assume!(!(148..156).contains(&at));
        bytes[at] = bytes[at].wrapping_add(change);
        prop_assert!(!Header(bytes).checksum_fits(), "byte {}", at);
    }

    #[test]
    fn headers_of_any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 512)) {
        let header = Header(bytes.try_into().unwrap());
        for field in [Field::Mode, Field::Uid, Field::Size, Field::Major, Field::RealSize] {
            if let Err(reason) = header.number(field) {
                prop_assert!(reason.ends_with("number"));
            }
        }
        prop_assert!(header.name().len() <= 256 && header.link().len() <= 100);
    }

    #[test]
    fn what_others_write_is_walked_as_it_was_written(
        files in vec(("[a-z]{1,12}(/[a-z]{1,60}){0,4}", vec(any::<u8>(), 0..1200)), 0..6),
    ) {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in &files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o640);
            header.set_uid(7);
            header.set_gid(3_000_000);
            header.set_mtime(12);
            builder.append_data(&mut header, name, content.as_slice()).unwrap();
        }
        let bytes = builder.into_inner().unwrap();
        prop_assert_eq!(bytes.len() as u64 % BLOCK, 0);
        let limits = Limits::default();
        let mut walk = Walk::new(bytes.as_slice(), "archive", &limits);
        for (name, content) in &files {
            let member = walk.next_member().unwrap().unwrap();
            prop_assert_eq!(member.path.as_bytes(), name.as_bytes());
            prop_assert_eq!(member.kind, Kind::File);
            prop_assert_eq!((member.mode, member.uid, member.gid), (0o640, 7, 3_000_000));
            let mut read = Vec::new();
            walk.read_data(member.size, &mut |chunk| {
                read.extend_from_slice(chunk);
                Ok(())
            })
            .unwrap();
            prop_assert_eq!(&read, content);
        }
        prop_assert!(walk.next_member().unwrap().is_none());
        prop_assert!(walk.finish().is_ok());
    }
}
