use super::*;
use crate::finding::Severity;
use crate::keys::SECTIONS;
use crate::source::DropIn;
use crate::unit_file::words;

mod cases;
mod mistakes;

fn settings() -> Settings {
    Settings {
        program: "/usr/bin/fairing".into(),
        data: "/var/lib/fairing".into(),
    }
}

fn source(name: &str, text: &str) -> Source {
    Source {
        name: name.parse().unwrap(),
        path: format!("/etc/fairing/pods.d/{name}").into(),
        text: text.into(),
        drop_ins: Vec::new(),
    }
}

fn all(files: &[(&str, &str)]) -> Generated {
    let mut sources: Vec<_> = files
        .iter()
        .map(|(name, text)| source(name, text))
        .collect();
    sources.sort_by(|one, other| one.name.cmp(&other.name));
    generate(&sources, &settings())
}

fn told(generated: &Generated) -> String {
    let all: Vec<_> = generated.findings.iter().map(ToString::to_string).collect();
    all.join("\n")
}

/// The unit of this name, of files with which nothing is wrong.
fn unit(files: &[(&str, &str)], name: &str) -> Unit {
    let generated = all(files);
    assert_eq!(told(&generated), "");
    let found = generated.units.into_iter().find(|unit| unit.name == name);
    found.unwrap_or_else(|| panic!("there is no {name}"))
}

fn value<'a>(unit: &'a Unit, key: &str) -> Vec<&'a str> {
    let lines = unit
        .text
        .lines()
        .take_while(|line| !line.starts_with("[X-"));
    let with_key = lines.filter_map(|line| line.split_once('='));
    with_key
        .filter(|(known, _)| *known == key)
        .map(|(_, value)| value)
        .collect()
}

fn start(unit: &Unit) -> String {
    let lines = value(unit, "ExecStart");
    assert_eq!(lines.len(), 1, "{}", unit.text);
    lines[0]
        .strip_prefix("/usr/bin/fairing ")
        .unwrap()
        .to_owned()
}

const PLAIN: &str = "[Container]\nImage=a.io/b:1\n";

#[test]
fn a_container_is_a_service() {
    let unit = unit(&[("web.container", PLAIN)], "web.service");
    assert_eq!(
        unit.text,
        "# Made by fairing-generator of /etc/fairing/pods.d/web.container\n\
         \n[Unit]\n\
         SourcePath=/etc/fairing/pods.d/web.container\n\
         Wants=network-online.target\n\
         After=network-online.target\n\
         RequiresMountsFor=/var/lib/fairing\n\
         \n[Service]\n\
         Type=notify\n\
         KillMode=mixed\n\
         Delegate=yes\n\
         SyslogIdentifier=%N\n\
         ExecStopPost=-/usr/bin/fairing rm --force --ignore systemd-web\n\
         ExecStart=/usr/bin/fairing run --name=systemd-web --replace --rm --label=io.fairing.unit=%n a.io/b:1\n\
         \n[X-Container]\n\
         Image=a.io/b:1\n"
    );
    assert_eq!(
        unit.argv[5].text.as_deref(),
        Some("--label=io.fairing.unit=web.service")
    );
    assert!(unit.links.is_empty());
}

#[test]
fn what_is_said_for_systemd_stays_and_counts_more() {
    let text = "[Unit]\nDescription=Web %i\nAfter=db.container x.service\n[Container]\nImage=a\n\
                [Service]\nDelegate=cpu\nRestart=always\nTimeoutStopSec=5\nStandardOutput=null\n[X-Own]\na=b\n\
                [Install]\nWantedBy=multi-user.target default.target\nAlias=www.service\n[Quadlet]\nDefaultDependencies=no";
    let unit = unit(
        &[("web.container", text), ("db.container", PLAIN)],
        "web.service",
    );
    assert_eq!(value(&unit, "After"), ["db.service x.service"]);
    assert!(value(&unit, "Wants").is_empty());
    assert_eq!(value(&unit, "Delegate"), ["cpu"]);
    assert_eq!(value(&unit, "Restart"), ["always"]);
    assert!(unit.text.contains("\n[X-Own]\na=b\n") && unit.text.contains("\n[Install]\nWantedBy="));
    let links: Vec<_> = unit
        .links
        .iter()
        .map(|link| format!("{} {}", link.path, link.target))
        .collect();
    assert_eq!(
        links,
        [
            "default.target.wants/web.service ../web.service",
            "multi-user.target.wants/web.service ../web.service",
            "www.service web.service"
        ]
    );
}

#[test]
fn drop_ins_add_and_take_back() {
    let mut web = source(
        "web.container",
        "[Container]\nImage=a\nPublishPort=80\nUser=1\n[Install]\nWantedBy=a.target\n",
    );
    let drop_in = |text: &str| DropIn {
        path: "/etc/fairing/pods.d/web.container.d/x.conf".into(),
        text: text.into(),
    };
    web.drop_ins.push(drop_in(
        "[Container]\nPublishPort=\nPublishPort=81\nImage=b\nUser=\n[Install]\nWantedBy=\n",
    ));
    let generated = generate(std::slice::from_ref(&web), &settings());
    assert_eq!(told(&generated), "");
    assert!(start(&generated.units[0]).ends_with("--port=81 b"));
    assert!(generated.units[0].links.is_empty());
    web.drop_ins.push(drop_in("\nImage=c"));
    let generated = generate(&[web], &settings());
    assert_eq!(
        told(&generated),
        "/etc/fairing/pods.d/web.container.d/x.conf:2: it stands before the first [Section]"
    );
    assert_eq!(
        generated.findings[0].source.to_str(),
        Some("/etc/fairing/pods.d/web.container")
    );
}

#[test]
fn a_template_has_instances_and_links_to_one() {
    let text = "[Container]\nImage=a:%i\nVolume=data@%i.volume:/d\n[Install]\nWantedBy=m.target\nDefaultInstance=one\n";
    let files = [
        ("w@.container", text),
        ("w@two.container", text),
        ("data@.volume", "[Volume]"),
    ];
    let template = unit(&files, "w@.service");
    assert!(start(&template).contains("--name=systemd-w-%i"));
    assert!(
        start(&template).ends_with("a:%i --volume=systemd-data-%i:/d"),
        "{}",
        start(&template)
    );
    assert_eq!(value(&template, "Requires"), ["data-volume@%i.service"]);
    assert_eq!(template.links[0].path, "m.target.wants/w@one.service");
    assert_eq!(template.links[0].target, "../w@.service");
    let two = unit(&files, "w@two.service");
    assert!(start(&two).contains("--name=systemd-w-two"));
    assert_eq!(two.links[0].path, "m.target.wants/w@two.service");
    let volume = unit(&files, "data-volume@.service");
    assert_eq!(start(&volume), "volume create --ignore systemd-data-%i");
}

#[test]
fn files_name_each_other() {
    let web = "[Container]\nImage=base.image\nVolume=d.volume:/d:ro\nVolume=/srv/x y:/x\nVolume=./c:/c\nNetwork=n.network\n\
               Mount=type=volume,source=d.volume,target=/e\nMount=type=image,source=base.image,target=/i\n\
               Mount=type=bind,src=/opt,dst=/opt\n";
    let files = [
        ("web.container", web),
        ("d.volume", "[Volume]\nVolumeName=data\n"),
        ("n.network", "[Network]\nServiceName=lan"),
        ("base.image", "[Image]\nImage=a.io/base:1"),
    ];
    let web = unit(&files, "web.service");
    assert_eq!(
        start(&web).split_once("%n ").unwrap().1,
        "--net=systemd-n a.io/base:1 --volume=data:/d:ro \"--volume=/srv/x y:/x\" --volume=/etc/fairing/pods.d/c:/c \
         --mount=type=volume,source=data,target=/e --mount=type=image,source=a.io/base:1,target=/i \
         --mount=type=bind,src=/opt,dst=/opt"
    );
    let units = ["base-image.service", "d-volume.service", "lan.service"];
    assert_eq!(value(&web, "Requires"), units);
    assert_eq!(value(&web, "After").get(1..).unwrap(), units);
    assert_eq!(
        value(&web, "RequiresMountsFor"),
        [
            "/etc/fairing/pods.d/c",
            "/opt",
            "\"/srv/x y\"",
            "/var/lib/fairing"
        ]
    );
    for (name, of) in [
        ("d-volume.service", "volume create --ignore data"),
        ("lan.service", "network create --ignore systemd-n"),
        ("base-image.service", "fetch a.io/base:1"),
    ] {
        let unit = unit(&files, name);
        assert_eq!(start(&unit), of);
        assert_eq!(value(&unit, "Type"), ["oneshot"]);
        assert_eq!(value(&unit, "RemainAfterExit"), ["yes"]);
        assert_eq!(
            value(&unit, "Wants").len(),
            usize::from(name == "base-image.service")
        );
    }
}

#[test]
fn a_pod_is_one_service_of_all_its_containers() {
    let files = [
        (
            "shop.pod",
            "[Pod]\nPublishPort=80\nVolume=/srv:/srv\nStopTimeout=120\n",
        ),
        (
            "app.container",
            "[Unit]\nAfter=db.container proxy.container log.service\nRequires=db.service\n[Container]\nImage=a\nPod=shop.pod\n\
             Exec=run -x \"a b\"\nNotify=healthy\nLabel=tier=front\nReloadSignal=HUP\n[Service]\nRestart=always\n\
             TimeoutStartSec=900\n[Install]\nWantedBy=multi-user.target",
        ),
        (
            "db.container",
            "[Container]\nImage=d\nPod=shop.pod\nPodmanArgs=--sidecar\nPull=never\n",
        ),
        (
            "proxy.container",
            "[Container]\nImage=p\nPod=shop.pod\nContainerName=front\nPodmanArgs=--init\n",
        ),
        (
            "late.container",
            "[Unit]\nAfter=app.container\nWants=shop.pod\n[Container]\nImage=l",
        ),
    ];
    let generated = all(&files);
    assert_eq!(
        told(&generated),
        "/etc/fairing/pods.d/app.container:13: warning: TimeoutStartSec=: it has no effect: the pod's unit decides"
    );
    let unit = |name: &str| {
        generated
            .units
            .iter()
            .find(|unit| unit.name == name)
            .unwrap()
    };
    let shop = unit("shop-pod.service");
    assert_eq!(
        start(shop),
        "run --name=systemd-shop --replace --label=io.fairing.unit=%n --label=tier=front --pull=never --ready-when=healthy \
         --port=80 --grace-period=120 --sidecar d --app-name=db --volume=/srv:/srv --- --init p --app-name=front \
         --volume=/srv:/srv --- a --app-name=app --restart=always --volume=/srv:/srv -- run -x \"a b\""
    );
    assert_eq!(
        value(shop, "After"),
        ["network-online.target", "log.service"]
    );
    assert_eq!(value(shop, "TimeoutStopSec"), ["130"]);
    assert_eq!(value(shop, "Restart"), ["on-failure"]);
    assert_eq!(
        value(shop, "ExecReload"),
        ["/usr/bin/fairing kill --signal=HUP --app=app systemd-shop"]
    );
    let links: Vec<_> = shop.links.iter().map(|link| link.path.as_str()).collect();
    assert_eq!(
        links,
        [
            "multi-user.target.wants/shop-pod.service",
            "db.service",
            "proxy.service",
            "app.service"
        ]
    );
    assert_eq!(shop.members.len(), 3);
    let late = unit("late.service");
    assert_eq!(
        value(late, "After"),
        ["shop-pod.service", "network-online.target"]
    );
    assert_eq!(generated.units.len(), 2);
}

#[test]
fn a_container_can_have_the_pod_of_another_spoiled_and_says_so() {
    for (app, part) in [
        ("Pod=none.pod", "Pod=: there is no file none.pod"),
        ("Pod=b.container", "a .pod is named"),
        ("Pod=a.pod\nPublishPort=80", "PublishPort=: it is the pod's"),
        (
            "Pod=a.pod\nSysctl=a=b",
            "Sysctl=: it is the pod's: a.pod has it for all apps, or `PodmanArgs=--sysctl=…`",
        ),
        (
            "Pod=a.pod\nStartWithPod=false",
            "StartWithPod=: the apps of a pod start together",
        ),
        ("Pod=a.pod\nNetwork=host", "it is the pod's"),
        (
            "Pod=a.pod\nContainerName=A_b",
            "ContainerName=: `A_b` is not a valid name",
        ),
        ("Pod=a.pod\nPull=always", "agree on Pull="),
        (
            "Pod=a.pod\nRetry=4",
            "Retry=: the containers of a pod agree on Retry=",
        ),
        (
            "Pod=a.pod\n[Service]\nExecStartPre=/x",
            "an app has no unit of its own",
        ),
        (
            "Pod=a.pod\n[Unit]\nConditionPathExists=/x",
            "an app has no unit of its own",
        ),
        (
            "Pod=a.pod\n[Unit]\nAfter=c.container",
            "start together, unless c.container has PodmanArgs=--sidecar",
        ),
        (
            "Pod=a.pod\n[Unit]\nAfter=b.container",
            "wait for each other in a circle",
        ),
        (
            "Pod=a.pod\nPodmanArgs=--sidecar\n[Unit]\nAfter=b.service",
            "wait for each other in a circle",
        ),
    ] {
        let b = format!("[Container]\nImage=b\n{app}");
        let c = "[Container]\nImage=c\nPod=a.pod\nPull=never\nRetry=5";
        let generated = all(&[
            ("a.pod", "[Pod]"),
            ("b.container", &b),
            ("c.container", c),
            ("d.container", PLAIN),
        ]);
        assert!(
            told(&generated).contains(part),
            "{app}: {}",
            told(&generated)
        );
        assert!(generated.units.iter().any(|unit| unit.name == "d.service"));
        assert!(!generated.units.iter().any(|unit| unit.name == "b.service"));
    }
    let generated = all(&[("a.pod", "[Pod]")]);
    assert_eq!(
        told(&generated),
        "/etc/fairing/pods.d/a.pod: no container has Pod=a.pod"
    );
    let generated = all(&[
        ("t@.container", "[Container]\nImage=a\nPod=a.pod"),
        ("a.pod", "[Pod]"),
    ]);
    assert!(told(&generated).contains("a template can't be a part of a pod"));
}

#[test]
fn what_all_containers_say_for_systemd_is_not_for_apps_of_pods() {
    let mut app = source("app.container", "[Container]\nImage=a\nPod=shop.pod");
    app.drop_ins.push(DropIn {
        path: "/etc/fairing/pods.d/container.d/x.conf".into(),
        text: b"[Service]\nEnvironment=A=b\n[Container]\nUser=7\n".to_vec(),
    });
    let generated = generate(&[app, source("shop.pod", "[Pod]")], &settings());
    assert_eq!(told(&generated), "");
    assert!(start(&generated.units[0]).contains(" --user=7 "));
    assert!(value(&generated.units[0], "Environment").is_empty());
}

#[test]
fn yaml_is_played_alone_or_by_a_kube() {
    let mut alone = source("web.yaml", "");
    alone.drop_ins.push(DropIn {
        path: "/x.conf".into(),
        text: b"[Kube]\nPublishPort=80:80\n[Install]\nWantedBy=m.target".to_vec(),
    });
    let mut sources = vec![
        source(
            "db.kube",
            "[Kube]\nYaml=./sub/../db.yml\nConfigMap=c.yaml\nNetwork=n.network\nKubeDownForce=yes\nSetWorkingDirectory=yaml\nAutoUpdate=registry app/local",
        ),
        source("n.network", "[Network]"),
        source("c.yaml", ""),
        source("db.yml", ""),
        alone,
    ];
    sources.sort_by(|one, other| one.name.cmp(&other.name));
    let generated = generate(&sources, &settings());
    assert_eq!(told(&generated), "");
    let names: Vec<_> = generated
        .units
        .iter()
        .map(|unit| unit.name.as_str())
        .collect();
    assert_eq!(names, ["db.service", "n-network.service", "web.service"]);
    let (db, web) = (&generated.units[0], &generated.units[2]);
    assert_eq!(
        start(db),
        "play --replace --configmap=/etc/fairing/pods.d/c.yaml --network=systemd-n \
         --annotation=io.containers.autoupdate=registry --annotation=io.containers.autoupdate/app=local \
         /etc/fairing/pods.d/sub/../db.yml"
    );
    assert_eq!(
        value(db, "ExecStopPost"),
        ["-/usr/bin/fairing down --force /etc/fairing/pods.d/sub/../db.yml"]
    );
    assert_eq!(
        value(db, "WorkingDirectory"),
        ["/etc/fairing/pods.d/sub/.."]
    );
    assert_eq!(value(db, "Type"), ["notify"]);
    assert_eq!(
        start(web),
        "play --replace --publish=80:80 /etc/fairing/pods.d/web.yaml"
    );
    assert_eq!(web.links[0].path, "m.target.wants/web.service");
    assert_eq!(web.argv.len(), 5);
}
