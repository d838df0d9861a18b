//! What pod init is told to start.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::Path;

use pod::AppName;
use pod::activation::{ActivationSockets, SocketName};
use pod::manifest::{
    App, AppFailure, Capability, Lifetime, MountSource, Network, PodManifest, Seccomp,
};

use super::descriptors;
use super::in_machine::of_apps_together;
use super::isolator::Isolator;
use super::joining::Joining;
use super::last_words;
use super::names;
use super::peers::PeerNames;
use super::privileges::may_gain_privileges;
use super::streams::Streams;
use crate::failure::StartFailure;
use crate::link::{HandedOver, InitLink};
use crate::protocol::{
    AppSecurity, AppSpec, CapabilityBits, Names, ProcessStreams, Protections, Setup, ToInit,
};
use crate::seccomp::{filter_of, for_capabilities};

/// What pod init has to know of an app, with its [`security`].
pub(super) fn app_spec(
    app: &App,
    security: Option<AppSecurity>,
    streams: ProcessStreams,
    sockets: Vec<SocketName>,
) -> AppSpec {
    AppSpec {
        name: app.name.clone(),
        execution: app.execution.clone(),
        stop_signal: app.stop_signal,
        security: security.map(Box::new),
        own_processes: app.systemd || app.own_processes,
        processes_of: app.processes_of.clone(),
        streams,
        protections: protections(app),
        selinux_label: app.security.selinux_label.clone(),
        mount_label: app.security.mount_label.clone(),
        mounts: app
            .mounts
            .iter()
            .map(|mount| mount.destination.clone())
            .chain(app.termination_message.as_ref().map(|one| one.path.clone()))
            .collect(),
        credentials: app
            .mounts
            .iter()
            .find(|mount| matches!(mount.source, MountSource::Credentials { .. }))
            .map(|mount| mount.destination.clone()),
        sockets,
    }
}

/// How an app is confined in another way than usual, if it is.
///
/// # Errors
/// If its system call filter can't be made.
pub(super) fn security(app: &App) -> Result<Option<AppSecurity>, StartFailure> {
    let security = &app.security;
    let filter = match &security.seccomp {
        Some(Seccomp::Profile { profile }) => {
            let filter = filter_of(profile).map_err(|error| {
                StartFailure::other(format!(
                    "the system call filter of app {}: {error}",
                    app.name
                ))
            })?;
            Some(filter)
        }
        Some(Seccomp::Unconfined) | None => None,
    };
    let bits = |set: &BTreeSet<Capability>| set.iter().fold(0, |all, one| all | one.bit());
    let capabilities = security.capabilities.as_ref();
    // What takes a capability that it was given is not refused for want of that.
    let filter = filter.or_else(|| for_capabilities(bits(&capabilities?.bounding)));
    let own = AppSecurity {
        capabilities: capabilities.map(|sets| CapabilityBits {
            bounding: bits(&sets.bounding),
            ambient: bits(&sets.ambient),
        }),
        filter,
        new_privileges: !security.no_new_privileges,
        masked_paths: security.masked_paths.clone(),
        readonly_paths: security.readonly_paths.clone(),
        proc_options: security.proc_options.clone(),
        read_only_root: security.read_only_root,
        apparmor_profile: security.apparmor_profile.clone(),
        writes_cgroups: security.privileged,
    };
    Ok((own != AppSecurity::default()).then_some(own))
}

/// Which protections an app is under.
fn protections(app: &App) -> Protections {
    let protections = Protections::without(&app.insecure_options);
    if app.security.privileged {
        return Protections {
            capabilities: false,
            system_calls: false,
            paths: false,
        };
    }
    Protections {
        system_calls: protections.system_calls && app.security.seccomp != Some(Seccomp::Unconfined),
        ..protections
    }
}

/// The apps that pod init is told of before the start.
#[derive(Debug)]
pub(super) enum Apps {
    /// All of the pod's, which are handed these sockets.
    AtStart(ActivationSockets),
    /// None: a supervisor starts them one by one, and decides when the pod ends.
    Supervised,
}

/// Sends pod init all that it needs; the result is who tells of changes of what it was sent. The sockets are the apps'
/// from then on, and closed here: the service manager has its own, by which it hands them to the next start.
pub(super) fn tell_init(
    link: &mut dyn InitLink,
    manifest: &PodManifest,
    apps: Apps,
    streams: &mut Streams,
    isolator: &mut dyn Isolator,
) -> Result<Option<PeerNames>, StartFailure> {
    let (lifetime, on_app_failure) = match apps {
        Apps::AtStart(_) => (manifest.lifetime, manifest.on_app_failure),
        Apps::Supervised => (Lifetime::UntilStopped, AppFailure::Continue),
    };
    let setup = Setup {
        hostname: manifest.hostname.clone(),
        lifetime,
        on_app_failure,
        grace_period_ms: manifest.grace_period_ms,
        terminals: manifest.bounds.terminals,
        memory_files: manifest.bounds.memory_files,
        user_namespace: manifest.user_namespace.clone(),
        owns_network: manifest.network != Network::Host,
        new_privileges: may_gain_privileges(manifest),
        shm_size: manifest.shm_size,
        host_namespaces: manifest.host_namespaces.clone(),
        sysctl: manifest.sysctl.clone(),
        mount_label: manifest
            .selinux
            .as_ref()
            .map(|labels| labels.mount_label.clone()),
        resources: match isolator.asks_pod_init() {
            true => Some(of_apps_together(&manifest.resources)),
            false => None,
        },
    };
    descriptors::make_room_for_apps(manifest.apps.len());
    link.send(&ToInit::Setup(Box::new(setup)), HandedOver::Nothing)?;
    if let Apps::AtStart(sockets) = apps {
        send_apps(link, manifest, sockets, streams, isolator)?;
    }
    let mut network = isolator.network(manifest)?;
    let mut peers = network.peers.take().map(PeerNames::new);
    let others = peers.as_mut().map_or_else(Vec::new, PeerNames::begin);
    let names = Names {
        hosts: names::hosts(manifest, &network, others),
        resolv_conf: names::resolv_conf(manifest, &network),
    };
    let interfaces = network.interfaces.take();
    let handed_over = interfaces.map_or(HandedOver::Nothing, HandedOver::MachineNetwork);
    link.send(&ToInit::Start(names), handed_over)?;
    Ok(peers)
}

fn send_apps(
    link: &mut dyn InitLink,
    manifest: &PodManifest,
    sockets: ActivationSockets,
    streams: &mut Streams,
    isolator: &mut dyn Isolator,
) -> Result<(), StartFailure> {
    let names: Vec<&AppName> = manifest.apps.iter().map(|app| &app.name).collect();
    for (app, sockets) in manifest.apps.iter().zip(sockets.assign(&names)) {
        let (names, sockets): (Vec<SocketName>, Vec<OwnedFd>) = sockets
            .into_iter()
            .map(|socket| (socket.name, socket.fd))
            .unzip();
        let security = security(app)?;
        // The pod's directory is the working directory.
        last_words::make_room(Path::new("."), app)?;
        let handed_over = isolator.hand_over(manifest, app, sockets)?;
        let streams = streams.for_app(app, Joining::AtStart, link)?;
        let spec = app_spec(app, security, streams, names);
        link.send(&ToInit::App(Box::new(spec)), handed_over)?;
    }
    Ok(())
}
