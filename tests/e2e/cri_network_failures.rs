//! Plugins that fail over the CRI.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use cri_shim::api::{ListPodSandboxRequest, PodSandbox, PodSandboxState};
use harness::{Cri, Host};

use crate::cri_sandbox::{config, remove, run, stop};

/// A host whose network is of a plugin that joins nobody, and takes nobody out while there is a file `stuck`.
fn host() -> Host {
    with_plugin(
        "case $CNI_COMMAND in\n\
         ADD) fail 'no lease' ;;\n\
         DEL) [ ! -e stuck ] || fail 'the server is away' ;;\n\
         esac\n",
    )
}

/// A host whose network is of a plugin that does so.
fn with_plugin(does: &str) -> Host {
    let host = Host::new();
    host.accept_unsigned();
    let script = format!(
        "#!/bin/sh\ncd {}\necho $CNI_COMMAND $CNI_CONTAINERID >> calls\n\
         fail() {{ echo '{{\"cniVersion\": \"1.0.0\", \"code\": 11, \"msg\": \"'\"$1\"'\"}}'; exit 1; }}\n\
         {does}",
        host.base().display()
    );
    let plugin = host.write("bin/failing", script);
    fs::set_permissions(&plugin, fs::Permissions::from_mode(0o755)).unwrap();
    host.write(
        "cni/failing.conflist",
        r#"{"cniVersion": "1.0.0", "name": "failing", "plugins": [{"type": "failing"}]}"#,
    );
    host
}

fn list(cri: &Cri) -> Vec<PodSandbox> {
    let listed = cri.call(
        cri.runtime()
            .list_pod_sandbox(ListPodSandboxRequest { filter: None }),
    );
    listed.unwrap().items
}

/// How often a plugin was told to take a pod out.
fn removals(host: &Host) -> usize {
    let calls = fs::read_to_string(host.base().join("calls")).unwrap_or_default();
    calls
        .lines()
        .filter(|call| call.starts_with("DEL "))
        .count()
}

#[test]
fn a_sandbox_that_joins_no_network_leaves_nothing() {
    let host = host();
    let cri = Cri::start_with(&host, "CNI_PATH", host.base().join("bin"));
    let error = run(&cri, &config("web")).unwrap_err();
    assert!(error.message().contains("no lease"), "{error}");
    assert_eq!(list(&cri), []);
    assert_eq!(removals(&host), 1);
    assert!(host.pod_folders().is_empty());
}

#[test]
fn one_that_can_not_be_taken_out_again_stays_until_it_can() {
    let host = host();
    host.write("stuck", "");
    let cri = Cri::start_with(&host, "CNI_PATH", host.base().join("bin"));
    let error = run(&cri, &config("web")).unwrap_err();
    for part in ["no lease", "could not be undone", "the server is away"] {
        assert!(error.message().contains(part), "{error}");
    }
    // Its kubelet sees it, and ends it as often as it takes.
    let listed = list(&cri);
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].metadata, config("web").metadata);
    assert_eq!(listed[0].state(), PodSandboxState::SandboxNotready);
    let id = &listed[0].id;
    let error = stop(&cri, id).unwrap_err();
    assert!(error.message().contains("the server is away"), "{error}");
    remove(&cri, id).unwrap_err();
    assert_eq!(list(&cri).len(), 1);
    // The same request makes no second one, and loses this one not.
    run(&cri, &config("web")).unwrap_err();
    assert_eq!(list(&cri), listed);
    fs::remove_file(host.base().join("stuck")).unwrap();
    let before = removals(&host);
    stop(&cri, id).unwrap();
    assert_eq!(removals(&host), before + 1);
    remove(&cri, id).unwrap();
    assert_eq!(list(&cri), []);
    assert!(host.pod_folders().is_empty());
}

#[test]
fn a_network_that_was_broken_is_left_by_how_it_has_been_repaired() {
    let host = with_plugin(
        "! grep -q broken || fail 'the subnet makes no sense'\n\
         [ $CNI_COMMAND != ADD ] || echo '{\"cniVersion\": \"1.0.0\"}'\n",
    );
    let configure = |more: &str| {
        let plugin = format!(r#"{{"type": "failing"{more}}}"#);
        let list =
            format!(r#"{{"cniVersion": "1.0.0", "name": "failing", "plugins": [{plugin}]}}"#);
        host.write("cni/failing.conflist", list);
    };
    configure(r#", "subnet": "broken""#);
    let cri = Cri::start_with(&host, "CNI_PATH", host.base().join("bin"));
    for name in ["stopped", "removed"] {
        let error = run(&cri, &config(name)).unwrap_err();
        assert!(error.message().contains("makes no sense"), "{error}");
    }
    let listed = list(&cri);
    let [first, second] = listed.as_slice() else {
        panic!("{listed:?}");
    };
    stop(&cri, &first.id).unwrap_err();
    configure("");
    stop(&cri, &first.id).unwrap();
    for sandbox in [first, second] {
        remove(&cri, &sandbox.id).unwrap();
    }
    assert!(host.pod_folders().is_empty());
    let id = run(&cri, &config("stopped")).unwrap();
    remove(&cri, &id).unwrap();
}
