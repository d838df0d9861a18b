//! What is mounted in containers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use cri_shim::api::{ContainerConfig, ImageSpec, ImageStatusRequest, Mount, MountPropagation};
use harness::{ImageBuilder, Layer};
use tonic::Code;

use crate::cri_containers::{Ground, idle, script, security};
use crate::stocked::import;

const VOLUME: &str = "test.example/volume:1";

fn host(ground: &Ground, name: &str, place: &str) -> Mount {
    let path = ground.host.base().join(name);
    fs::create_dir_all(&path).unwrap();
    Mount {
        container_path: place.to_owned(),
        host_path: path.to_str().unwrap().to_owned(),
        ..Mount::default()
    }
}

fn with(mut config: ContainerConfig, mounts: &[Mount]) -> ContainerConfig {
    config.mounts = mounts.to_vec();
    config
}

#[test]
fn directories_and_files_of_the_host_are_mounted_to_be_written_or_read() {
    let ground = Ground::new();
    let writable = host(&ground, "writable", "/writable");
    let mut read_only = host(&ground, "readonly", "/readonly");
    read_only.readonly = true;
    fs::write(ground.host.base().join("file"), "content\n").unwrap();
    let file = Mount {
        container_path: "/etc/one-file".to_owned(),
        host_path: ground.host.base().join("file").to_str().unwrap().to_owned(),
        ..Mount::default()
    };
    let mounts = [writable, read_only, file];
    let text =
        "echo x > /writable/x; echo x 2>/dev/null > /readonly/x || echo refused; cat /etc/one-file";
    let id = ground.run(&with(script("web", text), &mounts));
    ground.wait_end(&id);
    assert!(
        ground.logged("web").ends_with("refused\ncontent")
            || ground.logged("web").contains("refused")
    );
    assert_eq!(
        fs::read(ground.host.base().join("writable/x")).unwrap(),
        b"x\n"
    );
    assert!(!ground.host.base().join("readonly/x").exists());
    assert_eq!(ground.status(&id).mounts, mounts);
}

#[test]
fn what_a_kubelet_mounts_over_files_of_the_pod_is_seen() {
    let ground = Ground::new();
    let file = |name: &str, place: &str, content: &str| {
        let path = ground.host.write(name, content);
        Mount {
            container_path: place.to_owned(),
            host_path: path.to_str().unwrap().to_owned(),
            ..Mount::default()
        }
    };
    let shm = Mount {
        container_path: "/dev/shm".to_owned(),
        ..host(&ground, "shm", "")
    };
    let mounts = [
        file("etc-hosts", "/etc/hosts", "10.0.0.1 kubelet\n"),
        file("resolv", "/etc/resolv.conf", "nameserver 10.0.0.2\n"),
        file("hostname", "/etc/hostname", "named\n"),
        file("termination", "/dev/termination-log", ""),
        shm,
    ];
    let text = "cat /etc/hosts /etc/resolv.conf /etc/hostname; \
                echo last words > /dev/termination-log; echo x > /dev/shm/x";
    let ended = ground.run_to_end(&with(script("web", text), &mounts));
    assert_eq!(ended.exit_code, 0, "{}", ground.logged("web"));
    assert_eq!(
        ground.logged("web"),
        "10.0.0.1 kubelet\nnameserver 10.0.0.2\nnamed"
    );
    let base = ground.host.base();
    assert_eq!(fs::read(base.join("termination")).unwrap(), b"last words\n");
    assert_eq!(fs::read(base.join("shm/x")).unwrap(), b"x\n");
}

#[test]
fn what_makes_no_sense_is_refused_when_the_container_is_made() {
    let ground = Ground::new();
    let good = host(&ground, "data", "/data");
    let refused = |change: fn(&mut Mount)| {
        let mut mount = good.clone();
        change(&mut mount);
        let refused = ground.try_create(&with(idle("web"), &[mount]));
        refused.unwrap_err()
    };
    let no_path = refused(|mount| mount.host_path = "/etc/passwd/x".to_owned());
    assert_eq!(no_path.code(), Code::InvalidArgument);
    assert!(
        no_path
            .message()
            .starts_with("config.mounts[/data].host_path: "),
        "{no_path}"
    );
    type Change = fn(&mut Mount);
    let cases: [(&str, Change); 5] = [
        ("recursive_read_only", |mount| {
            mount.recursive_read_only = true
        }),
        ("recursive_read_only", |mount| {
            (mount.readonly, mount.recursive_read_only) = (true, true);
            mount.propagation = MountPropagation::PropagationHostToContainer as i32;
        }),
        ("container_path", |mount| {
            mount.container_path = "data".to_owned()
        }),
        ("host_path", |mount| mount.host_path.clear()),
        ("propagation", |mount| mount.propagation = 9),
    ];
    for (field, change) in cases {
        let refused = refused(change);
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains(field), "{refused}");
    }
    let twice = ground.try_create(&with(idle("web"), &[good.clone(), good.clone()]));
    let twice = twice.unwrap_err();
    assert!(twice.message().contains("two mounts on /data"), "{twice}");
    ground.create(&with(idle("web"), &[good]));
}

/// A mount of memory that goes with the test.
struct Memory(PathBuf);

impl Memory {
    fn at(path: PathBuf) -> Self {
        fs::create_dir_all(&path).unwrap();
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "fairing-test"]).arg(&path);
        assert!(mounted.status().unwrap().success());
        Self(path)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn propagated(propagation: MountPropagation) -> (bool, bool) {
    let ground = Ground::privileged();
    let mut volume = host(&ground, "volume", "/volume");
    volume.propagation = propagation as i32;
    let outer = Memory::at(ground.host.base().join("volume"));
    let mut share = Command::new("mount");
    let shared = share.arg("--make-shared").arg(&outer.0).status();
    assert!(shared.unwrap().success());
    fs::create_dir(outer.0.join("of-host")).unwrap();
    fs::create_dir(outer.0.join("of-app")).unwrap();
    let text = "mount -t tmpfs none /volume/of-app && touch /volume/of-app/seen; \
                while ! test -e /volume/go; do usleep 5000; done; \
                test -e /volume/of-host/seen && echo seen || echo unseen";
    let mut config = with(script("web", text), &[volume]);
    crate::cri_containers::security(&mut config).privileged = true;
    let id = ground.run(&config);
    let of_host = Memory::at(outer.0.join("of-host"));
    fs::write(of_host.0.join("seen"), "").unwrap();
    fs::write(outer.0.join("go"), "").unwrap();
    ground.wait_end(&id);
    let seen_by_app = ground.logged("web").contains("\nseen") || ground.logged("web") == "seen";
    let seen_by_host = outer.0.join("of-app/seen").exists();
    drop(of_host);
    (seen_by_app, seen_by_host)
}

#[test]
fn mounts_stay_where_they_are_made() {
    assert_eq!(
        propagated(MountPropagation::PropagationPrivate),
        (false, false)
    );
}

#[test]
fn mounts_of_the_host_are_seen_by_a_container_that_follows() {
    assert_eq!(
        propagated(MountPropagation::PropagationHostToContainer),
        (true, false)
    );
}

#[test]
fn mounts_are_seen_by_both_where_they_go_both_ways() {
    assert_eq!(
        propagated(MountPropagation::PropagationBidirectional),
        (true, true)
    );
}

#[test]
fn what_is_mounted_below_is_read_only_too_where_that_is_asked_for() {
    let ground = Ground::new();
    let mut volume = host(&ground, "volume", "/volume");
    let _inner = Memory::at(ground.host.base().join("volume/inner"));
    volume.readonly = true;
    let text = "echo x > /volume/x || echo no; echo x > /volume/inner/x && echo yes || echo no";
    let of = |name: &str, mount: &Mount| {
        ground.run_to_end(&with(script(name, text), std::slice::from_ref(mount)));
        let logged = ground.logged(name);
        let answers = logged.lines().filter(|line| matches!(*line, "yes" | "no"));
        answers.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(of("top", &volume), ["no", "yes"]);
    volume.recursive_read_only = true;
    assert_eq!(of("all", &volume), ["no", "no"]);
}

#[test]
fn what_is_not_there_is_made_and_links_are_followed() {
    let ground = Ground::new();
    let base = ground.host.base();
    let at = |name: &str, place: &str| Mount {
        container_path: place.to_owned(),
        host_path: base.join(name).to_str().unwrap().to_owned(),
        ..Mount::default()
    };
    fs::create_dir(base.join("real")).unwrap();
    std::os::unix::fs::symlink("real", base.join("link")).unwrap();
    let mounts = [at("new/below", "/new"), at("link", "/link")];
    let text = "echo x > /new/x; echo x > /link/x; mount | grep -c ' /link '";
    ground.run_to_end(&with(script("web", text), &mounts));
    assert_eq!(ground.logged("web"), "1");
    assert_eq!(fs::read(base.join("new/below/x")).unwrap(), b"x\n");
    assert_eq!(fs::read(base.join("real/x")).unwrap(), b"x\n");
    // Who is refused for something else has made nothing.
    let mut twice = with(idle("twice"), &[at("other", "/other")]);
    crate::cri_containers::security(&mut twice).run_as_username = "ghost".to_owned();
    ground.try_create(&twice).unwrap_err();
    assert!(!base.join("other").exists());
    std::os::unix::fs::symlink("nothing", base.join("dangling")).unwrap();
    let dangling = ground.try_create(&with(idle("dangling"), &[at("dangling", "/x")]));
    assert_eq!(dangling.unwrap_err().code(), Code::InvalidArgument);
}

#[test]
fn mounts_that_could_go_nowhere_are_refused_when_the_container_is_made() {
    let ground = Ground::new();
    let outer = Memory::at(ground.host.base().join("volume"));
    let make = |how: &str| {
        let mut change = Command::new("mount");
        let changed = change.arg(how).arg(&outer.0).status();
        assert!(changed.unwrap().success());
    };
    let create = |name: &str, propagation: MountPropagation| {
        let mut volume = host(&ground, "volume", "/volume");
        volume.propagation = propagation as i32;
        ground.try_create(&with(idle(name), &[volume]))
    };
    make("--make-private");
    for propagation in [
        MountPropagation::PropagationBidirectional,
        MountPropagation::PropagationHostToContainer,
    ] {
        let refused = create("web", propagation).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        let message = refused.message();
        assert!(
            message.starts_with("config.mounts[/volume].propagation: "),
            "{message}"
        );
        assert!(message.contains("shared"), "{message}");
    }
    create("private", MountPropagation::PropagationPrivate).unwrap();
    make("--make-shared");
    create("both", MountPropagation::PropagationBidirectional).unwrap();
    make("--make-slave");
    make("--make-private");
}

#[test]
fn options_of_mounts_are_what_the_kernel_keeps_to() {
    let ground = Ground::new();
    let program = ground.host.write("tools/run", "#!/bin/sh\necho runs\n");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut executed = host(&ground, "tools", "/executed");
    let mut not = host(&ground, "tools", "/not");
    executed.mount_options = vec!["suid".to_owned(), "dev".to_owned()];
    not.mount_options = ["noexec", "noatime", "nosymfollow"]
        .map(str::to_owned)
        .into();
    // Nothing has labels here: nobody has to give any.
    not.selinux_relabel = true;
    let text = "/executed/run; /not/run 2>/dev/null || echo refused; \
                for place in /executed /not; do grep \" $place \" /proc/mounts | cut -d ' ' -f 4; done";
    let id = ground.run(&with(script("web", text), &[executed, not]));
    ground.wait_end(&id);
    let logged = ground.logged("web");
    let lines: Vec<_> = logged.lines().collect();
    assert_eq!(&lines[..2], ["runs", "refused"], "{logged}");
    let has = |line: &str, option: &str| line.split(',').any(|word| word == option);
    for option in ["nosuid", "nodev", "noexec"] {
        assert!(!has(lines[2], option), "{logged}");
        assert!(has(lines[3], option), "{logged}");
    }
    assert!(
        has(lines[3], "noatime") && has(lines[3], "nosymfollow"),
        "{logged}"
    );
    let mut unknown = host(&ground, "tools", "/x");
    unknown.mount_options = vec!["loop".to_owned()];
    let refused = ground.try_create(&with(idle("x"), &[unknown])).unwrap_err();
    assert!(
        refused
            .message()
            .starts_with("config.mounts[/x].mount_options: "),
        "{refused}"
    );
}

/// A host that has an image to be mounted, with a program in it.
fn with_volume() -> Ground {
    let ground = Ground::new();
    let layer = Layer::new().file("data/hello", "hello\n", 0o644).file(
        "bin/run",
        "#!/bin/sh\necho runs\n",
        0o755,
    );
    import(
        &ground.host,
        &ImageBuilder::new().layer(layer).build(),
        VOLUME,
    );
    ground
}

fn of_image(place: &str, sub_path: &str) -> Mount {
    Mount {
        container_path: place.to_owned(),
        readonly: true,
        image: Some(ImageSpec {
            image: VOLUME.to_owned(),
            ..ImageSpec::default()
        }),
        image_sub_path: sub_path.to_owned(),
        ..Mount::default()
    }
}

#[test]
fn images_are_mounted_to_be_read_and_executed() {
    let ground = with_volume();
    let mounts = [of_image("/image", ""), of_image("/part", "data")];
    let text = "cat /image/data/hello /part/hello; /image/bin/run; echo x 2>/dev/null > /image/x || echo refused";
    let id = ground.run(&with(script("web", text), &mounts));
    ground.wait_end(&id);
    let logged = ground.logged("web");
    for line in ["hello\nhello", "runs", "refused"] {
        assert!(logged.contains(line), "{logged}");
    }
    let told = ground.status(&id).mounts;
    let image = told[0].image.as_ref().unwrap();
    assert_eq!(image.image, VOLUME);
    // What a pull of it gives.
    let request = ImageStatusRequest {
        image: Some(image.clone()),
        verbose: false,
    };
    let cri = &ground.cri;
    let stored = cri.call(cri.images().image_status(request)).unwrap();
    assert_eq!(image.image_ref, stored.image.unwrap().id);
    assert_eq!(told[1].image_sub_path, "data");
}

#[test]
fn an_image_that_can_not_be_mounted_as_asked_for_is_refused_when_the_container_is_made() {
    let ground = with_volume();
    let refused = |mount: Mount| {
        let refused = ground.try_create(&with(idle("web"), &[mount])).unwrap_err();
        refused.message().to_owned()
    };
    let mut writable = of_image("/image", "");
    writable.readonly = false;
    assert!(refused(writable).contains("readonly"));
    let missing = refused(of_image("/image", "no/such"));
    assert!(
        missing.contains("image_sub_path") && missing.contains("no/such"),
        "{missing}"
    );
    let mut unknown = of_image("/image", "");
    unknown.image.as_mut().unwrap().image = "test.example/none:1".to_owned();
    assert!(refused(unknown).contains("test.example/none:1"));
    assert!(refused(of_image("/image", "../data")).contains("image_sub_path"));
}

#[test]
fn what_the_kernel_shows_of_itself_stays_in_its_place() {
    let ground = Ground::privileged();
    for place in [
        "/",
        "/a/..",
        "/proc",
        "/proc/.",
        "/sys",
        "//a/../sys",
        "data",
    ] {
        let config = with(idle("web"), &[host(&ground, "dir", place)]);
        let refused = ground.try_create(&config).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        let field = "config.mounts.container_path: ";
        assert!(refused.message().starts_with(field), "{place}: {refused}");
    }
    // As drivers of storage do it.
    let sys = Mount {
        container_path: "/sys".to_owned(),
        host_path: "/sys".to_owned(),
        ..Mount::default()
    };
    let mut config = with(script("sys", "ls -d /sys/kernel /sys/fs/cgroup/*"), &[sys]);
    security(&mut config).privileged = true;
    let ended = ground.run_to_end(&config);
    assert_eq!(ended.exit_code, 0, "{}", ground.logged("sys"));
}
