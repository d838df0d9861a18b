//! Configurations as the installers of Calico and Cilium leave them on a node, with stand-ins for their plugins that
//! answer as those do.

use cni_glue::attach::Attacher;
use cni_glue::bandwidth::BandwidthSpec;
use cni_glue::runtime::Asked;
use cni_glue::{Netns, NetworkError};
use serde_json::{Value, json};

use crate::lab::{Lab, Pod};

/// What is told of each address, and by which way.
fn addresses(pod: &Pod) -> Vec<(String, Option<String>)> {
    let network = &pod.attached.status.networks[0];
    let told = network.addresses.iter().map(|a| {
        let gateway = a.gateway.map(|gateway| gateway.to_string());
        (a.address.to_string(), gateway)
    });
    told.collect()
}

fn check(attacher: &Attacher, pod: &Pod) {
    let mut netns = Netns::with_loopback().unwrap();
    attacher
        .check(&pod.id, &mut netns, Asked::Everyone)
        .unwrap();
}

/// Each call's input, by `PLUGIN COMMAND`.
fn inputs(lab: &Lab) -> Vec<(String, Value)> {
    let inputs = lab.calls().into_iter().map(|mut call| call["input"].take());
    lab.order().into_iter().zip(inputs).collect()
}

fn calico(version: &str) -> Value {
    json!({
        "name": "k8s-pod-network",
        "cniVersion": version,
        "plugins": [
            {
                "type": "calico",
                "container_settings": {"allow_ip_forwarding": false},
                "datastore_type": "kubernetes",
                "endpoint_status_dir": "/var/run/calico/endpoint-status",
                "ipam": {"type": "calico-ipam", "assign_ipv4": "true", "assign_ipv6": "true"},
                "kubernetes": {
                    "k8s_api_root": "https://10.96.0.1:443",
                    "kubeconfig": "/etc/cni/net.d/calico-kubeconfig",
                },
                "log_file_max_age": 30,
                "log_file_path": "/var/log/calico/cni/cni.log",
                "log_level": "Info",
                "mtu": 0,
                "nodename_file_optional": false,
                "policy": {"type": "k8s"},
                "policy_setup_timeout_seconds": 0,
            },
            {"type": "bandwidth", "capabilities": {"bandwidth": true}},
            {"type": "portmap", "capabilities": {"portMappings": true}, "snat": true},
        ],
    })
}

/// The host's end alone is listed, and the addresses are of no interface that is.
fn calico_answer(version: &str) -> Value {
    let families = version.starts_with("0.");
    let ip = |family: &str, address: &str, gateway: Option<&str>| {
        let mut ip = json!({"address": address});
        if families {
            ip["version"] = json!(family);
        }
        if let Some(gateway) = gateway {
            ip["gateway"] = json!(gateway);
        }
        ip
    };
    json!({
        "cniVersion": version,
        "interfaces": [{"name": "cali05f4a1849c5"}],
        "ips": [
            ip("4", "10.244.196.152/32", Some("169.254.1.1")),
            ip("6", "fd10:244::c497/128", None),
        ],
        "routes": [{"dst": "0.0.0.0/0", "gw": "169.254.1.1"}, {"dst": "::/0", "gw": "fe80::ecee:eeff:feee:eeee"}],
        "dns": {},
    })
}

#[test]
fn a_list_as_calico_has_it() {
    for version in ["0.3.1", "1.0.0"] {
        let lab = Lab::new();
        let answer = calico_answer(version);
        let says = format!("[ \"$CNI_COMMAND\" != ADD ] || printf '%s' '{answer}'");
        for plugin in ["calico", "bandwidth", "portmap"] {
            lab.plugin(plugin, &says);
        }
        let list = calico(version);
        lab.configure("cni/10-calico.conflist", &list.to_string());
        let limits: BandwidthSpec = "in=8M".parse().unwrap();
        let net = ["k8s-pod-network:K8S_POD_NAMESPACE=default"];
        let pod = lab.start(("a", &net, &["8080:80"]), Some(limits.0), &|_| true);
        let pod = pod.unwrap();
        let gateway = Some("169.254.1.1".to_owned());
        assert_eq!(
            addresses(&pod),
            [
                ("10.244.196.152/32".to_owned(), gateway),
                ("fd10:244::c497/128".to_owned(), None)
            ]
        );
        let network = &pod.attached.status.networks[0];
        assert_eq!((network.routes.len(), &network.mac), (2, &None));
        assert!(network.dns.is_empty());
        check(&lab.attacher, &pod);
        lab.end(pod);

        // In its order, and back; CHECK is known since 0.4.0.
        let mut calls = vec!["calico ADD", "bandwidth ADD", "portmap ADD"];
        if version == "1.0.0" {
            calls.extend(["calico CHECK", "bandwidth CHECK", "portmap CHECK"]);
        }
        calls.extend(["portmap DEL", "bandwidth DEL", "calico DEL"]);
        assert_eq!(lab.order(), calls);
        // Without the `dns` that has nothing in it, the result is handed on as it was said.
        let mut previous = answer;
        previous.as_object_mut().unwrap().remove("dns");
        for (call, input) in inputs(&lab) {
            let (plugin, verb) = call.split_once(' ').unwrap();
            let plugins = list["plugins"].as_array().unwrap();
            let mut expected = plugins
                .iter()
                .find(|p| p["type"] == plugin)
                .unwrap()
                .clone();
            let fields = expected.as_object_mut().unwrap();
            fields.remove("capabilities");
            fields.insert("name".into(), json!("k8s-pod-network"));
            fields.insert("cniVersion".into(), json!(version));
            let told = match plugin {
                "bandwidth" => Some(json!({"bandwidth": {
                    "ingressRate": 8_000_000, "ingressBurst": input["runtimeConfig"]["bandwidth"]["ingressBurst"],
                    "egressRate": 0, "egressBurst": 0,
                }})),
                "portmap" => Some(json!({"portMappings": [
                    {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"},
                ]})),
                _ => None,
            };
            fields.extend(told.map(|told| ("runtimeConfig".to_owned(), told)));
            // DEL is told what ADD said since 0.4.0; the first ADD has nothing before it.
            let has_previous = match verb {
                "ADD" => plugin != "calico",
                "DEL" => version == "1.0.0",
                _ => true,
            };
            if has_previous {
                fields.insert("prevResult".into(), previous.clone());
            }
            assert_eq!(input, expected, "{call}");
        }
        assert_eq!(
            lab.calls()[0]["args"],
            "IgnoreUnknown=1;K8S_POD_NAMESPACE=default"
        );
        lab.wait_for_nothing();
    }
}

#[test]
fn a_list_as_cilium_has_it() {
    for version in ["0.3.1", "1.0.0"] {
        let lab = Lab::new();
        // Both ends are listed, the pod's as being in the namespace that was told.
        let family = |number: &str| match version {
            "0.3.1" => format!(r#""version": "{number}", "#),
            _ => String::new(),
        };
        lab.plugin(
            "cilium-cni",
            &format!(
                r#"[ "$CNI_COMMAND" != ADD ] || printf '%s' '{{"cniVersion": "{version}",
    "interfaces": [{{"name": "lxc5c9a7a", "mac": "aa:bb:cc:00:00:01"}},
        {{"name": "eth0", "mac": "aa:bb:cc:00:00:02", "sandbox": "'"$CNI_NETNS"'"}}],
    "ips": [{{{}"interface": 1, "address": "10.0.1.84/32", "gateway": "10.0.1.31"}},
        {{{}"interface": 1, "address": "fd00::1:54/128", "gateway": "fd00::1:1f"}}],
    "routes": [{{"dst": "10.0.1.31/32"}}, {{"dst": "0.0.0.0/0", "gw": "10.0.1.31"}},
        {{"dst": "fd00::1:1f/128"}}, {{"dst": "::/0", "gw": "fd00::1:1f"}}],
    "dns": {{}}}}'"#,
                family("4"),
                family("6")
            ),
        );
        let plugin = json!({
            "type": "cilium-cni",
            "enable-debug": true,
            "log-file": "/var/run/cilium/cilium-cni.log",
        });
        let list = json!({"cniVersion": version, "name": "cilium", "plugins": [plugin]});
        lab.configure("cni/05-cilium.conflist", &list.to_string());
        // It forwards no ports by itself: that isn't found out by trying.
        let error = lab.try_pod("a", &["cilium"], &["8080:80"]).err().unwrap();
        assert!(matches!(error, NetworkError::NoPorts(_)), "{error}");
        assert_eq!(lab.order(), [""; 0]);

        let pod = lab.pod("a", &["cilium"], &[]);
        let by = |gateway: &str| Some(gateway.to_owned());
        assert_eq!(
            addresses(&pod),
            [
                ("10.0.1.84/32".to_owned(), by("10.0.1.31")),
                ("fd00::1:54/128".to_owned(), by("fd00::1:1f"))
            ]
        );
        let network = &pod.attached.status.networks[0];
        assert_eq!(network.mac.as_deref(), Some("aa:bb:cc:00:00:02"));
        assert_eq!(network.routes.len(), 4);
        check(&lab.attacher, &pod);
        lab.end(pod);
        let calls = match version {
            "1.0.0" => vec!["cilium-cni ADD", "cilium-cni CHECK", "cilium-cni DEL"],
            _ => vec!["cilium-cni ADD", "cilium-cni DEL"],
        };
        assert_eq!(lab.order(), calls);
        for (call, mut input) in inputs(&lab) {
            let input = input.as_object_mut().unwrap();
            // What it said itself is told again, its own interface by its namespace.
            if let Some(previous) = input.remove("prevResult") {
                assert_eq!(
                    previous["interfaces"][1]["sandbox"],
                    lab.calls()[0]["netns"]
                );
                assert_eq!(previous["ips"][0]["interface"], 1);
                assert_eq!(previous["routes"][1]["gw"], "10.0.1.31");
            } else {
                assert!(call.ends_with("ADD") || version == "0.3.1", "{call}");
            }
            let mut expected = plugin.clone();
            expected["name"] = json!("cilium");
            expected["cniVersion"] = json!(version);
            assert_eq!(Value::Object(input.clone()), expected, "{call}");
        }
        lab.wait_for_nothing();
    }
}
