//! What containers may do, by their security contexts.

use cri_shim::api::security_profile::ProfileType;
use cri_shim::api::{
    Capability, ContainerConfig, Int64Value, LinuxContainerUser, LinuxSandboxSecurityContext,
    SecurityProfile, SupplementalGroupsPolicy,
};
use harness::{ImageBuilder, Layer};
use tonic::Code;

use crate::cri_containers::{Ground, idle, script, security};

fn some(value: i64) -> Option<Int64Value> {
    Some(Int64Value { value })
}

fn profile(kind: ProfileType, name: &str) -> Option<SecurityProfile> {
    Some(SecurityProfile {
        profile_type: kind as i32,
        localhost_ref: name.to_owned(),
    })
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn users_and_groups_are_those_that_are_asked_for() {
    let ground = Ground::new();
    let id = "id -u; id -g; id -G";
    let of = |name: &str, change: fn(&mut ContainerConfig)| ground.said(name, id, change);
    assert_eq!(of("usual", |_| ()), "0\n0\n0");
    let number = of("number", |config| security(config).run_as_user = some(1000));
    assert_eq!(number, "1000\n1000\n1000 50");
    let stranger = of("stranger", |config| {
        security(config).run_as_user = some(4242)
    });
    assert_eq!(stranger, "4242\n0\n0");
    let named = of("named", |config| {
        security(config).run_as_username = "app".to_owned()
    });
    assert_eq!(named, "1000\n1000\n1000 50");
    let group = of("group", |config| {
        let security = security(config);
        (security.run_as_user, security.run_as_group) = (some(1000), some(7));
    });
    assert_eq!(group, "1000\n7\n7 50");
    let more = of("more", |config| {
        let security = security(config);
        (security.run_as_user, security.supplemental_groups) = (some(4242), vec![8, 9]);
    });
    assert_eq!(more, "4242\n0\n0 8 9");
}

#[test]
fn groups_are_merged_with_the_images_or_strictly_those_that_are_asked_for() {
    let ground = Ground::new();
    let user = |policy: SupplementalGroupsPolicy| {
        let mut config = idle(policy.as_str_name().to_ascii_lowercase().as_str());
        let security = security(&mut config);
        security.run_as_user = some(1000);
        security.supplemental_groups = vec![1234];
        security.supplemental_groups_policy = policy as i32;
        let id = ground.run(&config);
        let told = ground.status(&id).user.unwrap().linux.unwrap();
        // Also of a command that comes later.
        let words: Vec<_> = told
            .supplemental_groups
            .iter()
            .map(i64::to_string)
            .collect();
        assert_eq!(ground.sh(&id, "id -G"), words.join(" "));
        told
    };
    let expected = |groups: &[i64]| LinuxContainerUser {
        uid: 1000,
        gid: 1000,
        supplemental_groups: groups.to_vec(),
    };
    assert_eq!(
        user(SupplementalGroupsPolicy::Merge),
        expected(&[1000, 50, 1234])
    );
    assert_eq!(
        user(SupplementalGroupsPolicy::Strict),
        expected(&[1000, 1234])
    );
}

#[test]
fn who_is_not_to_be_is_refused_when_the_container_is_made() {
    let ground = Ground::new();
    let refused = |change: fn(&mut ContainerConfig)| {
        let mut config = idle("web");
        change(&mut config);
        let refused = ground.try_create(&config).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        refused.message().to_owned()
    };
    let alone = refused(|config| security(config).run_as_group = some(5));
    assert!(
        alone.starts_with("config.linux.security_context.run_as_group: "),
        "{alone}"
    );
    let ghost = refused(|config| security(config).run_as_username = "ghost".to_owned());
    assert!(
        ghost.contains("`ghost` is not in the image's /etc/passwd"),
        "{ghost}"
    );
    refused(|config| security(config).run_as_user = some(-5));
    refused(|config| security(config).supplemental_groups = vec![1 << 33]);
}

#[test]
fn the_root_filesystem_can_be_read_only() {
    let ground = Ground::new();
    let touch = "touch /file 2>/dev/null && echo written || echo refused";
    let of = |name: &str, read_only: bool| {
        ground.said(name, touch, |config| {
            security(config).readonly_rootfs = read_only
        })
    };
    assert!(of("writable", false).ends_with("written"));
    assert!(of("readonly", true).ends_with("refused"));
}

#[test]
fn capabilities_are_added_dropped_and_raised() {
    let ground = Ground::new();
    let sets = "grep -E '^Cap(Bnd|Eff|Amb)' /proc/self/status | cut -f2";
    let bits = |name: &str, user: i64, change: fn(&mut Capability)| -> [u64; 3] {
        let said = ground.said(name, sets, |config| {
            let mut capabilities = Capability::default();
            change(&mut capabilities);
            let security = security(config);
            security.capabilities = Some(capabilities);
            security.run_as_user = some(user);
        });
        let mut numbers = said
            .lines()
            .map(|hex| u64::from_str_radix(hex, 16).unwrap());
        [(); 3].map(|()| numbers.next().unwrap())
    };
    const ADMIN: u64 = 1 << 12;
    const CHOWN: u64 = 1;
    let [effective, bounding, _] = bits("usual", 0, |_| ());
    assert_eq!(effective, bounding);
    assert_eq!((effective & ADMIN, effective & CHOWN), (0, CHOWN));
    let [effective, ..] = bits("add", 0, |c| c.add_capabilities = words(&["NET_ADMIN"]));
    assert_eq!(effective & ADMIN, ADMIN);
    let [effective, ..] = bits("drop", 0, |c| c.drop_capabilities = words(&["CHOWN"]));
    assert_eq!(effective & CHOWN, 0);
    let [effective, bounding, _] = bits("none", 0, |c| c.drop_capabilities = words(&["ALL"]));
    assert_eq!((effective, bounding), (0, 0));
    let [all, ..] = bits("all", 0, |c| c.add_capabilities = words(&["ALL"]));
    let [but_one, ..] = bits("most", 0, |c| {
        (c.add_capabilities, c.drop_capabilities) = (words(&["ALL"]), words(&["CHOWN"]));
    });
    assert_eq!(all & !but_one, CHOWN);
    // A user other than root.
    let [effective, bounding, ambient] = bits("user", 1000, |c| {
        c.add_capabilities = words(&["NET_ADMIN"]);
    });
    assert_eq!((effective, bounding & ADMIN, ambient), (0, ADMIN, 0));
    let [effective, _, ambient] = bits("ambient", 1000, |c| {
        c.add_ambient_capabilities = words(&["NET_ADMIN"]);
    });
    assert_eq!((effective, ambient), (ADMIN, ADMIN));
    let mut unknown = idle("unknown");
    security(&mut unknown).capabilities = Some(Capability {
        add_capabilities: words(&["FLY"]),
        ..Capability::default()
    });
    let refused = ground.try_create(&unknown).unwrap_err();
    assert!(refused.message().contains("\"FLY\""), "{refused}");
}

#[test]
fn no_container_is_privileged_whose_sandbox_is_not() {
    let ground = Ground::new();
    let mut config = idle("web");
    security(&mut config).privileged = true;
    let refused = ground.try_create(&config).unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let field = "config.linux.security_context.privileged: ";
    assert!(refused.message().starts_with(field), "{refused}");
}

/// As `kubectl debug --profile=sysadmin` brings one: its kubelet asks for another sandbox than the one that there is.
#[test]
fn a_privileged_container_may_come_to_a_sandbox_that_had_none() {
    let mut ground = Ground::new();
    let linux = ground.config.linux.get_or_insert_default();
    linux.security_context.get_or_insert_default().privileged = true;
    let mount = "mkdir /tmp/m && mount -t tmpfs none /tmp/m && echo mounted";
    let said = ground.said("debugger", mount, |config| {
        security(config).privileged = true;
    });
    assert_eq!(said, "mounted");
}

#[test]
fn a_privileged_container_has_all_that_there_is() {
    let ground = Ground::privileged();
    let checks = "grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status | cut -f2; \
                  mkdir /m && mount -t tmpfs none /m && echo mounted; \
                  (echo x > /proc/sys/kernel/domainname) 2>/dev/null && echo writable; ls /dev/loop-control /dev/kmsg";
    let privileged = ground.said("privileged", checks, |config| {
        security(config).privileged = true;
        security(config).seccomp = profile(ProfileType::RuntimeDefault, "");
    });
    let lines: Vec<_> = privileged.lines().collect();
    assert_eq!(
        &lines[..4],
        ["0", "0", "mounted", "writable"],
        "{privileged}"
    );
    assert!(privileged.contains("/dev/kmsg"), "{privileged}");
    let not = ground.said("not", checks, |_| ());
    assert!(
        !not.contains("mounted") && !not.contains("\n/dev/kmsg"),
        "{not}"
    );
}

#[test]
fn cgroups_are_written_to_by_privileged_containers_alone() {
    let ground = Ground::privileged();
    // With version 1, a directory for each hierarchy.
    let make = "cd /sys/fs/cgroup; [ -e cgroup.procs ] || cd pids; \
                mkdir own 2>/dev/null && rmdir own && echo made || echo refused";
    assert_eq!(ground.said("usual", make, |_| ()), "refused");
    let privileged = |config: &mut ContainerConfig| security(config).privileged = true;
    assert_eq!(ground.said("privileged", make, privileged), "made");
}

#[test]
fn what_decides_on_system_calls_is_what_is_asked_for() {
    let ground = Ground::new();
    let mode = "grep '^Seccomp:' /proc/self/status | cut -f2";
    let of = |name: &str, seccomp: Option<SecurityProfile>| {
        ground.said(name, mode, |config| security(config).seccomp = seccomp)
    };
    assert_eq!(of("nil", None), "0");
    assert_eq!(of("unconfined", profile(ProfileType::Unconfined, "")), "0");
    assert_eq!(of("default", profile(ProfileType::RuntimeDefault, "")), "2");
    let file = ground.host.write(
        "profile.json",
        r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
            {"names":["sethostname"],"action":"SCMP_ACT_ERRNO"},
            {"names":["chmod","fchmodat","fchmodat2"],"action":"SCMP_ACT_ERRNO"}]}"#,
    );
    let path = file.to_str().unwrap();
    let chmod = "chmod 700 /tmp 2>/dev/null && echo allowed || echo refused";
    for (name, path) in [
        ("local", path.to_owned()),
        ("prefixed", format!("localhost/{path}")),
    ] {
        let told = ground.said(name, chmod, |config| {
            security(config).seccomp = profile(ProfileType::Localhost, &path);
        });
        assert_eq!(told, "refused");
    }
    #[expect(deprecated, reason = "kubelets of old say it so")]
    let old = ground.said("old", chmod, |config| {
        security(config).seccomp_profile_path = format!("localhost/{path}");
    });
    assert_eq!(old, "refused");
    let mut missing = idle("missing");
    security(&mut missing).seccomp = profile(ProfileType::Localhost, "/no/such/profile.json");
    let refused = ground.try_create(&missing).unwrap_err();
    assert!(
        refused.message().contains("/no/such/profile.json"),
        "{refused}"
    );
}

#[test]
fn no_profile_of_the_node_is_for_who_is_privileged() {
    let privileged = LinuxSandboxSecurityContext {
        privileged: true,
        ..LinuxSandboxSecurityContext::default()
    };
    let ground = Ground::of(ImageBuilder::busybox(), |config| {
        config.linux.get_or_insert_default().security_context = Some(privileged);
    });
    let file = ground.host.write(
        "profile.json",
        r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
            {"names":["chmod","fchmodat","fchmodat2"],"action":"SCMP_ACT_ERRNO"}]}"#,
    );
    let path = file.to_str().unwrap();
    let chmod = "chmod 700 /tmp && grep '^Seccomp:' /proc/self/status | cut -f2";
    let missing = profile(ProfileType::Localhost, "localhost/no-such-profile");
    for (name, seccomp) in [
        ("local", profile(ProfileType::Localhost, path)),
        ("default", profile(ProfileType::RuntimeDefault, "")),
    ] {
        let told = ground.said(name, chmod, |config| {
            let security = security(config);
            (security.privileged, security.seccomp) = (true, seccomp);
            security.apparmor.clone_from(&missing);
        });
        assert_eq!(told, "0");
    }
}

#[test]
fn a_profile_of_apparmor_that_is_not_there_is_named() {
    let ground = Ground::new();
    let mut config = idle("web");
    security(&mut config).apparmor = profile(ProfileType::Localhost, "localhost/no-such-profile");
    let refused = ground
        .try_create(&config)
        .and_then(|id| ground.try_start(&id));
    let refused = refused.unwrap_err();
    assert!(refused.message().contains("no-such-profile"), "{refused}");
    // All others are what the node has.
    for (name, kind) in [
        ("default", ProfileType::RuntimeDefault),
        ("unconfined", ProfileType::Unconfined),
    ] {
        let told = ground.said(name, "echo runs", |config| {
            security(config).apparmor = profile(kind, "");
        });
        assert_eq!(told, "runs");
    }
}

#[test]
fn programs_give_privileges_unless_that_is_forbidden() {
    let set_uid = std::fs::read(harness::probe_binary()).unwrap();
    let layer = Layer::new().file("bin/as-root", set_uid, 0o4755);
    let ground = Ground::of(ImageBuilder::busybox().layer(layer), |_| ());
    let of = |name: &str, no_new_privs: bool| {
        let mut config = script(name, "");
        config.command = words(&["/bin/as-root", "identity"]);
        let security = security(&mut config);
        (security.run_as_user, security.no_new_privs) = (some(1000), no_new_privs);
        ground.run_to_end(&config);
        ground.logged(name)
    };
    let uids = |real: u32, effective: u32| {
        format!("uid (real, effective, saved, file system) = {real} {effective}")
    };
    let (gained, kept) = (of("gained", false), of("kept", true));
    assert!(gained.contains(&uids(1000, 0)), "{gained}");
    assert!(kept.contains(&uids(1000, 1000)), "{kept}");
}

#[test]
fn paths_are_masked_and_guarded_that_are_named_and_no_others() {
    let ground = Ground::new();
    let checks = "cat /proc/timer_list 2>/dev/null | head -c 1 | wc -c; \
                  (echo x > /proc/sys/kernel/domainname) 2>/dev/null && echo writable || echo guarded";
    let named = ground.said("named", checks, |config| {
        let security = security(config);
        security.masked_paths = words(&["/proc/timer_list", "/no/such/file"]);
        security.readonly_paths = words(&["/proc/sys"]);
    });
    assert_eq!(named, "0\nguarded");
    let none = ground.said("none", checks, |_| ());
    assert_eq!(none, "1\nwritable");
}
