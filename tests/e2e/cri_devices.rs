//! Devices of the host in containers, by their paths and as vendors describe them.

use std::fs;

use cri_shim::api::{CdiDevice, Device};
use harness::ImageBuilder;
use tonic::Code;

use crate::cri_containers::{Ground, idle, security};
use crate::cri_sandbox;

fn device(host: &str, place: &str, permissions: &str) -> Device {
    Device {
        host_path: host.to_owned(),
        container_path: place.to_owned(),
        permissions: permissions.to_owned(),
    }
}

/// `/dev/autofs` is a device that no app has, and that opening does nothing with.
const USES: &str = "(exec 3< /dev/mine) 2>/dev/null && echo read || echo no; \
                    (exec 3> /dev/mine) 2>/dev/null && echo written || echo no";

#[test]
fn a_container_does_with_a_device_what_it_may() {
    let ground = Ground::new();
    let of = |name: &str, permissions: &str| {
        ground.said(name, USES, |config| {
            config.devices = vec![device("/dev/autofs", "/dev/mine", permissions)];
        })
    };
    assert_eq!(of("both", "rwm"), "read\nwritten");
    assert_eq!(of("read", "r"), "read\nno");
    assert_eq!(of("write", "mw"), "no\nwritten");
    assert_eq!(of("usual", ""), "read\nwritten");
    // A command in the container is under the same rules.
    let mut config = idle("exec");
    config.devices = vec![device("/dev/autofs", "", "r")];
    let id = ground.run(&config);
    let reads =
        "(exec 3< /dev/autofs) && (exec 3> /dev/autofs) 2>/dev/null && echo both || echo one";
    assert_eq!(ground.sh(&id, reads), "one");
    // Nobody else has it.
    assert_eq!(
        ground.said(
            "none",
            "ls /dev/autofs /dev/mine 2>&1 | grep -c ^ls:",
            |_| ()
        ),
        "2"
    );
}

#[test]
fn a_user_other_than_root_has_a_device_as_its_node_says() {
    let ground = Ground::new();
    let null = ground.said(
        "null",
        "id -u; echo x > /dev/mine && echo written",
        |config| {
            security(config).run_as_user = Some(cri_shim::api::Int64Value { value: 1000 });
            config.devices = vec![device("/dev/null", "/dev/mine", "rw")];
        },
    );
    assert_eq!(null, "1000\nwritten");
}

#[test]
fn what_is_no_device_is_refused_when_the_container_is_made() {
    let ground = Ground::new();
    for (device, words) in [
        (device("", "/dev/x", "r"), "config.devices.host_path: "),
        (device("/dev/null", "/dev/x", "rx"), "config.devices: "),
        (device("/dev/nothing", "/dev/x", "r"), "/dev/nothing"),
        (device("/etc/passwd", "/dev/x", "r"), "is not a device"),
        (device("/dev/null", "/null", "r"), "below /dev"),
    ] {
        let mut config = idle("web");
        config.devices = vec![device];
        let refused = ground.try_create(&config).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains(words), "{refused}");
    }
    ground.create(&idle("web"));
}

#[test]
fn a_privileged_container_may_use_all_devices_of_the_host() {
    let ground = Ground::privileged();
    let text = "for name in autofs kmsg loop-control; do test -c /dev/$name && echo $name; done; \
                (exec 3< /dev/autofs) && echo opened; mknod /dev/made c 10 235 && (exec 3< /dev/made) && echo made";
    let privileged = ground.said("privileged", text, |config| {
        security(config).privileged = true;
    });
    let there: Vec<_> = ["autofs", "kmsg", "loop-control"]
        .into_iter()
        .filter(|name| fs::metadata(format!("/dev/{name}")).is_ok())
        .collect();
    assert!(there.contains(&"autofs"));
    assert_eq!(privileged, format!("{}\nopened\nmade", there.join("\n")));
}

/// What a vendor says of its cards.
const CARDS: &str = r#"{
    "cdiVersion": "0.7.0",
    "kind": "acme.com/card",
    "containerEdits": {"env": ["ACME=all"]},
    "devices": [
        {"name": "one", "containerEdits": {
            "env": ["CARD=1"],
            "additionalGids": [4321],
            "deviceNodes": [{"path": "/dev/mine", "hostPath": "/dev/autofs", "permissions": "r"}],
            "mounts": [{"hostPath": "/etc/hostname", "containerPath": "/acme", "options": ["ro"]}]
        }},
        {"name": "two", "containerEdits": {"env": ["SECOND=2"]}}
    ]
}"#;

fn with_cards() -> Ground {
    let host = cri_sandbox::host();
    fs::create_dir(host.base().join("cdi")).unwrap();
    let folder = host.write("cdi/acme.json", CARDS);
    let folder = folder.parent().unwrap();
    host.write(
        "etc/config.toml",
        format!("[cri]\nnetwork = \"none\"\n[cdi]\nspec-dirs = [{folder:?}]\n"),
    );
    Ground::on(host, "", ImageBuilder::busybox(), |_| ())
}

#[test]
fn vendors_describe_what_a_device_needs() {
    let ground = with_cards();
    let text = format!("echo \"$ACME $CARD $SECOND\"; cat /acme; {USES}");
    let name = fs::read_to_string("/etc/hostname").unwrap();
    let name = name.trim_end();
    let by_field = ground.said("field", &text, |config| {
        let named = |name: &str| CdiDevice {
            name: format!("acme.com/card={name}"),
        };
        config.cdi_devices = vec![named("one"), named("two")];
        // The same once more, in the words of device plugins of old.
        let annotation = ("cdi.k8s.io/acme".to_owned(), "acme.com/card=one".to_owned());
        config.annotations.extend([annotation]);
    });
    assert_eq!(by_field, format!("all 1 2\n{name}\nread\nno"));
    let by_annotation = ground.said("annotation", &text, |config| {
        let annotation = ("cdi.k8s.io/acme".to_owned(), "acme.com/card=one".to_owned());
        config.annotations.extend([annotation]);
    });
    assert_eq!(by_annotation, format!("all 1 \n{name}\nread\nno"));
    let mut config = idle("groups");
    config.cdi_devices = vec![CdiDevice {
        name: "acme.com/card=one".to_owned(),
    }];
    let id = ground.run(&config);
    let user = ground.status(&id).user.unwrap().linux.unwrap();
    assert_eq!(user.supplemental_groups, [0, 4321]);
    assert_eq!(ground.sh(&id, "id -G"), "0 4321");
    for (name, words) in [
        ("acme.com/card=none", "acme.com/card=none"),
        ("nonsense", "config.CDI_devices: "),
    ] {
        let mut config = idle("web");
        config.cdi_devices = vec![CdiDevice {
            name: name.to_owned(),
        }];
        let refused = ground.try_create(&config).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains(words), "{refused}");
    }
}
