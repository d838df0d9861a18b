//! The policy over the CRI: rules may be for some namespaces of Kubernetes alone, whatever is to be made of an image.

use cri_shim::api::{
    ContainerConfig, CreateContainerRequest, ImageSpec, Mount, PodSandboxConfig, StatusRequest,
};
use harness::{Cri, Host, ImageBuilder};
use tonic::Status;

use crate::cri_containers::{Ground, idle};
use crate::cri_sandbox;
use crate::stocked::import;

const VOLUME: &str = "test.example/volume:1";

/// Images run in these namespaces alone.
fn allow(host: &Host, namespaces: &[&str]) {
    let policy = format!(
        "[[rule]]\nprefix = \"test.example\"\nkubernetes-namespaces = {namespaces:?}\n\
         type = \"accept-unsigned\"\n[[rule]]\nprefix = \"test.example\"\ntype = \"reject\"\n"
    );
    host.write_policy("tests.toml", &policy);
}

/// A ground whose own sandbox is in `dev`, and a sandbox in `prod`.
fn grounds() -> (Ground, String, PodSandboxConfig) {
    let in_namespace = |config: &mut PodSandboxConfig, namespace: &str| {
        config.metadata.as_mut().unwrap().namespace = namespace.to_owned();
    };
    let ground = Ground::of(ImageBuilder::busybox(), |config| {
        in_namespace(config, "dev")
    });
    import(
        &ground.host,
        &ImageBuilder::busybox().env("V", "1").build(),
        VOLUME,
    );
    let mut config = cri_sandbox::config("prod");
    in_namespace(&mut config, "prod");
    let prod = cri_sandbox::run(&ground.cri, &config).unwrap();
    (ground, prod, config)
}

fn create(
    ground: &Ground,
    sandbox: &str,
    of: &PodSandboxConfig,
    config: &ContainerConfig,
) -> Result<String, Status> {
    let request = CreateContainerRequest {
        pod_sandbox_id: sandbox.to_owned(),
        config: Some(config.clone()),
        sandbox_config: Some(of.clone()),
    };
    let cri = &ground.cri;
    Ok(cri
        .call(cri.runtime().create_container(request))?
        .container_id)
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Status>, image: &str) {
    let error = result.unwrap_err();
    for part in ["is rejected by rule", image] {
        assert!(error.message().contains(part), "{error}");
    }
}

#[test]
fn containers_are_made_where_their_namespace_is_named() {
    let (ground, prod, config) = grounds();
    allow(&ground.host, &["dev"]);
    let id = ground.create(&idle("web"));
    ground.try_start(&id).unwrap();
    refused(
        create(&ground, &prod, &config, &idle("web")),
        "test.example/busybox",
    );
    // What the request says of the sandbox is not what counts.
    refused(
        create(&ground, &prod, &ground.config, &idle("web")),
        "test.example/busybox",
    );
}

#[test]
fn a_container_that_is_refused_leaves_no_directory_of_a_mount() {
    let ground = Ground::new();
    allow(&ground.host, &["elsewhere"]);
    let path = ground.host.base().join("volumes/data");
    let mut config = idle("web");
    config.mounts = vec![Mount {
        host_path: path.to_str().unwrap().to_owned(),
        container_path: "/data".to_owned(),
        ..Mount::default()
    }];
    refused(ground.try_create(&config), "test.example/busybox");
    assert!(!path.parent().unwrap().exists());
    allow(&ground.host, &["default"]);
    ground.run(&config);
    assert!(path.is_dir());
}

#[test]
fn they_are_judged_by_their_namespace_again_when_they_start() {
    let (ground, prod, config) = grounds();
    let here = ground.create(&idle("web"));
    let there = create(&ground, &prod, &config, &idle("web")).unwrap();
    allow(&ground.host, &["dev"]);
    refused(ground.try_start(&there), "test.example/busybox");
    ground.try_start(&here).unwrap();
    // That was its end. Another one starts.
    allow(&ground.host, &["dev", "prod"]);
    ground.try_start(&there).unwrap_err();
    let mut again = idle("web");
    again.metadata.as_mut().unwrap().attempt = 1;
    let there = create(&ground, &prod, &config, &again).unwrap();
    ground.try_start(&there).unwrap();
}

#[test]
fn images_that_are_mounted_are_judged_as_those_that_run() {
    let (ground, prod, config) = grounds();
    let mut with_volume = idle("web");
    with_volume.mounts = vec![Mount {
        container_path: "/image".to_owned(),
        readonly: true,
        image: Some(ImageSpec {
            image: VOLUME.to_owned(),
            ..ImageSpec::default()
        }),
        ..Mount::default()
    }];
    let policy = "[[rule]]\nprefix = \"test.example\"\ntype = \"accept-unsigned\"\n\
         [[rule]]\nprefix = \"test.example/volume\"\nkubernetes-namespaces = [\"dev\"]\n\
         type = \"accept-unsigned\"\n\
         [[rule]]\nprefix = \"test.example/volume\"\ntype = \"reject\"\n";
    ground.host.write_policy("tests.toml", policy);
    refused(
        create(&ground, &prod, &config, &with_volume),
        "test.example/volume",
    );
    create(&ground, &prod, &config, &idle("plain")).unwrap();
    let id = ground.create(&with_volume);
    ground
        .host
        .write_policy("tests.toml", &policy.replace("\"dev\"", "\"other\""));
    refused(ground.try_start(&id), "test.example/volume");
    ground.host.write_policy("tests.toml", policy);
    let mut again = with_volume;
    again.metadata.as_mut().unwrap().attempt = 1;
    ground.try_start(&ground.create(&again)).unwrap();
}

#[test]
fn the_status_says_where_no_image_could_run() {
    let host = cri_sandbox::host();
    let mut cri = Cri::start(&host);
    let told = |cri: &Cri| {
        let status = cri.call(cri.runtime().status(StatusRequest::default()));
        let conditions = status.unwrap().status.unwrap().conditions;
        let mut conditions = conditions.into_iter();
        let policy = conditions.find(|one| one.r#type == "ImagePolicyReady");
        let policy = policy.unwrap();
        assert!(policy.status || !policy.message.is_empty(), "{policy:?}");
        (policy.status, policy.reason)
    };
    assert_eq!(told(&cri), (true, String::new()));
    let reject = "[[rule]]\nprefix = \"*\"\ntype = \"reject\"\n";
    host.write_policy("tests.toml", reject);
    assert_eq!(told(&cri), (false, "NothingTrusted".to_owned()));
    host.write_policy("tests.toml", "nonsense");
    assert_eq!(told(&cri), (false, "PolicyUnreadable".to_owned()));
    std::fs::remove_dir_all(host.base().join("etc/trust.d")).unwrap();
    assert_eq!(told(&cri), (false, "NoPolicy".to_owned()));
    // Who comes later reads of it in the journal.
    cri.restart();
    let journal = cri.journal();
    assert!(journal.contains("ImagePolicyReady is not so"), "{journal}");
}
