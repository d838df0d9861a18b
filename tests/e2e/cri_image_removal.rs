//! Removals over the CRI of images that pods need.

use cri_shim::api::{ImageSpec, RemoveImageRequest};
use harness::ImageBuilder;
use tonic::{Code, Status};

use crate::cri_containers::{Ground, idle};
use crate::cri_image::{spec, status};
use crate::stocked::import;

const NAME: &str = "test.example/app:1";

/// A ground with an image of its own; gives its id too.
fn ground() -> (Ground, String) {
    let ground = Ground::new();
    let image = ImageBuilder::busybox().env("WORD", "removal").build();
    import(&ground.host, &image, NAME);
    let id = status(&ground.cri, NAME).unwrap().id;
    (ground, id)
}

fn remove(ground: &Ground, name: &str) -> Result<(), Status> {
    let request = RemoveImageRequest { image: spec(name) };
    let cri = &ground.cri;
    cri.call(cri.images().remove_image(request)).map(drop)
}

#[test]
fn an_image_stays_that_a_pod_of_the_node_needs() {
    let (ground, id) = ground();
    let sleeps = ["--", "/bin/sleep", "1000"];
    for (word, begin) in [
        ("running", ["run", "--detach"].as_slice()),
        ("prepared", ["prepare"].as_slice()),
    ] {
        let name = format!("pod-{word}");
        let made = ground
            .host
            .fairing(begin)
            .args([&*format!("--name={name}"), NAME])
            .args(sleeps)
            .run()
            .ok();
        let pod = made.text().to_owned();
        for by in [NAME, &id] {
            let error = remove(&ground, by).unwrap_err();
            assert_eq!(error.code(), Code::FailedPrecondition, "{error}");
            let pod = format!("in use by pod {name} ({word})");
            assert!(error.message().contains(&pod), "{error}");
        }
        assert_eq!(status(&ground.cri, NAME).unwrap().id, id);
        ground.host.fairing(["rm", "--force", &pod]).run().ok();
    }
    remove(&ground, &id).unwrap();
    assert_eq!(status(&ground.cri, NAME), None);
    remove(&ground, &id).unwrap();
}

#[test]
fn an_image_goes_that_only_containers_need_and_they_go_on() {
    let (ground, id) = ground();
    let mut config = idle("one");
    config.image = Some(ImageSpec {
        image: id.clone(),
        ..ImageSpec::default()
    });
    let container = ground.run(&config);
    remove(&ground, &id).unwrap();
    assert_eq!(status(&ground.cri, NAME), None);
    assert_eq!(ground.sh(&container, "echo $WORD"), "removal");
    // One that has ended needs nothing.
    ground.stop(&container, 0).unwrap();
}
