//! What templates ask for in the words of docker and podman, and in their shapes.

use harness::Host;
use serde_json::{Value, json};

use crate::stocked::{IDLE, IMAGE, busybox, detached};

/// What a template makes of what a command shows.
#[track_caller]
fn shown(host: &Host, words: &[&str], template: &str) -> String {
    let output = host
        .fairing(words.iter().copied())
        .args(["--format", template]);
    output.run().ok().text().to_owned()
}

#[track_caller]
fn json_of(host: &Host, words: &[&str], field: &str) -> Value {
    let text = shown(host, words, &format!("{{{{json {field}}}}}"));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn limits_and_mounts_are_in_the_configuration_of_the_host() {
    let host = busybox();
    host.write("data/x", "1");
    let bind = format!("{}:/data:ro", host.base().join("data").display());
    host.fairing(["volume", "create", "kept"]).run().ok();
    host.fairing(["run", "--detach", "--name", "web", "--net=none"])
        .args(["--memory=64m", "--cpus=1.5", "--cpu-shares=512"])
        .args(["--memory-swap=128m", "--cpuset-cpus=0"])
        .args(["--device=/dev/zero:/dev/none:r"])
        .args([
            "--pids-limit=50",
            "--tmpfs=/t:size=1m,mode=700",
            "-v",
            &bind,
        ])
        .args(["--cap-add=NET_ADMIN", "--cap-drop=KILL", "--group-add=5,6"])
        .args(["--oom-score-adj=100", "--shm-size=10m"])
        .args(["--sysctl=net.core.somaxconn=7", "--ulimit=core=0"])
        .args(["-v", "kept:/kept", IMAGE, "--", "/bin/sh", "-c", IDLE])
        .run()
        .ok();
    let inspect = ["inspect", "web"];
    let config = json_of(&host, &inspect, ".HostConfig");
    for (name, value) in [
        ("Memory", json!(64 << 20)),
        ("MemorySwap", json!(128 << 20)),
        ("CpusetCpus", json!("0")),
        (
            "Devices",
            json!([{
                "PathOnHost": "/dev/zero",
                "PathInContainer": "/dev/none",
                "CgroupPermissions": "r",
            }]),
        ),
        ("NanoCpus", json!(1_500_000_000)),
        ("CpuShares", json!(512)),
        ("PidsLimit", json!(50)),
        ("NetworkMode", json!("none")),
        ("PortBindings", json!({})),
        ("Privileged", json!(false)),
        ("AutoRemove", json!(false)),
        (
            "Tmpfs",
            json!({ "/t": "rw,nosuid,nodev,noexec,size=1048576,mode=700" }),
        ),
        ("CapAdd", json!(["CAP_NET_ADMIN"])),
        ("CapDrop", json!(["CAP_KILL"])),
        ("SecurityOpt", json!(["no-new-privileges"])),
        ("GroupAdd", json!(["5", "6"])),
        ("OomScoreAdj", json!(100)),
        ("ShmSize", json!(10 << 20)),
        ("Sysctls", json!({ "net.core.somaxconn": "7" })),
        ("Ulimits", json!([{ "Name": "core", "Soft": 0, "Hard": 0 }])),
    ] {
        assert_eq!(config[name], value, "{name}");
    }
    assert_eq!(config["RestartPolicy"]["Name"], "no");
    let binds = [bind.replace(":ro", ":rro"), "kept:/kept".to_owned()];
    assert_eq!(config["Binds"], json!(binds));
    assert_eq!(
        shown(&host, &inspect, "{{.HostConfig.Binds}}"),
        format!("[{}]", binds.join(" "))
    );
    for (template, text) in [
        ("{{.State.OOMKilled}} {{.State.Dead}}", "false false"),
        ("{{.Config.StopSignal}} {{.Config.Tty}}", "SIGTERM false"),
        ("{{.State.FinishedAt}}", "0001-01-01T00:00:00Z"),
        ("{{.NetworkSettings.Ports}}", "map[]"),
        (
            "{{range $name, $net := .NetworkSettings.Networks}}{{$name}}={{$net.IPAddress}};{{end}}",
            "none=;",
        ),
    ] {
        assert_eq!(shown(&host, &inspect, template), text, "{template}");
    }
    let data = host.base().join("data");
    assert_eq!(
        shown(&host, &["ps"], "{{.Mounts}} {{.LocalVolumes}}"),
        format!("{},kept,/t 1", data.display())
    );
    // Without a limit of one's own, that which all have.
    host.fairing(["stop", "--force", "web"]).run().ok();
    detached(&host, &["--name", "plain", "--net=none"], "exit 0");
    host.fairing(["wait", "plain"]).run().ok();
    let plain = json_of(&host, &["inspect", "plain"], ".HostConfig");
    assert_eq!(plain["PidsLimit"], 2048);
    assert_eq!((&plain["Memory"], &plain["Binds"]), (&json!(0), &json!([])));
    assert_eq!(
        (&plain["CapDrop"], &plain["ShmSize"]),
        (&json!([]), &json!(64 << 20))
    );
}

#[test]
fn addresses_and_ports_are_where_other_tools_have_them() {
    let host = busybox();
    host.fairing(["run", "--detach", "--name", "web", "--net=default"])
        .args(["--label", "tier=front", "-p", "127.0.0.1:18080:80"])
        .args(["-p", "18053:53/udp", IMAGE, "--", "/bin/sh", "-c", IDLE])
        .run()
        .ok();
    let inspect = ["inspect", "web"];
    let settings = json_of(&host, &inspect, ".NetworkSettings");
    assert_eq!(
        settings["Ports"],
        json!({
            "80/tcp": [{ "HostIp": "127.0.0.1", "HostPort": "18080" }],
            "53/udp": [{ "HostIp": "0.0.0.0", "HostPort": "18053" }],
        })
    );
    let joined = &settings["Networks"]["default"];
    let address = settings["IPAddress"].as_str().unwrap();
    assert!(address.parse::<std::net::Ipv4Addr>().is_ok(), "{settings}");
    for name in ["IPAddress", "IPPrefixLen", "Gateway", "MacAddress"] {
        assert_eq!(joined[name], settings[name], "{name}");
        assert_ne!(joined[name], json!(""), "{name}");
    }
    // As docker's own documentation writes it.
    assert_eq!(
        shown(
            &host,
            &inspect,
            "{{range $p, $conf := .NetworkSettings.Ports}} {{$p}} -> {{(index $conf 0).HostPort}}{{end}}"
        ),
        "53/udp -> 18053 80/tcp -> 18080"
    );
    let port = r#"{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}"#;
    assert_eq!(shown(&host, &inspect, port), "18080");
    assert_eq!(shown(&host, &["ps"], "{{.Label \"tier\"}}"), "front");
    // Those who are in a network, by its own command.
    let network = ["network", "inspect", "default"];
    let template = "{{.Name}} {{.Driver}} {{.Internal}} {{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}}";
    let prefix = &settings["IPPrefixLen"];
    assert_eq!(
        shown(&host, &network, template),
        format!("default bridge false web {address}/{prefix}")
    );
    let way_out = shown(&host, &network, "{{(index .IPAM.Config 0).Gateway}}");
    assert_eq!(way_out, settings["Gateway"].as_str().unwrap());
    host.fairing(["stop", "--force", "web"]).run().ok();
    let settings = json_of(&host, &inspect, ".NetworkSettings");
    assert_eq!(settings["Ports"], json!({}));
    assert_eq!(settings["Networks"]["default"]["IPAddress"], "");
    let bindings = json_of(&host, &inspect, ".HostConfig.PortBindings");
    assert_eq!(bindings["80/tcp"][0]["HostPort"], "18080");
}

#[test]
fn a_template_works_wherever_something_is_shown() {
    let host = busybox();
    let pod = detached(&host, &["--name", "web"], IDLE);
    let version = env!("CARGO_PKG_VERSION");
    for (words, template, text) in [
        (&["status", "web"][..], "{{.State}} {{.uuid}}", None),
        (
            &["app", "status", "web", "busybox"],
            "{{.State}}",
            Some("running"),
        ),
        (&["version"], "{{.Version}}", Some(version)),
        (&["version"], "{{.Server.Version}} {{.Client.Os}}", None),
        (&["info"], "{{.ServerVersion}}", Some(version)),
        (&["info"], "{{.ContainersRunning}}", Some("1")),
        (&["trust", "explain", IMAGE], "{{len .advice}}", Some("0")),
        (&["image", "verify", IMAGE], "{{len .images}}", Some("1")),
        (&["image", "gc", "--dry-run"], "{{len .expired}}", Some("0")),
        (&["network", "ls"], "{{.Name}} {{.Driver}} {{.Scope}}", None),
        (&["history", IMAGE], "{{len .CreatedBy}}", None),
    ] {
        let made = shown(&host, words, template);
        let expected = match (text, words[0]) {
            (Some(text), _) => text.to_owned(),
            (None, "status") => format!("running {pod}"),
            (None, "version") => format!("{version} linux"),
            (None, _) => made.clone(),
        };
        assert_eq!(made, expected, "{words:?} {template}");
        // One that names what there is not is a mistake everywhere.
        let wrong = host.fairing(words.iter().copied());
        wrong
            .args(["--format", "{{.Nope}}"])
            .run()
            .expect_error(2, &["there is no field Nope"]);
    }
    let networks = ["network", "ls"];
    for (template, first) in [
        ("{{.Name}} {{.Driver}} {{.Scope}}", "default bridge local"),
        ("{{json .ID}}", "\"default\""),
    ] {
        let made = shown(&host, &networks, template);
        assert_eq!(made.lines().next(), Some(first), "{template}");
    }
    let table = shown(&host, &networks, "table {{.Name}}\t{{.Driver}}");
    let lines: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[..2], [["NAME", "DRIVER"], ["default", "bridge"]]);
    host.fairing(["status", "web", "--format", "yaml"])
        .run()
        .expect_error(2, &["write text, json, or a template"]);
    host.fairing(["stop", "--force", "web"]).run().ok();
}
