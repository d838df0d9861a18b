//! What a pod stands on.

use std::fmt;
use std::os::fd::OwnedFd;

use rustix::io::Errno;

use super::pod_root::PodRoot;
use crate::app::devices::HandedDevices;
use crate::app::launch::AppGround;
use crate::app::rootfs::RootFs;
use crate::app::sockets::AppSockets;
use crate::app::volume_mount::{Place, VolumeMount};
use crate::cgroup::PodCgroups;
use crate::failure::StartFailure;
use crate::link::{AppResources, HandedOver};
use crate::protocol::AppSpec;

/// Where pod init finds what it can't name in a message.
pub(crate) trait Ground: fmt::Debug {
    /// The root filesystem, cgroup and sockets of an app. `handed_over` came with its specification.
    ///
    /// # Errors
    /// What is missing, for which app.
    fn app(&mut self, app: &AppSpec, handed_over: HandedOver) -> Result<AppGround, StartFailure>;

    /// Enters the pod's network, or sets it up. `handed_over` came with the word to start.
    ///
    /// # Errors
    /// What failed.
    fn network(&mut self, handed_over: HandedOver) -> Result<(), StartFailure>;

    /// Enters the pod's root. Only what the ground still needs of what was mounted before stays.
    ///
    /// # Errors
    /// What failed.
    fn enter(&mut self, root: PodRoot) -> Result<(), StartFailure>;

    /// Whether making an app takes more than starting one does.
    fn needs_all_capabilities(&self) -> bool;

    /// The cgroups of the pod, where they are not the monitor's.
    fn cgroups(&self) -> Option<&PodCgroups> {
        None
    }
}

/// The mounts of an app with their places.
pub(super) fn volume_mounts(
    app: &AppSpec,
    mounts: Vec<OwnedFd>,
) -> Result<Vec<VolumeMount>, StartFailure> {
    if mounts.len() != app.mounts.len() {
        return Err(StartFailure::other(format!(
            "{} mounts came for {} places of app {}",
            mounts.len(),
            app.mounts.len(),
            app.name
        )));
    }
    let places = app.mounts.iter().map(Place::of);
    let mounts = places.zip(mounts).map(|(place, mount)| {
        let place = place?;
        Ok(VolumeMount { mount, place })
    });
    mounts.collect()
}

/// The host: the monitor has made everything and hands it over.
#[derive(Debug)]
pub(super) struct Inherited;

impl Ground for Inherited {
    fn app(&mut self, app: &AppSpec, handed_over: HandedOver) -> Result<AppGround, StartFailure> {
        if let HandedOver::Lost = handed_over {
            return Err(StartFailure::os(format_args!(
                "take what comes with app {}",
                app.name
            ))(Errno::MFILE));
        }
        let HandedOver::App(AppResources {
            root,
            seat,
            proc,
            dev,
            sys,
            mounts,
            sockets,
        }) = handed_over
        else {
            return Err(StartFailure::other(format!(
                "the root filesystem of app {} did not come",
                app.name
            )));
        };
        Ok(AppGround {
            root: RootFs(root),
            seat,
            devices: match (proc, dev, sys) {
                (Some(proc), Some(dev), Some(sys)) => HandedDevices::OfHost { proc, sys, dev },
                (_, dev, sys) => HandedDevices::Own { dev, sys },
            },
            mounts: volume_mounts(app, mounts)?,
            sockets: AppSockets::new(app.sockets.clone(), sockets)?,
        })
    }

    // It is the one that this process is in.
    fn network(&mut self, _handed_over: HandedOver) -> Result<(), StartFailure> {
        Ok(())
    }

    fn enter(&mut self, root: PodRoot) -> Result<(), StartFailure> {
        root.enter()
    }

    fn needs_all_capabilities(&self) -> bool {
        false
    }
}
