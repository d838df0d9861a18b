//! Images that are damaged in the store: a pull mends them, whoever has found it and however little of it is left.

use std::fs;
use std::path::{Path, PathBuf};

use cri_shim::api::{ContainerConfig, ImageSpec};
use harness::{Artifact, ImageBuilder, Layer, Registry};

use crate::cri_containers::{Ground, idle, script};
use crate::cri_image::{pull, status};
use crate::seal::layer_with;

/// A ground with an image from a registry, whose file `/mark` says `good`.
struct Marked {
    ground: Ground,
    _registry: Registry,
    reference: String,
    id: String,
    image: Artifact,
}

impl Marked {
    fn new() -> Self {
        let ground = Ground::new();
        let registry = Registry::start();
        let mark = Layer::new()
            .file("mark", "good", 0o644)
            .file("folder/other", "x", 0o644);
        let image = ImageBuilder::busybox().layer(mark).build();
        let reference = image.push(&registry, "team/image:1");
        let id = pull(&ground.cri, &reference, None).unwrap();
        Self {
            ground,
            _registry: registry,
            reference,
            id,
            image,
        }
    }

    /// The directory of the layer with the mark.
    fn layer(&self) -> PathBuf {
        layer_with(&self.ground.host, "mark")
    }

    fn images(&self) -> PathBuf {
        self.ground.host.data_dir().join("images")
    }

    fn pull(&self) -> Result<String, tonic::Status> {
        pull(&self.ground.cri, &self.reference, None)
    }

    fn of(&self, config: ContainerConfig) -> ContainerConfig {
        let image = Some(ImageSpec {
            image: self.id.clone(),
            user_specified_image: self.reference.clone(),
            ..ImageSpec::default()
        });
        ContainerConfig { image, ..config }
    }

    /// Runs a container that shows the mark.
    #[track_caller]
    fn shows_the_mark(&self, name: &str) {
        self.ground
            .run_to_end(&self.of(script(name, "cat /mark /folder/other")));
        assert_eq!(self.ground.logged(name), "goodx");
    }
}

/// What is done to a layer.
type Damage = (&'static str, fn(&Path));

const DAMAGES: [Damage; 7] = [
    ("another content", |layer| {
        fs::write(layer.join("fs/mark"), "evil").unwrap()
    }),
    ("an empty file", |layer| {
        fs::write(layer.join("fs/mark"), "").unwrap()
    }),
    ("a missing file", |layer| {
        fs::remove_file(layer.join("fs/folder/other")).unwrap()
    }),
    ("one more file", |layer| {
        fs::write(layer.join("fs/folder/new"), "x").unwrap()
    }),
    ("no seal", |layer| {
        fs::remove_file(layer.join("seal")).unwrap()
    }),
    ("an empty tree", |layer| {
        fs::remove_dir_all(layer.join("fs")).unwrap();
        fs::create_dir(layer.join("fs")).unwrap();
    }),
    ("no layer", |layer| fs::remove_dir_all(layer).unwrap()),
];

#[test]
fn a_pull_mends_what_no_start_has_noticed() {
    let marked = Marked::new();
    for (at, (what, befall)) in DAMAGES.into_iter().enumerate() {
        befall(&marked.layer());
        assert_eq!(marked.pull().unwrap(), marked.id, "{what}");
        marked.shows_the_mark(&format!("c{at}"));
    }
    // What was kept compressed may be lost or damaged as well.
    for (at, by) in ["gone", "changed"].into_iter().enumerate() {
        fs::write(marked.layer().join("fs/mark"), "evil").unwrap();
        for layer in layer_blobs(&marked) {
            match by {
                "gone" => fs::remove_file(layer).unwrap(),
                _ => fs::write(layer, "evil").unwrap(),
            }
        }
        assert_eq!(marked.pull().unwrap(), marked.id, "{by}");
        marked.shows_the_mark(&format!("b{at}"));
    }
    let left = fs::read_dir(marked.images().join("tmp")).unwrap().count();
    assert_eq!(left, 0, "half-done things are left");
}

/// The compressed layers in the store: what is no JSON.
fn layer_blobs(marked: &Marked) -> Vec<PathBuf> {
    let blobs = fs::read_dir(marked.images().join("blobs/sha256")).unwrap();
    let blobs = blobs.map(|entry| entry.unwrap().path());
    blobs
        .filter(|path| fs::read(path).unwrap().first() != Some(&b'{'))
        .collect()
}

#[test]
fn what_a_start_has_found_damaged_is_no_image_until_it_is_pulled_again() {
    let marked = Marked::new();
    let ground = &marked.ground;
    let made = ground.create(&marked.of(idle("made")));
    fs::write(marked.layer().join("fs/mark"), "evil").unwrap();
    let error = ground.try_create(&marked.of(idle("new"))).unwrap_err();
    assert!(error.message().contains("was changed"), "{error}");
    let error = ground.try_start(&made).unwrap_err();
    assert!(error.message().contains("was changed"), "{error}");
    // A kubelet that finds none pulls.
    for name in [&marked.reference, &marked.id] {
        assert_eq!(status(&ground.cri, name), None, "{name}");
    }
    // Whoever asks for it all the same is told why not.
    let error = ground.try_create(&marked.of(idle("new"))).unwrap_err();
    assert!(error.message().contains("was changed"), "{error}");
    assert_eq!(marked.pull().unwrap(), marked.id);
    assert_eq!(
        status(&ground.cri, &marked.reference).unwrap().id,
        marked.id
    );
    marked.shows_the_mark("again");
    // One that says nothing but that is looked at, and is as it should be.
    fs::write(marked.layer().join("damaged"), "").unwrap();
    assert_eq!(status(&ground.cri, &marked.reference), None);
    marked.pull().unwrap();
    assert!(!marked.layer().join("damaged").exists());
    let strays = ground.host.fairing(["image", "verify", "--all"]).run().ok();
    assert!(!strays.stdout.contains("stray"), "{strays}");
}

#[test]
fn documents_come_back_too() {
    let marked = Marked::new();
    let blobs = marked.images().join("blobs/sha256");
    let manifest = marked.image.digest();
    let manifest = manifest.strip_prefix("sha256:").unwrap();
    let config = marked.id.strip_prefix("sha256:").unwrap();
    for (at, name) in [manifest, config, manifest, config].into_iter().enumerate() {
        match at {
            0 | 1 => fs::write(blobs.join(name), "{}").unwrap(),
            _ => fs::remove_file(blobs.join(name)).unwrap(),
        }
        // Both at once.
        fs::write(marked.layer().join("fs/mark"), "evil").unwrap();
        assert_eq!(marked.pull().unwrap(), marked.id);
        marked.shows_the_mark(&format!("c{at}"));
    }
}

#[test]
fn what_a_container_runs_with_stays_until_it_has_ended() {
    let marked = Marked::new();
    let ground = &marked.ground;
    let running = ground.run(&marked.of(idle("running")));
    let mark = marked.layer().join("fs/mark");
    fs::write(&mark, "evil").unwrap();
    let error = marked.pull().unwrap_err();
    for part in [
        &*marked.reference,
        "can't be mended",
        "can't be restored while pod ",
        "stop it first",
    ] {
        assert!(error.message().contains(part), "{part}: {error}");
    }
    assert_eq!(fs::read_to_string(&mark).unwrap(), "evil");
    // The sandbox may go on.
    ground.stop(&running, 0).unwrap();
    assert_eq!(marked.pull().unwrap(), marked.id);
    marked.shows_the_mark("again");
    // One that mounts it has it as well.
    let mut mounting = idle("mounting");
    mounting.mounts = vec![cri_shim::api::Mount {
        container_path: "/image".to_owned(),
        readonly: true,
        image: marked.of(idle("x")).image,
        ..Default::default()
    }];
    ground.run(&mounting);
    fs::write(marked.layer().join("fs/mark"), "evil").unwrap();
    let error = marked.pull().unwrap_err();
    assert!(error.message().contains("while pod "), "{error}");
}

#[test]
fn nothing_is_mended_of_what_may_not_run() {
    let marked = Marked::new();
    let mark = marked.layer().join("fs/mark");
    fs::write(&mark, "evil").unwrap();
    let policy = "[[rule]]\nprefix = \"*\"\ntype = \"reject\"\n";
    marked.ground.host.write_policy("tests.toml", policy);
    let error = marked.pull().unwrap_err();
    assert!(error.message().contains("is rejected by rule"), "{error}");
    assert_eq!(fs::read_to_string(&mark).unwrap(), "evil");
    marked.ground.host.accept_unsigned();
    marked.pull().unwrap();
    marked.shows_the_mark("again");
}

#[test]
fn many_who_pull_at_once_mend_it_together() {
    let marked = Marked::new();
    fs::write(marked.layer().join("fs/mark"), "evil").unwrap();
    let cri = &marked.ground.cri;
    let all: Vec<_> = (0..6)
        .map(|_| {
            let request = cri_shim::api::PullImageRequest {
                image: crate::cri_image::spec(&marked.reference),
                ..Default::default()
            };
            let mut images = cri.images();
            cri.spawn(async move { images.pull_image(request).await })
        })
        .collect();
    for pull in all {
        let pulled = cri.wait(pull).unwrap().unwrap();
        assert_eq!(pulled.into_inner().image_ref, marked.id);
    }
    marked.shows_the_mark("again");
}
