//! Images over the CRI: what they are called, told of, and how they go.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cri_shim::api::{
    AuthConfig, FilesystemUsage, Image, ImageFilter, ImageFsInfoRequest, ImageSpec,
    ImageStatusRequest, ListImagesRequest, PullImageRequest, RemoveImageRequest,
    StreamImagesRequest,
};
use harness::{Artifact, Cri, ImageBuilder, Registry, eventually};
use tonic::{Code, Status};

use crate::cri_sandbox::host;

pub(crate) fn spec(name: &str) -> Option<ImageSpec> {
    Some(ImageSpec {
        image: name.to_owned(),
        ..ImageSpec::default()
    })
}

/// Pulls an image; gives its id.
pub(crate) fn pull(cri: &Cri, name: &str, auth: Option<AuthConfig>) -> Result<String, Status> {
    let request = PullImageRequest {
        image: spec(name),
        auth,
        sandbox_config: None,
    };
    let pulled = cri.call(cri.images().pull_image(request))?;
    Ok(pulled.image_ref)
}

/// All images.
pub(crate) fn list(cri: &Cri, filter: Option<&str>) -> Vec<Image> {
    let filter = filter.map(|name| ImageFilter { image: spec(name) });
    let listed = cri.call(cri.images().list_images(ListImagesRequest { filter }));
    listed.unwrap().images
}

/// How an image is, if it is there.
pub(crate) fn status(cri: &Cri, name: &str) -> Option<Image> {
    let request = ImageStatusRequest {
        image: spec(name),
        verbose: false,
    };
    cri.call(cri.images().image_status(request)).unwrap().image
}

fn remove(cri: &Cri, name: &str) -> Result<(), Status> {
    let request = RemoveImageRequest { image: spec(name) };
    cri.call(cri.images().remove_image(request)).map(drop)
}

/// An image that is no other's.
fn image(word: &str) -> Artifact {
    ImageBuilder::busybox().env("WORD", word).build()
}

fn pushed(names: &[(&str, &Artifact)]) -> (Registry, Vec<String>) {
    let registry = Registry::start();
    for (name, image) in names {
        image.push(&registry, name);
    }
    let references = names.iter().map(|(name, _)| registry.reference(name));
    let references = references.collect();
    (registry, references)
}

#[test]
fn an_image_has_one_id_by_whatever_name_it_is_asked_for() {
    let (host, own) = (host(), image("one"));
    let (_registry, names) = pushed(&[("team/app:1", &own), ("team/app:2", &own), ("x/y:z", &own)]);
    let (_other, others) = pushed(&[("mirror/app:1", &own)]);
    let cri = Cri::start(&host);
    let id = pull(&cri, &names[0], None).unwrap();
    assert!(id.starts_with("sha256:"), "{id}");
    for name in names[1..].iter().chain(&others) {
        assert_eq!(pull(&cri, name, None).unwrap(), id);
    }
    let listed = list(&cri, None);
    let [listed] = &listed[..] else {
        panic!("{listed:?}")
    };
    assert_eq!(listed.id, id);
    assert_eq!(listed.repo_tags.len(), 4);
    assert_eq!(listed.repo_digests.len(), 3);
    assert!(listed.size > 0);
    let hex = id.strip_prefix("sha256:").unwrap();
    let asked = [&*id, hex, &hex[..12]];
    let asked = asked.into_iter().map(str::to_owned);
    let known = listed.repo_tags.iter().chain(&listed.repo_digests).cloned();
    for name in asked.chain(known) {
        assert_eq!(status(&cri, &name).as_ref(), Some(listed), "{name}");
        assert_eq!(
            list(&cri, Some(&name)),
            std::slice::from_ref(listed),
            "{name}"
        );
    }
    // By digest it is the same.
    let digest = listed.repo_digests[0].clone();
    assert_eq!(pull(&cri, &digest, None).unwrap(), id);
}

#[test]
fn a_name_without_a_tag_is_the_latest() {
    let (host, own) = (host(), image("latest"));
    let (registry, _) = pushed(&[("team/app:latest", &own)]);
    let cri = Cri::start(&host);
    let id = pull(&cri, &registry.reference("team/app"), None).unwrap();
    let told = status(&cri, &id).unwrap();
    assert_eq!(told.repo_tags, [registry.reference("team/app:latest")]);
}

#[test]
fn users_are_told_by_number_or_by_name() {
    let host = host();
    for (user, uid, name) in [
        ("1234", Some(1234), ""),
        ("1234:5", Some(1234), ""),
        ("www", None, "www"),
        ("www:5", None, "www"),
    ] {
        let own = ImageBuilder::busybox().user(user).build();
        let (_registry, names) = pushed(&[("team/app:1", &own)]);
        let cri = Cri::start(&host);
        let id = pull(&cri, &names[0], None).unwrap();
        let told = status(&cri, &id).unwrap();
        let told = (told.uid.map(|uid| uid.value), &*told.username);
        assert_eq!(told, (uid, name), "{user}");
    }
}

#[test]
fn an_image_that_is_not_there_is_no_error() {
    let (host, own) = (host(), image("none"));
    let (registry, names) = pushed(&[("team/app:1", &own)]);
    let cri = Cri::start(&host);
    let unknown = registry.reference("team/other:1");
    let digest = format!(
        "{}@sha256:{}",
        registry.reference("team/app"),
        "0".repeat(64)
    );
    for name in [&*unknown, &digest, &*"0".repeat(64), "sha256:012345"] {
        assert_eq!(status(&cri, name), None, "{name}");
        assert_eq!(list(&cri, Some(name)), []);
        remove(&cri, name).unwrap();
    }
    let nothing = ImageStatusRequest::default();
    let error = cri.call(cri.images().image_status(nothing)).unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert_eq!(status(&cri, &names[0]), None, "nothing was pulled");
}

#[test]
fn removal_takes_all_names_and_what_they_alone_needed() {
    let (host, own, kept) = (host(), image("goes"), image("stays"));
    let (_registry, names) = pushed(&[("a/app:1", &own), ("b/app:2", &own), ("a/kept:1", &kept)]);
    let cri = Cri::start(&host);
    for by in 0..4 {
        let id = pull(&cri, &names[0], None).unwrap();
        pull(&cri, &names[1], None).unwrap();
        let stays = pull(&cri, &names[2], None).unwrap();
        let digest = status(&cri, &id).unwrap().repo_digests[0].clone();
        let config = host.data_dir().join("images/blobs/sha256");
        let config = config.join(id.strip_prefix("sha256:").unwrap());
        assert!(config.exists(), "{}", config.display());
        let by = [&names[0], &names[1], &id, &digest][by];
        remove(&cri, by).unwrap();
        for name in [&names[0], &names[1], &id, &digest] {
            assert_eq!(status(&cri, name), None, "{name} after {by}");
        }
        assert_eq!(list(&cri, None).len(), 1);
        remove(&cri, by).unwrap();
        let gone = eventually(std::time::Duration::from_secs(20), || {
            (!config.exists()).then_some(())
        });
        assert!(gone.is_some(), "the disk is not given back");
        assert!(status(&cri, &stays).is_some());
    }
}

#[test]
fn simultaneous_removals_succeed() {
    let (host, own) = (host(), image("many"));
    let (_registry, names) = pushed(&[("a/app:1", &own), ("b/app:2", &own)]);
    let cri = Cri::start(&host);
    for _ in 0..5 {
        let id = pull(&cri, &names[0], None).unwrap();
        pull(&cri, &names[1], None).unwrap();
        let all: Vec<_> = (0..20)
            .map(|number| {
                let image = spec([&names[0], &names[1], &id][number % 3]);
                let mut images = cri.images();
                async move { images.remove_image(RemoveImageRequest { image }).await }
            })
            .collect();
        cri.wait(async {
            let tasks: Vec<_> = all.into_iter().map(tokio::spawn).collect();
            for task in tasks {
                task.await.unwrap().unwrap();
            }
        });
        assert_eq!(list(&cri, None), []);
    }
}

#[test]
fn what_is_streamed_is_what_is_listed() {
    let (host, one, other) = (host(), image("x"), image("y"));
    let (_registry, names) = pushed(&[("a/app:1", &one), ("b/app:2", &other)]);
    let cri = Cri::start(&host);
    for name in &names {
        pull(&cri, name, None).unwrap();
    }
    let request = StreamImagesRequest { filter: None };
    let mut stream = cri.call(cri.images().stream_images(request)).unwrap();
    let mut streamed = Vec::new();
    while let Some(part) = cri.wait(stream.message()).unwrap() {
        streamed.extend(part.images);
    }
    assert_eq!(streamed, list(&cri, None));
    assert_eq!(streamed.len(), 2);
}

#[test]
fn pinned_images_are_told_so() {
    let (host, one, other) = (host(), image("x"), image("y"));
    let (registry, names) = pushed(&[("a/app:1", &one), ("b/app:2", &other)]);
    let config = format!(
        "[cri]\nnetwork = \"none\"\npinned-images = [\"{}*\"]\n",
        registry.reference("a/")
    );
    host.write("etc/config.toml", config);
    let cri = Cri::start(&host);
    for name in &names {
        pull(&cri, name, None).unwrap();
    }
    assert!(status(&cri, &names[0]).unwrap().pinned);
    assert!(!status(&cri, &names[1]).unwrap().pinned);
}

#[test]
fn more_is_told_to_people_who_ask() {
    let (host, own) = (host(), image("verbose"));
    let (_registry, names) = pushed(&[("a/app:1", &own)]);
    let cri = Cri::start(&host);
    pull(&cri, &names[0], None).unwrap();
    let request = ImageStatusRequest {
        image: spec(&names[0]),
        verbose: true,
    };
    let told = cri.call(cri.images().image_status(request)).unwrap();
    let info: serde_json::Value = serde_json::from_str(&told.info["info"]).unwrap();
    let env = info["imageSpec"]["config"]["Env"].to_string();
    assert!(env.contains("WORD=verbose"), "{env}");
}

#[test]
fn the_file_system_of_images_is_told_with_what_they_take() {
    let (host, own) = (host(), image("space"));
    let (_registry, names) = pushed(&[("a/app:1", &own)]);
    let cri = Cri::start(&host);
    let info = || {
        let told = cri.call(cri.images().image_fs_info(ImageFsInfoRequest {}));
        let mut told = told.unwrap();
        assert_eq!(told.image_filesystems.len(), 1);
        assert_eq!(told.container_filesystems, []);
        told.image_filesystems.remove(0)
    };
    pull(&cri, &names[0], None).unwrap();
    let told = info();
    assert!(told.timestamp > 0);
    let mount_point = told.fs_id.unwrap().mountpoint;
    assert_eq!(
        mount_point,
        host.data_dir().join("images").display().to_string()
    );
    assert!(fs::metadata(&mount_point).unwrap().is_dir());
    assert!(told.used_bytes.unwrap().value > 1 << 16);
    assert!(told.inodes_used.unwrap().value > 5);
}

#[test]
fn what_containers_write_is_told_of_where_that_is_another_file_system() {
    let host = host();
    let pods = host.data_dir().join("pods");
    fs::create_dir_all(&pods).unwrap();
    let mounted = Mounted::tmpfs(&pods);
    let cri = Cri::start(&host);
    let told = cri.call(cri.images().image_fs_info(ImageFsInfoRequest {}));
    let told = told.unwrap();
    let places = |file_systems: &[FilesystemUsage]| -> Vec<String> {
        let all = file_systems.iter().map(|one| {
            // Kubelets take for granted that both are there.
            assert!(one.used_bytes.is_some() && one.inodes_used.is_some());
            one.fs_id.as_ref().unwrap().mountpoint.clone()
        });
        all.collect()
    };
    let images = host.data_dir().join("images").display().to_string();
    assert_eq!(places(&told.image_filesystems), [images]);
    assert_eq!(
        places(&told.container_filesystems),
        [pods.display().to_string()]
    );
    drop((cri, mounted));
}

/// A file system that is mounted as long as this is kept.
struct Mounted(PathBuf);

impl Mounted {
    fn tmpfs(place: &Path) -> Self {
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "fairing-test"])
            .arg(place)
            .status();
        assert!(mount.unwrap().success());
        Self(place.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

#[test]
fn an_image_whose_tag_has_moved_is_known_by_its_digest_until_it_is_removed() {
    let (host, old, new) = (host(), image("old"), image("new"));
    let (registry, names) = pushed(&[("team/app:1", &old)]);
    let cri = Cri::start(&host);
    let first = pull(&cri, &names[0], None).unwrap();
    let before = status(&cri, &first).unwrap();
    assert_eq!((before.repo_tags.len(), before.repo_digests.len()), (1, 1));
    new.push(&registry, "team/app:1");
    let second = pull(&cri, &names[0], None).unwrap();
    assert_ne!(first, second);
    let moved = status(&cri, &first).unwrap();
    assert_eq!(moved.repo_tags, [""; 0]);
    assert_eq!(moved.repo_digests, before.repo_digests);
    assert_eq!(status(&cri, &names[0]).unwrap().id, second);
    let listed = list(&cri, None);
    assert_eq!(listed.len(), 2);
    assert!(listed.contains(&moved));
    // Its id still makes containers, and any name takes all.
    remove(&cri, &first).unwrap();
    assert_eq!(status(&cri, &before.repo_digests[0]), None);
    remove(&cri, &names[0]).unwrap();
    assert_eq!(list(&cri, None), []);
}

#[test]
fn who_pulls_by_digest_gets_no_tag() {
    let (host, own) = (host(), image("digest"));
    let (registry, _) = pushed(&[("team/app:1", &own)]);
    let (other, others) = pushed(&[("mirror/app:1", &own)]);
    let cri = Cri::start(&host);
    let name = registry.reference(&format!("team/app@{}", own.digest()));
    let id = pull(&cri, &name, None).unwrap();
    let told = status(&cri, &id).unwrap();
    assert_eq!(
        (told.repo_tags, told.repo_digests),
        (Vec::new(), vec![name.clone()])
    );
    // It is the same one, from wherever it came.
    assert_eq!(pull(&cri, &others[0], None).unwrap(), id);
    let mut digests = vec![
        name,
        other.reference(&format!("mirror/app@{}", own.digest())),
    ];
    digests.sort();
    let told = status(&cri, &id).unwrap();
    assert_eq!((told.repo_tags, told.repo_digests), (others, digests));
}

#[test]
fn answers_are_the_same_after_a_crash() {
    let (host, own) = (host(), image("crash"));
    let (_registry, names) = pushed(&[("a/app:1", &own)]);
    let mut cri = Cri::start(&host);
    pull(&cri, &names[0], None).unwrap();
    let before = (list(&cri, None), status(&cri, &names[0]));
    cri.restart();
    assert_eq!((list(&cri, None), status(&cri, &names[0])), before);
}

#[test]
fn a_damaged_image_is_as_good_as_none() {
    let (host, own) = (host(), image("damaged"));
    let (_registry, names) = pushed(&[("a/app:1", &own)]);
    let cri = Cri::start(&host);
    let id = pull(&cri, &names[0], None).unwrap();
    // What was whole when it was listed.
    assert_eq!(list(&cri, None).len(), 1);
    let config = host.data_dir().join("images/blobs/sha256");
    fs::write(config.join(id.strip_prefix("sha256:").unwrap()), "{}").unwrap();
    assert_eq!(status(&cri, &names[0]), None);
    assert_eq!(list(&cri, None), []);
    assert_eq!(pull(&cri, &names[0], None).unwrap(), id);
    assert_eq!(list(&cri, None).first(), status(&cri, &id).as_ref());
}

#[test]
fn images_are_for_handlers_that_there_are() {
    let host = host();
    let cri = Cri::start(&host);
    let pull = |handler: &str| {
        let image = ImageSpec {
            image: "registry.example/none:1".to_owned(),
            runtime_handler: handler.to_owned(),
            ..ImageSpec::default()
        };
        let request = PullImageRequest {
            image: Some(image),
            ..PullImageRequest::default()
        };
        cri.call(cri.images().pull_image(request)).unwrap_err()
    };
    let refused = pull("other");
    assert_eq!(refused.code(), Code::InvalidArgument);
    let field = "image.runtime_handler: ";
    assert!(refused.message().starts_with(field), "{refused}");
    assert!(!pull("fairing-kvm").message().contains(field));
}
