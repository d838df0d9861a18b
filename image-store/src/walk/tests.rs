//! How far a walk goes, and what it makes of documents that lead back to each other.

use std::collections::BTreeMap;

use image_document::{Descriptor, Index, Manifest, Platform, RawManifest};
use image_layer::{ContentError, sha256};
use image_name::Digest;

use super::{Bounds, Visitor, Walk, chain};
use crate::error::StoreError;

/// Documents that are named by anything: `read` proves nothing here.
#[derive(Default)]
struct Place {
    documents: BTreeMap<Digest, String>,
    left: Vec<Digest>,
}

fn digest(name: &str) -> Digest {
    sha256(name.as_bytes())
}

fn descriptor(kind: &str, name: &str) -> String {
    let digest = digest(name);
    let media_type = format!("application/vnd.oci.image.{kind}.v1+json");
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":1}}"#)
}

impl Place {
    fn manifest(&mut self, name: &str) {
        let config = descriptor("config", "config");
        let text = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[]}}"#);
        self.documents.insert(digest(name), text);
    }

    fn index(&mut self, name: &str, members: &[&str]) {
        let members = members.iter().map(|name| descriptor("manifest", name));
        let members = members.collect::<Vec<_>>().join(",");
        let text = format!(r#"{{"schemaVersion":2,"manifests":[{members}]}}"#);
        self.documents.insert(digest(name), text);
    }

    fn raw(&self, digest: &Digest) -> RawManifest {
        RawManifest {
            media_type: String::new(),
            bytes: self.documents[digest].clone().into_bytes(),
            digest: digest.clone(),
        }
    }

    fn walk(&mut self, bounds: Bounds, top: &str) -> Result<bool, StoreError> {
        Walk::new(bounds).through(self.raw(&digest(top)), self)
    }
}

impl Visitor for Place {
    fn members<'i>(
        &mut self,
        _: &Digest,
        index: &'i Index,
    ) -> Result<Vec<&'i Descriptor>, StoreError> {
        Ok(index.members.iter().collect())
    }

    fn read(&mut self, member: &Descriptor) -> Result<RawManifest, StoreError> {
        Ok(self.raw(&member.digest))
    }

    fn manifest(&mut self, _: &Digest, _: Manifest) -> Result<(), StoreError> {
        Ok(())
    }

    fn leave(&mut self, raw: RawManifest) {
        self.left.push(raw.digest);
    }
}

fn bounds() -> Bounds {
    Bounds {
        depth: 2,
        documents: 4,
        bytes: 10_000,
    }
}

#[track_caller]
fn is_over(walked: Result<bool, StoreError>, part: &str) {
    let error = walked.unwrap_err();
    let over = matches!(
        error,
        StoreError::Content(ContentError::LimitExceeded { .. })
    );
    assert!(over && error.to_string().contains(part), "{error}");
}

#[test]
fn each_document_is_left_once_and_after_what_it_names() {
    let mut place = Place::default();
    place.manifest("a");
    place.manifest("b");
    place.index("inner", &["a", "b"]);
    // The outer index is a member of itself, which none with a true digest is.
    place.index("outer", &["a", "inner", "a", "outer"]);
    assert!(place.walk(bounds(), "outer").unwrap());
    let left = ["a", "b", "inner", "outer"].map(digest);
    assert_eq!(place.left, left);
}

#[test]
fn indexes_within_indexes_end_at_the_bound() {
    let mut place = Place::default();
    place.manifest("a");
    place.index("1", &["a"]);
    place.index("2", &["1"]);
    place.index("3", &["2"]);
    assert!(place.walk(bounds(), "2").unwrap());
    is_over(place.walk(bounds(), "3"), "depth");
}

#[test]
fn number_and_size_of_all_documents_are_bounded() {
    let mut place = Place::default();
    for name in ["a", "b", "c", "d"] {
        place.manifest(name);
    }
    place.index("four", &["a", "b", "c"]);
    assert!(place.walk(bounds(), "four").unwrap());
    place.index("five", &["a", "b", "c", "d"]);
    is_over(place.walk(bounds(), "five"), "4 documents");
    let small = Bounds {
        bytes: 300,
        ..bounds()
    };
    is_over(place.walk(small, "four"), "300 bytes");
}

#[test]
fn a_chain_ends_at_one_manifest_or_says_why_not() {
    let mut place = Place::default();
    place.manifest("a");
    place.index("good", &["a"]);
    place.index("nested", &["good"]);
    place.index("third", &["nested"]);
    place.index("deep", &["third"]);
    place.index("itself", &["itself"]);
    let follow = |top: &str| {
        let name = |kind: &str, _: &Digest| kind.to_owned();
        let top = place.raw(&digest(top));
        let chain = chain(top, &Platform::host(), &name, &mut |member| {
            Ok(place.raw(&member.digest))
        });
        chain.map(|chain| chain.digests())
    };
    assert_eq!(follow("a").unwrap(), [digest("a")]);
    assert_eq!(follow("good").unwrap(), [digest("good"), digest("a")]);
    let nested = [digest("nested"), digest("good"), digest("a")];
    assert_eq!(follow("nested").unwrap(), nested);
    for (top, part) in [("deep", "depth"), ("itself", "no manifest")] {
        let error = follow(top).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}
