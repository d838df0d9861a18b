//! What kubelets find: the CRI shim as it is configured.

use engine::machine::Cri;

use super::area::Area;
use super::area::Severity::{Note, Warning};

pub(super) fn checks(cri: Option<&Cri>) -> Area {
    let mut area = Area::new("kubelets");
    let Some(cri) = cri else {
        area.fine("[cri]", "no kubelet is served");
        return area;
    };
    match &cri.network {
        Ok(name) => area.fine("network", name),
        Err(why) => area.lacks(
            "network",
            Warning,
            why,
            "only sandboxes in the host's network start, and the node is not ready: install a network plugin, or \
             set network = \"default\"",
        ),
    }
    for why in &cri.broken {
        area.lacks("network", Note, why, "this file is passed over");
    }
    match cri.handlers.is_empty() {
        true => area.fine("runtime handlers", "all isolators are installed"),
        false => {
            for (handler, why) in &cri.handlers {
                area.lacks(
                    &format!("runtime handler {handler:?}"),
                    Warning,
                    why,
                    "no sandbox of this handler starts",
                );
            }
        }
    }
    match &cri.streams {
        Ok(how) => area.fine("streams", *how),
        Err(why) => area.lacks(
            "streams",
            Warning,
            why,
            "fairing-cri does not start before it is mended",
        ),
    }
    match cri.cgroup_lack {
        None => area.fine("cgroup driver", "yes"),
        Some(why) => area.lacks("cgroup driver", Warning, why, "no sandbox starts"),
    }
    let socket = cri.socket.display();
    match (cri.is_listening, cri.is_enabled) {
        (true, _) => area.fine("socket", socket.to_string()),
        (false, true) => area.lacks(
            "socket",
            Warning,
            format!("nobody listens on {socket}"),
            "kubelets find no runtime: `systemctl start fairing-cri.socket`, and `journalctl -u fairing-cri` says why",
        ),
        (false, false) => area.lacks(
            "socket",
            Note,
            format!("nobody listens on {socket}"),
            "`systemctl enable --now fairing-cri.socket fairing-cri.service` serves kubelets there",
        ),
    }
    area
}
