//! Where the cgroups of sandboxes are, and what the runtime says of its configuration.

use std::path::{Path, PathBuf};

use cri_shim::api::{
    CgroupDriver, NetworkConfig, RuntimeConfig, RuntimeConfigRequest, StatusRequest,
    UpdateRuntimeConfigRequest,
};
use harness::{Cri, Host, ImageBuilder};

use crate::cgroup_parent::{Parent, places};
use crate::cri_containers::{Ground, idle};
use crate::cri_sandbox::{host, remove};
use crate::stocked::status;

#[test]
fn a_sandbox_lies_where_its_kubelet_says() {
    let host = host();
    let config = "[cri]\nnetwork = \"none\"\ncgroup-driver = \"cgroupfs\"\n";
    host.write("etc/config.toml", config);
    let parent = Parent::of(&host);
    let path = format!("/{}/inner", parent.0);
    let ground = Ground::on(host, "", ImageBuilder::busybox(), |sandbox| {
        sandbox
            .linux
            .get_or_insert_default()
            .cgroup_parent
            .clone_from(&path);
    });
    ground.run(&idle("web"));
    let uuids = ground.host.pod_uuids();
    let seen = status(&ground.host, uuids.first().unwrap());
    let below = format!("{path}/fairing-{}", uuids.first().unwrap());
    for who in [
        &seen["monitor-pid"],
        &seen["init-pid"],
        &seen["apps"][0]["pid"],
    ] {
        let places = places(who);
        assert!(!places.is_empty());
        for place in places {
            assert!(place.contains(&below), "{who}: {place}");
        }
    }
    remove(&ground.cri, &ground.sandbox).unwrap();
    assert_eq!(ground.host.cgroups(), Vec::<PathBuf>::new());
    for folder in parent.folders() {
        assert!(folder.join("inner").exists(), "the kubelet's own stays");
    }
}

fn driver(cri: &Cri) -> CgroupDriver {
    let told = cri.call(cri.runtime().runtime_config(RuntimeConfigRequest {}));
    told.unwrap().linux.unwrap().cgroup_driver()
}

fn with(host: &Host, driver: &str) -> Cri {
    let config = format!("[cri]\nnetwork = \"none\"\ncgroup-driver = {driver:?}\n");
    host.write("etc/config.toml", config);
    Cri::start(host)
}

#[test]
fn kubelets_are_told_who_makes_cgroups() {
    let host = host();
    assert_eq!(driver(&with(&host, "cgroupfs")), CgroupDriver::Cgroupfs);
    let is_booted = Path::new("/run/systemd/system").is_dir();
    let suits = match is_booted {
        true => CgroupDriver::Systemd,
        false => CgroupDriver::Cgroupfs,
    };
    assert_eq!(driver(&with(&host, "auto")), suits);
    let cri = with(&host, "systemd");
    assert_eq!(driver(&cri), CgroupDriver::Systemd);
    let told = cri.call(cri.runtime().status(StatusRequest::default()));
    let conditions = told.unwrap().status.unwrap().conditions;
    let runtime = conditions.iter().find(|one| one.r#type == "RuntimeReady");
    let runtime = runtime.unwrap();
    assert_eq!(runtime.status, is_booted);
    if !is_booted {
        assert_eq!(runtime.reason, "SystemdNotRunning");
        assert!(runtime.message.contains("cgroup-driver"), "{runtime:?}");
    }
}

#[test]
fn the_addresses_that_a_kubelet_has_for_pods_are_heard_and_change_nothing() {
    let host = host();
    let cri = Cri::start(&host);
    for pod_cidr in ["", "10.244.1.0/24", "10.244.1.0/24,fd00:1::/64"] {
        let request = UpdateRuntimeConfigRequest {
            runtime_config: Some(RuntimeConfig {
                network_config: Some(NetworkConfig {
                    pod_cidr: pod_cidr.to_owned(),
                }),
            }),
        };
        cri.call(cri.runtime().update_runtime_config(request))
            .unwrap();
    }
    let nothing = UpdateRuntimeConfigRequest::default();
    cri.call(cri.runtime().update_runtime_config(nothing))
        .unwrap();
    assert!(!host.base().join("cni").exists());
}
