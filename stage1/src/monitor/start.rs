//! What pod init is told to start.

use std::os::fd::OwnedFd;

use pod::AppName;
use pod::activation::{ActivationSockets, SocketName};
use pod::manifest::{App, Network, PodManifest};

use super::isolator::Isolator;
use super::names;
use super::peers::PeerNames;
use super::streams::{Joining, Streams};
use crate::failure::StartFailure;
use crate::link::{HandedOver, InitLink};
use crate::protocol::{AppSpec, Names, ProcessStreams, Protections, Setup, ToInit};

/// What pod init has to know of an app.
pub(super) fn app_spec(app: &App, streams: ProcessStreams, sockets: Vec<SocketName>) -> AppSpec {
    AppSpec {
        name: app.name.clone(),
        execution: app.execution.clone(),
        stop_signal: app.stop_signal,
        systemd: app.systemd,
        streams,
        protections: Protections::without(&app.insecure_options),
        mounts: app
            .mounts
            .iter()
            .map(|mount| mount.destination.clone())
            .collect(),
        sockets,
    }
}

/// Sends pod init all that it needs; the result is who tells of changes of what it was sent. The sockets are the apps'
/// from then on, and closed here: the service manager has its own, by which it hands them to the next start.
pub(super) fn tell_init(
    link: &mut dyn InitLink,
    manifest: &PodManifest,
    sockets: ActivationSockets,
    streams: &mut Streams,
    isolator: &mut dyn Isolator,
) -> Result<Option<PeerNames>, StartFailure> {
    let setup = Setup {
        hostname: manifest.hostname.clone(),
        lifetime: manifest.lifetime,
        on_app_failure: manifest.on_app_failure,
        grace_period_ms: manifest.grace_period_ms,
        terminals: manifest.bounds.terminals,
        memory_files: manifest.bounds.memory_files,
        user_namespace: manifest.user_namespace.clone(),
        owns_network: manifest.network != Network::Host,
    };
    link.send(&ToInit::Setup(setup), HandedOver::Nothing)?;
    let names: Vec<&AppName> = manifest.apps.iter().map(|app| &app.name).collect();
    for (app, sockets) in manifest.apps.iter().zip(sockets.assign(&names)) {
        let (names, sockets): (Vec<SocketName>, Vec<OwnedFd>) = sockets
            .into_iter()
            .map(|socket| (socket.name, socket.fd))
            .unzip();
        let handed_over = isolator.hand_over(manifest, app, sockets)?;
        let streams = streams.for_app(app, Joining::AtStart, link)?;
        let spec = app_spec(app, streams, names);
        link.send(&ToInit::App(Box::new(spec)), handed_over)?;
    }
    let mut network = isolator.network(manifest)?;
    let mut peers = network.peers.take().map(PeerNames::new);
    let others = peers.as_mut().map_or_else(Vec::new, PeerNames::begin);
    let names = Names {
        hosts: names::hosts(manifest, &network, others),
        resolv_conf: names::resolv_conf(manifest, &network),
    };
    link.send(&ToInit::Start(names), HandedOver::Nothing)?;
    Ok(peers)
}
