use super::*;

fn shown(text: &str) -> String {
    ImageSource::parse(text).unwrap().to_string()
}

#[test]
fn schemes_and_plain_references() {
    assert_eq!(
        shown("busybox"),
        "docker://docker.io/library/busybox:latest"
    );
    assert_eq!(shown("docker://q.io/a:1"), "docker://q.io/a:1");
    assert_eq!(shown("oci:/nonexistent/x"), "oci:/nonexistent/x");
    let ImageSource::Layout { path, tag } =
        ImageSource::parse("oci:/nonexistent/x:q.io/a:1").unwrap()
    else {
        panic!("not a layout");
    };
    assert_eq!(
        (path, tag.as_deref()),
        (PathBuf::from("/nonexistent/x"), Some("q.io/a:1"))
    );
    assert!(matches!(
        ImageSource::parse("docker-archive:x.tar:a:1").unwrap(),
        ImageSource::DockerArchive { reference: Some(reference), .. } if reference == "a:1"
    ));
    assert!(matches!(
        ImageSource::parse("oci-archive:x.tar").unwrap(),
        ImageSource::OciArchive { tag: None, .. }
    ));
}

#[test]
fn each_scheme_is_read_as_it_is_written() {
    for text in [
        "docker://q.io/a:1",
        "oci:/nonexistent/x:1",
        "oci-archive:x.tar:1",
        "docker-archive:x.tar:a:1",
        "aci:x.aci",
        "rootfs:root:1",
    ] {
        assert_eq!(shown(text), text);
        assert!(ImageSource::is_marked(text), "{text}");
        let is_registry = ImageSource::of_registry(text).is_some();
        assert_eq!(is_registry, text.starts_with("docker://"), "{text}");
    }
}

#[test]
fn paths_are_detected_by_what_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("a:b");
    std::fs::create_dir(&odd).unwrap();
    let text = format!("{}:v1", odd.display());
    assert_eq!(
        ImageSource::parse(&text).unwrap(),
        ImageSource::Layout {
            path: odd.clone(),
            tag: Some("v1".into())
        }
    );
    let file = dir.path().join("x.tar");
    std::fs::write(&file, b"no tar at all").unwrap();
    let error = ImageSource::parse(file.to_str().unwrap()).unwrap_err();
    let is_told = matches!(error, StoreError::BrokenSource { .. });
    assert!(is_told, "{error}");
    let missing = format!("{}/missing", dir.path().display());
    let message = ImageSource::parse(&missing).unwrap_err().to_string();
    assert!(message.contains("missing"), "{message}");
}

#[test]
fn what_is_no_image_is_a_root_filesystem_only_if_it_looks_like_one() {
    let dir = tempfile::tempdir().unwrap();
    let folder = |name: &str, inner: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.join(inner)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (root, other) = (folder("root", "etc"), folder("other", "photos"));
    // What skopeo writes as dir:PATH.
    let copied = folder("copied", "");
    std::fs::write(dir.path().join("copied/manifest.json"), "{}").unwrap();
    for (text, is_root) in [(&root, true), (&other, false), (&copied, false)] {
        let error = ImageSource::parse(text).unwrap_err();
        let StoreError::NoImage { is_root: found, .. } = &error else {
            panic!("{text}: {error}");
        };
        assert_eq!(*found, is_root, "{text}");
        let path = PathBuf::from(text);
        match ImageSource::parse_root(text) {
            Ok(source) => assert_eq!((source, is_root), (ImageSource::Root { path }, true)),
            Err(_) => assert!(!is_root, "{text}"),
        }
    }
}

#[test]
fn nonsense_is_refused() {
    for text in [
        "",
        "oci:",
        "oci::tag",
        "oci:/nonexistent:",
        "http://q.io/a",
        "docker://",
        "aci:",
        "rootfs:",
        "aci:a\0",
        "dir:x",
        "docker-daemon:nginx:latest",
        "containers-storage:nginx",
    ] {
        let error = ImageSource::parse(text).unwrap_err();
        let is_refusal = matches!(
            error,
            StoreError::InvalidSource { .. } | StoreError::Name(_)
        );
        assert!(is_refusal, "{text:?}: {error:?}");
    }
}
