//! Names: what they stand for, what is found by them, and records that are not as they should be.

use std::fs::{self, File, FileTimes};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use image_layer::sha256;
use image_name::{Digest, Reference};

use super::super::{RefRecord, Store, file_name, make_folder};
use crate::error::StoreError;

/// A store without images, for records alone.
struct Names {
    _folder: tempfile::TempDir,
    store: Store,
}

fn reference(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

/// A digest that begins with these digits.
fn digest(digits: &str) -> Digest {
    Digest::parse(&format!("sha256:{digits:0<64}")).unwrap()
}

impl Names {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path());
        make_folder(&store.refs_folder()).unwrap();
        Self {
            _folder: folder,
            store,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        let file = file_name(&reference(name));
        self.store.refs_folder().join(file)
    }

    fn put(&self, name: &str, digest: &Digest, manifest: &Digest) -> RefRecord {
        let source = "docker://a.io".to_owned();
        let record = RefRecord::new(reference(name), digest.clone(), manifest.clone(), source);
        fs::write(self.path(name), record.to_bytes()).unwrap();
        record
    }

    fn resolve(&self, name: &str) -> Option<RefRecord> {
        self.store.resolve(&reference(name)).unwrap()
    }

    /// The names of what is found.
    fn find(&self, text: &str) -> Result<Vec<String>, StoreError> {
        let found = self.store.find_all(text)?;
        let first = self.store.find(text)?;
        assert_eq!(first.as_ref(), found.first());
        Ok(found.iter().map(|r| r.reference.to_string()).collect())
    }
}

#[test]
fn a_record_says_what_it_was_written_with() {
    let names = Names::new();
    let (index, manifest) = (digest("aa"), digest("bb"));
    let put = names.put("a.io/one", &index, &manifest);
    let read = names.resolve("a.io/one").unwrap();
    assert_eq!((&read.digest, &read.manifest), (&index, &manifest));
    assert_eq!((read.reference, read.source), (put.reference, put.source));
    let age = super::super::refs::seconds(SystemTime::now()) - put.fetched_at;
    assert!(age < 60, "{age}");
    assert_eq!(read.fetched_at, put.fetched_at);
    assert!(read.used_at >= put.fetched_at);
    assert_eq!(super::super::refs::seconds(SystemTime::UNIX_EPOCH), 0);
    let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    assert_eq!(super::super::refs::seconds(before), 0);
}

#[test]
fn a_pinned_name_is_found_by_its_tag_where_that_stands_for_the_digest() {
    let names = Names::new();
    let (index, manifest, other) = (digest("aa"), digest("bb"), digest("cc"));
    names.put("a.io/one:1", &index, &manifest);
    let pinned = |digest: &Digest| names.resolve(&format!("a.io/one:1@{digest}"));
    assert!(pinned(&index).is_some() && pinned(&manifest).is_some());
    assert!(pinned(&other).is_none());
    assert!(names.resolve(&format!("a.io/one@{index}")).is_none());
    // One that was fetched by that very name needs no tag.
    names.put(&format!("a.io/one@{other}"), &other, &other);
    assert!(names.resolve(&format!("a.io/one@{other}")).is_some());
}

#[test]
fn a_digest_is_found_under_any_tag_of_its_repository_and_no_other() {
    let names = Names::new();
    let (index, manifest) = (digest("aa"), digest("bb"));
    names.put("a.io/one:1", &index, &manifest);
    let find = |name: &str| {
        let found = names.store.find_in_repository(&reference(name)).unwrap();
        found.map(|record| record.reference.to_string())
    };
    for found in [
        format!("a.io/one@{index}"),
        format!("a.io/one:2@{manifest}"),
    ] {
        assert_eq!(find(&found).unwrap(), "a.io/one:1");
    }
    for missing in [
        format!("a.io/one@{}", digest("cc")),
        format!("a.io/two@{index}"),
        "a.io/one:1".to_owned(),
    ] {
        assert_eq!(find(&missing), None, "{missing}");
    }
}

#[test]
fn an_image_is_found_by_the_beginning_of_either_digest() {
    let names = Names::new();
    names.put("a.io/one", &digest("aaaa11"), &digest("bbbb11"));
    names.put("a.io/two", &digest("aaaa22"), &digest("bbbb22"));
    let one = ["a.io/one:latest"];
    assert_eq!(names.find("aaaa11").unwrap(), one);
    assert_eq!(names.find("bbbb11").unwrap(), one);
    assert_eq!(names.find("sha256:bbbb110").unwrap(), one);
    assert_eq!(names.find(digest("aaaa11").hex()).unwrap(), one);
    assert!(names.find("aaaa33").unwrap().is_empty());
    // A digit more than a digest has, other digits, and fewer than are looked for.
    let longer = format!("{}0", digest("aaaa11").hex());
    for text in [&longer, "aaaa1", "gggggg"] {
        assert!(names.find(text).unwrap().is_empty(), "{text}");
    }
    assert!(names.find("AAAA11").is_err());
    let no_name = names.find("../../etc/passwd").unwrap_err();
    assert!(matches!(no_name, StoreError::Name(_)), "{no_name:?}");
}

#[test]
fn a_beginning_that_fits_several_images_is_refused_and_several_names_of_one_are_not() {
    let names = Names::new();
    let manifest = digest("bbbbbb11");
    names.put("a.io/one", &digest("aaaaaa11"), &manifest);
    names.put("a.io/other", &digest("aaaaaa22"), &manifest);
    let both = ["a.io/one:latest", "a.io/other:latest"];
    assert_eq!(names.find("bbbbbb").unwrap(), both);
    assert_eq!(names.find("aaaaaa").unwrap(), both);
    names.put("a.io/two", &digest("aaaaaa33"), &digest("bbbbbb22"));
    for text in ["aaaaaa", "bbbbbb", "sha256:bbbbbb"] {
        match names.find(text).unwrap_err() {
            StoreError::Ambiguous { name, matches } => {
                assert_eq!((name.as_str(), matches.len()), (text, 3));
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(names.find("bbbbbb11").unwrap(), both);
}

#[test]
fn a_record_under_another_name_than_its_own_is_damaged_and_the_others_are_listed() {
    let names = Names::new();
    names.put("a.io/one", &digest("aa"), &digest("bb"));
    names.put("a.io/two", &digest("aa"), &digest("bb"));
    fs::rename(names.path("a.io/two"), names.path("a.io/three")).unwrap();
    let folder = names.store.refs_folder();
    let strange = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff");
    let strange: &std::ffi::OsStr = strange;
    fs::write(folder.join(strange), "{}").unwrap();
    fs::write(folder.join("torn"), "{").unwrap();
    let known = names.store.references().unwrap();
    let known: Vec<_> = known.iter().map(|r| r.reference.to_string()).collect();
    assert_eq!(known, ["a.io/one:latest"]);
    let (listed, unreadable) = names.store.list().unwrap();
    assert_eq!(listed.len(), 1);
    let told: Vec<_> = unreadable.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    let strange = |text: &&String| text.contains("not one that the store gives");
    assert_eq!(told.iter().filter(strange).count(), 2, "{told:?}");
}

#[test]
fn names_that_can_not_be_read_are_not_taken_for_none() {
    let names = Names::new();
    assert!(names.store.references().unwrap().is_empty());
    let folder = names.store.refs_folder();
    fs::remove_dir(&folder).unwrap();
    assert!(names.store.references().unwrap().is_empty());
    fs::write(&folder, "").unwrap();
    for error in [
        names.store.references().map(drop).unwrap_err(),
        names.store.names().map(drop).unwrap_err(),
        names.store.list().map(drop).unwrap_err(),
    ] {
        assert!(error.to_string().contains("/refs"), "{error}");
    }
}

#[test]
fn a_record_may_be_as_large_as_the_limit() {
    let names = Names::new();
    let record = names.put("a.io/one", &digest("aa"), &digest("bb"));
    let mut bytes = record.to_bytes();
    // One that fits what is read at once, the next, the largest, and one too many.
    for (length, is_read) in [
        (1024, true),
        (1025, true),
        (64 << 10, true),
        ((64 << 10) + 1, false),
    ] {
        bytes.resize(length, b' ');
        fs::write(names.path("a.io/one"), &bytes).unwrap();
        let read = names.store.resolve(&reference("a.io/one"));
        assert_eq!(read.is_ok(), is_read, "{length}");
    }
}

#[test]
fn a_use_is_noted_a_minute_after_the_last() {
    let names = Names::new();
    let record = names.put("a.io/one", &digest("aa"), &digest("bb"));
    let used_at = |record: &RefRecord| {
        let read = names.resolve("a.io/one").unwrap();
        read.used_at - record.used_at
    };
    let after = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(record.used_at + seconds);
    let set = |time| {
        let file = File::options()
            .write(true)
            .open(names.path("a.io/one"))
            .unwrap();
        file.set_times(FileTimes::new().set_modified(time)).unwrap();
    };
    set(after(0));
    names.store.note_use_at(&record, after(59));
    assert_eq!(used_at(&record), 0);
    names.store.note_use_at(&record, after(60));
    assert_eq!(used_at(&record), 60);
    // A use now is later than one that was long ago.
    let old = RefRecord {
        used_at: 7,
        ..record.clone()
    };
    set(after(0));
    names.store.note_use(&old);
    assert!(used_at(&record) <= 60);
    let touched = names
        .path("a.io/one")
        .metadata()
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(
        touched
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .subsec_nanos(),
        0
    );
    set(SystemTime::UNIX_EPOCH);
    names.store.note_use(&old);
    let touched = names
        .path("a.io/one")
        .metadata()
        .unwrap()
        .modified()
        .unwrap();
    assert!(touched.elapsed().unwrap() < Duration::from_secs(60));
}

#[test]
fn what_can_not_be_removed_is_told_and_what_can_not_be_read_is_removed() {
    let names = Names::new();
    let put = names.put("a.io/one", &digest("aa"), &digest("bb"));
    let remove = || names.store.remove(&reference("a.io/one"));
    let removed = remove().unwrap().unwrap();
    assert_eq!(removed.reference, put.reference);
    assert_eq!(remove().unwrap(), None);
    fs::write(names.path("a.io/one"), "{").unwrap();
    assert_eq!(remove().unwrap(), None);
    assert!(!names.path("a.io/one").exists());
    fs::create_dir(names.path("a.io/one")).unwrap();
    let error = remove().unwrap_err().to_string();
    assert!(error.contains("cannot remove"), "{error}");
}

#[test]
fn a_further_name_stands_for_the_same_image_and_takes_the_place_of_what_it_stood_for() {
    let names = Names::new();
    let one = RefRecord {
        fetched_at: 1000,
        ..names.put("a.io/one", &digest("aa"), &digest("bb"))
    };
    names.put("b.io/two", &digest("cc"), &digest("dd"));
    for name in ["b.io/new:7", "b.io/two"] {
        let told = names.store.tag(&one, &reference(name)).unwrap();
        let read = names.resolve(name).unwrap();
        assert_eq!(read.reference, reference(name));
        assert_eq!((&read.digest, &read.manifest), (&one.digest, &one.manifest));
        assert_eq!((read.fetched_at, &read.source), (1000, &one.source));
        assert_eq!(told.reference, read.reference);
    }
    assert_eq!(names.store.references().unwrap().len(), 3);
    assert_eq!(names.find(digest("cc").hex()).unwrap(), [""; 0]);
}

#[test]
fn a_name_too_long_for_a_file_is_known_by_its_record_alone() {
    let names = Names::new();
    let long = format!("a.io/{}:{}", "x".repeat(200), "y".repeat(120));
    names.put(&long, &digest("aa"), &sha256(b"x"));
    assert_eq!(names.store.names().unwrap(), [reference(&long)]);
    // Removed in between, or torn: it names nothing.
    fs::write(names.path(&long), "{").unwrap();
    assert!(names.store.names().unwrap().is_empty());
}
