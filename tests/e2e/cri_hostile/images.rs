//! Requests of ImageService.

use cri_shim::api::*;
use tonic::Code;

use super::{MANY, Victim, long};
use crate::stocked::IMAGE;

fn spec(image: &str) -> ImageSpec {
    ImageSpec {
        image: image.to_owned(),
        ..ImageSpec::default()
    }
}

/// Names that no image can have.
fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "..",
        "../../etc",
        "/",
        "/etc/passwd",
        "a//b",
        "\0",
        "a\0b",
        " ",
        "UPPER",
        "a:b:c",
        "a@b",
        "a@sha256:0",
        "sha256:zz",
        "-",
        "\u{202e}",
        "\n",
        "http://a/b",
        "oci:/etc",
        "dir:/",
        "registry.example/a:",
        ":",
        "@",
    ]
    .map(str::to_owned)
    .into();
    names.push(long());
    names.push(format!("registry.example/{}", "a/".repeat(MANY)));
    names
}

#[test]
fn names_that_no_image_can_have_are_refused_by_field() {
    let victim = Victim::new();
    for name in names() {
        let shown = super::shown(&name);
        let image = Some(spec(&name));
        let mut client = victim.cri.images();
        let pull = PullImageRequest {
            image: image.clone(),
            auth: None,
            sandbox_config: None,
        };
        // What can only be the beginning of an id is none.
        let (code, part) = match name.starts_with("sha256:") {
            true => (Code::NotFound, "is not found"),
            false => (Code::InvalidArgument, "image.image: "),
        };
        let what = format!("pull {shown}");
        victim.refused(&what, code, part, client.pull_image(pull));
        let mut client = victim.cri.images();
        let status = ImageStatusRequest {
            image: image.clone(),
            verbose: true,
        };
        // A kubelet asks for what it has been told of, and is told that it isn't there.
        match victim.answer(&format!("status {shown}"), client.image_status(status)) {
            Ok(told) => assert_eq!(told.image, None, "{shown}"),
            Err(refused) => assert_eq!(refused.code(), Code::InvalidArgument, "{refused}"),
        }
        let mut client = victim.cri.images();
        let remove = RemoveImageRequest {
            image: image.clone(),
        };
        match victim.answer(&format!("remove {shown}"), client.remove_image(remove)) {
            Ok(_) => {}
            Err(refused) => assert_eq!(refused.code(), Code::InvalidArgument, "{refused}"),
        }
        let mut client = victim.cri.images();
        let filter = Some(ImageFilter { image });
        match victim.answer(
            &format!("list {shown}"),
            client.list_images(ListImagesRequest { filter }),
        ) {
            Ok(listed) => assert_eq!(listed.images, [], "{shown}"),
            Err(refused) => assert_eq!(refused.code(), Code::InvalidArgument, "{refused}"),
        }
    }
    for nothing in [None, Some(spec(""))] {
        let mut client = victim.cri.images();
        let pull = PullImageRequest {
            image: nothing.clone(),
            ..PullImageRequest::default()
        };
        let (code, field) = (Code::InvalidArgument, "image.image: ");
        victim.refused("pull nothing", code, field, client.pull_image(pull));
        let mut client = victim.cri.images();
        let status = ImageStatusRequest {
            image: nothing.clone(),
            verbose: false,
        };
        victim.refused(
            "status of nothing",
            code,
            field,
            client.image_status(status),
        );
        let mut client = victim.cri.images();
        let remove = RemoveImageRequest { image: nothing };
        victim.refused("remove nothing", code, field, client.remove_image(remove));
    }
    let mut client = victim.cri.images();
    let all = client.list_images(ListImagesRequest { filter: None });
    assert_eq!(victim.answer("images", all).unwrap().images.len(), 1);
    victim.is_well();
}

#[test]
fn what_is_shown_to_registries_makes_sense_or_is_refused() {
    let victim = Victim::new();
    type Change = fn(&mut AuthConfig);
    let cases: [Change; 5] = [
        |auth| auth.auth = "not base64!".into(),
        |auth| auth.auth = "bm9jb2xvbg==".into(),
        |auth| auth.auth = long(),
        |auth| auth.registry_token = "a\r\nb: c".into(),
        |auth| auth.identity_token = "\0".into(),
    ];
    for (number, change) in cases.into_iter().enumerate() {
        let mut auth = AuthConfig::default();
        change(&mut auth);
        let pull = PullImageRequest {
            image: Some(spec("127.0.0.1:1/a/b:c")),
            auth: Some(auth),
            sandbox_config: None,
        };
        let mut client = victim.cri.images();
        victim.refused(
            &format!("login {number}"),
            Code::InvalidArgument,
            "auth",
            client.pull_image(pull),
        );
    }
    // Nobody listens there, and that is told.
    let pull = PullImageRequest {
        image: Some(ImageSpec {
            annotations: (0..MANY).map(|n| (n.to_string(), String::new())).collect(),
            ..spec("127.0.0.1:1/a/b:c")
        }),
        ..PullImageRequest::default()
    };
    let mut client = victim.cri.images();
    let refused = victim
        .answer("nobody", client.pull_image(pull))
        .unwrap_err();
    assert!(
        refused.message().contains("RegistryUnavailable"),
        "{refused}"
    );
    let mut client = victim.cri.images();
    let status = ImageStatusRequest {
        image: Some(spec(IMAGE)),
        verbose: true,
    };
    let told = victim.answer("the image", client.image_status(status));
    assert!(told.unwrap().image.is_some());
    victim.is_well();
}
