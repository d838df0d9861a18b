//! Sandboxes in networks of CNI plugins: what plugins are told, what comes of their answers, and when there is a network.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use cri_shim::api::{
    DnsConfig, NamespaceMode, PodSandboxConfig, PortMapping, Protocol, RuntimeCondition,
    StatusRequest,
};
use harness::{Computer, Cri, Host, ImageBuilder};
use serde_json::{Value, json};

use crate::cri_containers::{Ground, idle, script};
use crate::cri_sandbox::{config, remove, run, status, stop};
use crate::network_lab::{HOST, Lab, OUTSIDE, fetch};
use crate::network_traffic::exchange;
use crate::stocked::status as pod_status;

const SERVER: &str = "mkdir /www; hostname > /www/index.html; exec httpd -f -p 80 -h /www";

/// A plugin that keeps what it is told, and says that all is well, unless there is a file `away`.
fn recorder(host: &Host) {
    let script = format!(
        "#!/bin/sh\ncd {}\nenv > $CNI_COMMAND.env; cat > $CNI_COMMAND.json\n\
         [ ! -e away ] || {{ echo '{{\"cniVersion\": \"1.1.0\", \"code\": 50, \"msg\": \"the agent is away\"}}'; exit 1; }}\n\
         [ $CNI_COMMAND != ADD ] || echo '{{\"cniVersion\": \"1.1.0\", \
         \"ips\": [{{\"address\": \"10.9.8.7/24\"}}, {{\"address\": \"fd00:9::7/64\"}}]}}'\n",
        host.base().display()
    );
    let plugin = host.write("bin/recorder", script);
    fs::set_permissions(&plugin, fs::Permissions::from_mode(0o755)).unwrap();
}

fn record(host: &Host, file: &str) -> String {
    fs::read_to_string(host.base().join(file)).unwrap()
}

fn network_ready(cri: &Cri) -> RuntimeCondition {
    let status = cri.call(cri.runtime().status(StatusRequest::default()));
    let conditions = status.unwrap().status.unwrap().conditions;
    let mut conditions = conditions.into_iter();
    let network = conditions.find(|one| one.r#type == "NetworkReady");
    network.unwrap()
}

fn port(host_port: i32, container_port: i32, protocol: Protocol, host_ip: &str) -> PortMapping {
    PortMapping {
        protocol: protocol as i32,
        container_port,
        host_port,
        host_ip: host_ip.to_owned(),
    }
}

#[test]
fn plugins_are_told_whose_sandbox_it_is_and_what_it_wants() {
    let lab = Lab::new();
    recorder(&lab.host);
    lab.host.write(
        "cni/recorder.conflist",
        r#"{"cniVersion": "1.0.0", "name": "recorded", "plugins": [{"type": "recorder", "capabilities":
        {"portMappings": true, "bandwidth": true, "dns": true, "ips": true, "mac": true}}]}"#,
    );
    let cri = Cri::start_with(&lab.host, "CNI_PATH", lab.host.base().join("bin"));
    let mut asked = config("web");
    asked.annotations = BTreeMap::from([(
        "kubernetes.io/ingress-bandwidth".to_owned(),
        "10M".to_owned(),
    )]);
    asked.port_mappings = vec![
        port(8080, 80, Protocol::Tcp, ""),
        port(5353, 53, Protocol::Udp, "127.0.0.1"),
        port(0, 81, Protocol::Tcp, ""),
    ];
    asked.dns_config = Some(DnsConfig {
        servers: vec!["10.96.0.10".to_owned()],
        searches: vec!["svc.cluster.local".to_owned()],
        options: vec!["ndots:5".to_owned()],
    });
    let id = run(&cri, &asked).unwrap();
    let network = status(&cri, &id).unwrap().network.unwrap();
    assert_eq!(network.ip, "10.9.8.7");
    let more: Vec<_> = network.additional_ips.iter().map(|one| &*one.ip).collect();
    assert_eq!(more, ["fd00:9::7"]);
    remove(&cri, &id).unwrap();
    let wanted = format!(
        "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;\
         K8S_POD_INFRA_CONTAINER_ID={id};K8S_POD_UID=uid-of-web"
    );
    for command in ["ADD", "DEL"] {
        let environment = record(&lab.host, &format!("{command}.env"));
        assert!(
            environment.lines().any(|line| line == wanted),
            "{environment}"
        );
        assert!(environment.contains("CNI_IFNAME=eth0\n"), "{environment}");
        let told: Value =
            serde_json::from_str(&record(&lab.host, &format!("{command}.json"))).unwrap();
        let burst = 72 << 13;
        assert_eq!(
            told["runtimeConfig"],
            json!({
                "portMappings": [
                    {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"},
                    {"hostPort": 5353, "containerPort": 53, "protocol": "udp", "hostIP": "127.0.0.1"},
                ],
                "bandwidth": {"ingressRate": 10_000_000, "ingressBurst": burst, "egressRate": 0, "egressBurst": 0},
                "dns": {"servers": ["10.96.0.10"], "searches": ["svc.cluster.local"], "options": ["ndots:5"]},
            }),
            "{command}"
        );
    }
}

#[test]
fn the_network_is_ready_while_it_is_configured_and_its_plugins_say_so() {
    let host = Host::new();
    host.accept_unsigned();
    let cri = Cri::start_with(&host, "CNI_PATH", host.base().join("bin"));
    let folder = host.base().join("cni");
    let expect = |parts: &[&str]| {
        let network = network_ready(&cri);
        assert_eq!(network.status, parts.is_empty(), "{network:?}");
        let reason = if parts.is_empty() {
            ""
        } else {
            "NetworkPluginNotReady"
        };
        assert_eq!(network.reason, reason);
        for part in parts {
            assert!(network.message.contains(part), "{network:?}");
        }
    };
    let none = format!("no network is configured in {}", folder.display());
    expect(&[&none]);
    let path = host.write("cni/10-lan.conflist", "{");
    expect(&[&none, "10-lan.conflist: "]);
    let refused = run(&cri, &config("web")).unwrap_err();
    assert!(refused.message().contains("10-lan.conflist: "), "{refused}");
    let list = |version: &str| {
        let text = format!(
            r#"{{"cniVersion": {version:?}, "name": "lan", "plugins": [{{"type": "recorder"}}]}}"#
        );
        fs::write(&path, text).unwrap();
    };
    // What other plugins than ours are asked since version 1.1 was always so: they have to be there.
    for version in ["1.0.0", "1.1.0"] {
        let _ = fs::remove_file(host.base().join("bin/recorder"));
        list(version);
        expect(&["network lan", "plugin recorder", "there is no such program"]);
        recorder(&host);
        expect(&[]);
    }
    host.write("away", "");
    expect(&["network lan: plugin recorder: STATUS: the agent is away"]);
    fs::remove_file(host.base().join("away")).unwrap();
    let id = run(&cri, &config("web")).unwrap();
    fs::remove_file(&path).unwrap();
    expect(&[&none]);
    // What is in it can still be taken out.
    stop(&cri, &id).unwrap();
    assert!(record(&host, "DEL.env").contains("K8S_POD_NAME=web;"));
    remove(&cri, &id).unwrap();
    list("1.0.0");
    expect(&[]);
}

/// Debian's plugins, with addresses of both families.
fn dual_stack(host: &Host) {
    let data = host.base().join("host-local");
    host.write(
        "cni/50-lan.conflist",
        format!(
            r#"{{"cniVersion": "1.0.0", "name": "lan", "plugins": [
            {{"type": "bridge", "bridge": "lan0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
              "ipam": {{"type": "host-local", "dataDir": "{}",
                "ranges": [[{{"subnet": "10.95.0.0/24"}}], [{{"subnet": "fd00:95::/64"}}]],
                "routes": [{{"dst": "0.0.0.0/0"}}, {{"dst": "::/0"}}]}}}},
            {{"type": "portmap", "capabilities": {{"portMappings": true}}, "snat": true}},
            {{"type": "bandwidth", "capabilities": {{"bandwidth": true}}}}]}}"#,
            data.display()
        ),
    );
}

/// A sandbox that is called so is reached from the host, from another one and from outside, at all that it asks for.
fn is_reached(lab: Lab, change: impl FnOnce(&mut PodSandboxConfig)) {
    let Lab {
        host,
        machine,
        outside,
        ..
    } = lab;
    let mut ground = Ground::on(host, "", ImageBuilder::busybox(), |sandbox| {
        sandbox.hostname = "web".to_owned();
        sandbox.port_mappings = vec![
            port(8080, 80, Protocol::Tcp, ""),
            port(8081, 80, Protocol::Tcp, HOST),
            port(8082, 80, Protocol::Tcp, "127.0.0.1"),
            port(5353, 53, Protocol::Udp, ""),
        ];
        change(sandbox);
    });
    ground.run(&script("httpd", SERVER));
    let network = status(&ground.cri, &ground.sandbox).unwrap().network;
    let network = network.unwrap();
    let addresses = [&network.ip, &network.additional_ips[0].ip];
    assert!(!addresses[0].contains(':') && addresses[1].contains(':'));
    assert_eq!(network.additional_ips.len(), 1);
    for ip in addresses {
        let at = if ip.contains(':') {
            format!("[{ip}]:80")
        } else {
            format!("{ip}:80")
        };
        assert_eq!(fetch(&machine, &at), "web");
    }
    for port in [8080, 8081] {
        assert_eq!(fetch(&outside, &format!("{HOST}:{port}")), "web");
    }
    assert!(outside.connect(&format!("{HOST}:8082")).is_err());
    assert_eq!(fetch(&machine, "127.0.0.1:8082"), "web");
    let uuids = ground.host.pod_uuids();
    let [uuid] = uuids.iter().collect::<Vec<_>>()[..] else {
        panic!("{uuids:?}");
    };
    let init = pod_status(&ground.host, uuid)["init-pid"].as_u64().unwrap();
    let inside = Computer::of_process(u32::try_from(init).unwrap());
    let server = inside.datagrams("0.0.0.0:53");
    let client = outside.datagrams(&format!("{OUTSIDE}:0"));
    exchange(&client, &server, &format!("{HOST}:5353"));

    // The other one.
    let first = std::mem::take(&mut ground.sandbox);
    ground.config.metadata = config("other").metadata;
    ground.config.port_mappings.clear();
    ground.sandbox = run(&ground.cri, &ground.config).unwrap();
    let guest = ground.run(&idle("guest"));
    for ip in addresses {
        let url = if ip.contains(':') {
            format!("[{ip}]")
        } else {
            ip.clone()
        };
        let body = ground.sh(&guest, &format!("wget -qO- http://{url}/index.html"));
        assert_eq!(body, "web");
    }
    remove(&ground.cri, &first).unwrap();
    assert!(outside.connect(&format!("{HOST}:8080")).is_err());
}

#[test]
fn a_sandbox_of_debians_plugins_is_reached_in_both_families() {
    let lab = Lab::new();
    dual_stack(&lab.host);
    is_reached(lab, |_| ());
}

#[test]
fn a_sandbox_of_the_built_in_network_is_reached_in_both_families() {
    let lab = Lab::new();
    lab.host
        .write("etc/config.toml", "[cri]\nnetwork = \"default\"\n");
    is_reached(lab, |_| ());
}

#[test]
fn a_sandbox_in_the_hosts_network_has_no_address_of_its_own() {
    let lab = Lab::new();
    let Lab { host, machine, .. } = lab;
    // No network has to be there.
    let ground = Ground::on(host, "", ImageBuilder::busybox(), |sandbox| {
        let linux = sandbox.linux.get_or_insert_default();
        let security = linux.security_context.get_or_insert_default();
        let options = security.namespace_options.get_or_insert_default();
        options.network = NamespaceMode::Node as i32;
        // Its own port, as kubelets say it.
        sandbox.port_mappings = vec![port(8099, 8099, Protocol::Tcp, "")];
    });
    let mut asked = script("httpd", "hostname; exec httpd -f -p 8099");
    let security = crate::cri_containers::security(&mut asked);
    let options = security.namespace_options.get_or_insert_default();
    options.network = NamespaceMode::Node as i32;
    ground.run(&asked);
    harness::wait_until("it listens", crate::cri_containers::SOON, || {
        machine.connect("127.0.0.1:8099").ok()
    });
    let network = status(&ground.cri, &ground.sandbox).unwrap().network;
    let network = network.unwrap();
    assert_eq!((&*network.ip, network.additional_ips.len()), ("", 0));
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(ground.logged("httpd"), name.trim());
}

/// What tbf is set up on the host's side.
fn shaped(machine: &Computer) -> String {
    machine.sh("ls /sys/class/net >/dev/null; tc qdisc show | grep tbf || :")
}

fn limits(ingress: &str, egress: &str) -> BTreeMap<String, String> {
    let annotation = |direction: &str, rate: &str| {
        (
            format!("kubernetes.io/{direction}-bandwidth"),
            rate.to_owned(),
        )
    };
    BTreeMap::from([annotation("ingress", ingress), annotation("egress", egress)])
}

#[test]
fn debians_plugin_keeps_limits_of_kubernetes_annotations() {
    let lab = Lab::new();
    dual_stack(&lab.host);
    let cri = Cri::start(&lab.host);
    let mut asked = config("web");
    asked.annotations = limits("10M", "2e6");
    let id = run(&cri, &asked).unwrap();
    let shaped_now = shaped(&lab.machine);
    for rate in ["rate 10Mbit", "rate 2Mbit"] {
        assert!(shaped_now.contains(rate), "{shaped_now}");
    }
    remove(&cri, &id).unwrap();
    assert_eq!(cri.journal(), "");
}

#[test]
fn the_built_in_network_keeps_limits_of_kubernetes_annotations() {
    let lab = Lab::new();
    lab.host
        .write("etc/config.toml", "[cri]\nnetwork = \"default\"\n");
    let cri = Cri::start(&lab.host);
    let mut asked = config("web");
    asked.annotations = limits("10M", "2e6");
    let id = run(&cri, &asked).unwrap();
    let shaped_now = shaped(&lab.machine);
    assert!(shaped_now.contains("rate 10Mbit"), "{shaped_now}");
    let bandwidth = &pod_status(&lab.host, lab.host.pod_uuids().first().unwrap())["bandwidth"];
    assert_eq!(bandwidth["egress"]["rate"], 2_000_000);
    remove(&cri, &id).unwrap();

    asked.annotations = limits("10M", "10m");
    let refused = run(&cri, &asked).unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    let field = "config.annotations[kubernetes.io/egress-bandwidth]: \"10m\" is not a rate: ";
    assert!(refused.message().starts_with(field), "{refused}");
}

#[test]
fn where_nobody_keeps_limits_a_sandbox_runs_without_and_the_journal_has_it() {
    let host = Host::new();
    host.accept_unsigned();
    recorder(&host);
    host.write(
        "cni/recorder.conflist",
        r#"{"cniVersion": "1.0.0", "name": "recorded", "plugins": [{"type": "recorder"}]}"#,
    );
    let cri = Cri::start_with(&host, "CNI_PATH", host.base().join("bin"));
    let mut asked = config("web");
    asked.annotations = limits("10M", "2M");
    let id = run(&cri, &asked).unwrap();
    remove(&cri, &id).unwrap();
    let journal = cri.journal();
    for part in [
        "warning: sandbox default/web receives and sends without limits (in=10mbit,",
        "no plugin of network recorded has the capability \"bandwidth\"",
    ] {
        assert!(journal.contains(part), "{journal}");
    }
    let told: Value = serde_json::from_str(&record(&host, "ADD.json")).unwrap();
    assert_eq!(told.get("runtimeConfig"), None);
}

#[test]
fn a_file_that_is_no_network_is_told_of_once_and_the_next_one_is_used() {
    let host = Host::new();
    host.accept_unsigned();
    let broken = host.write("cni/10-torn.conflist", "{");
    host.write(
        "cni/20-lan.conflist",
        r#"{"cniVersion": "1.0.0", "name": "lan", "plugins": [{"type": "fairing-cni"}]}"#,
    );
    let cri = Cri::start(&host);
    let told = |cri: &Cri| {
        let journal = cri.journal();
        journal
            .lines()
            .filter(|line| line.contains("10-torn.conflist"))
            .count()
    };
    for _ in 0..3 {
        let status = cri
            .call(cri.runtime().status(StatusRequest::default()))
            .unwrap();
        let conditions = status.status.unwrap().conditions;
        let network = conditions
            .iter()
            .find(|one| one.r#type == "NetworkReady")
            .unwrap();
        assert!(network.status, "{}", network.message);
        assert!(
            network.message.contains("10-torn.conflist"),
            "{}",
            network.message
        );
    }
    assert_eq!(told(&cri), 1, "{}", cri.journal());
    std::fs::write(&broken, "[]").unwrap();
    cri.call(cri.runtime().status(StatusRequest::default()))
        .unwrap();
    assert_eq!(told(&cri), 2, "{}", cri.journal());
}
