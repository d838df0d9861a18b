//! Packets to pod init, and the descriptors that come with them.

use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

use super::{AppResources, HandedOver, LinkError};
use crate::app::cgroup::{CgroupSeat, HierarchyTasks, Leaf, Leaves};

/// What a packet to pod init holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Packet<M> {
    /// A message. With it come its streams, and then what is handed over.
    Message { message: M, handed_over: Contents },
    /// More of the app that was named last, its mounts and then its sockets: as many such packets as it takes.
    More,
}

/// Which descriptors are handed over with a message, in which order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Contents {
    Nothing,
    /// The root filesystem, then the seat, `/proc`, `/dev` and `/sys`. Mounts and sockets follow in packets of their own.
    App {
        seat: SeatKind,
        proc: bool,
        dev: bool,
        sys: bool,
        mounts: usize,
        sockets: usize,
    },
}

/// Which descriptors are an app's seat in its cgroup.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SeatKind {
    None,
    /// `tasks` of each hierarchy, one directory, then `pids.max` and `cgroup.event_control` if they are there.
    V1 {
        hierarchies: Vec<String>,
        counts_pids: bool,
        event_control: bool,
    },
    /// The directory, then `cgroup.procs` and `cgroup.kill`; then the two leaves, each a directory and a `cgroup.procs` if
    /// there is one of the app's.
    V2 {
        procs: bool,
        kill: bool,
        leaves: bool,
    },
}

impl Contents {
    pub(super) fn of(handed_over: &HandedOver) -> Self {
        match handed_over {
            HandedOver::Nothing
            | HandedOver::Lost
            | HandedOver::MachineApp(_)
            | HandedOver::MachineNetwork(_) => Self::Nothing,
            HandedOver::App(AppResources {
                seat,
                proc,
                dev,
                sys,
                mounts,
                sockets,
                ..
            }) => Self::App {
                proc: proc.is_some(),
                dev: dev.is_some(),
                sys: sys.is_some(),
                seat: match seat {
                    CgroupSeat::None => SeatKind::None,
                    CgroupSeat::V1 {
                        tasks,
                        pids_max,
                        event_control,
                        ..
                    } => SeatKind::V1 {
                        counts_pids: pids_max.is_some(),
                        event_control: event_control.is_some(),
                        hierarchies: tasks
                            .iter()
                            .map(|tasks| tasks.controllers.clone())
                            .collect(),
                    },
                    CgroupSeat::V2 {
                        procs,
                        kill,
                        leaves,
                        ..
                    } => SeatKind::V2 {
                        procs: procs.is_some(),
                        kill: kill.is_some(),
                        leaves: leaves.is_some(),
                    },
                },
                mounts: mounts.len(),
                sockets: sockets.len(),
            },
        }
    }
}

/// The descriptors of what is handed over: those that go with the message, and an app's mounts and sockets, which follow.
pub(super) fn descriptors(handed_over: HandedOver) -> (Vec<OwnedFd>, Vec<OwnedFd>) {
    match handed_over {
        HandedOver::Nothing
        | HandedOver::Lost
        | HandedOver::MachineApp(_)
        | HandedOver::MachineNetwork(_) => (Vec::new(), Vec::new()),
        HandedOver::App(AppResources {
            root,
            seat,
            proc,
            dev,
            sys,
            mounts,
            sockets,
        }) => {
            let mut all = vec![root];
            match seat {
                CgroupSeat::None => {}
                CgroupSeat::V1 {
                    tasks,
                    directory,
                    pids_max,
                    event_control,
                } => {
                    all.extend(tasks.into_iter().map(|tasks| tasks.file));
                    all.push(directory);
                    all.extend(pids_max.into_iter().chain(event_control));
                }
                CgroupSeat::V2 {
                    directory,
                    procs,
                    kill,
                    leaves,
                } => {
                    all.push(directory);
                    all.extend(procs.into_iter().chain(kill));
                    if let Some(Leaves { services, commands }) = leaves {
                        for leaf in [services, commands] {
                            all.push(leaf.directory);
                            all.extend(leaf.procs);
                        }
                    }
                }
            }
            all.extend(proc.into_iter().chain(dev).chain(sys));
            (all, mounts.into_iter().chain(sockets).collect())
        }
    }
}

/// What came with a message, to be taken in order and to the last.
pub(super) struct Descriptors(std::vec::IntoIter<OwnedFd>);

impl Descriptors {
    pub(super) fn new(fds: Vec<OwnedFd>) -> Self {
        Self(fds.into_iter())
    }

    pub(super) fn one(&mut self) -> Result<OwnedFd, LinkError> {
        self.0
            .next()
            .ok_or_else(|| LinkError::Protocol("a descriptor is missing".into()))
    }

    pub(super) fn one_if(&mut self, announced: bool) -> Result<Option<OwnedFd>, LinkError> {
        announced.then(|| self.one()).transpose()
    }

    pub(super) fn none_is_left(&self) -> Result<(), LinkError> {
        match self.0.len() {
            0 => Ok(()),
            more => Err(LinkError::Protocol(format!(
                "{more} descriptors came that nobody has announced"
            ))),
        }
    }

    pub(super) fn seat(&mut self, kind: SeatKind) -> Result<CgroupSeat, LinkError> {
        Ok(match kind {
            SeatKind::None => CgroupSeat::None,
            SeatKind::V1 {
                hierarchies,
                counts_pids,
                event_control,
            } => CgroupSeat::V1 {
                tasks: hierarchies
                    .into_iter()
                    .map(|controllers| {
                        let file = self.one()?;
                        Ok(HierarchyTasks { controllers, file })
                    })
                    .collect::<Result<_, LinkError>>()?,
                directory: self.one()?,
                pids_max: self.one_if(counts_pids)?,
                event_control: self.one_if(event_control)?,
            },
            SeatKind::V2 {
                procs,
                kill,
                leaves,
            } => CgroupSeat::V2 {
                directory: self.one()?,
                procs: self.one_if(procs)?,
                kill: self.one_if(kill)?,
                leaves: match leaves {
                    true => Some(Leaves {
                        services: self.leaf(procs)?,
                        commands: self.leaf(procs)?,
                    }),
                    false => None,
                },
            },
        })
    }

    fn leaf(&mut self, procs: bool) -> Result<Leaf, LinkError> {
        Ok(Leaf {
            directory: self.one()?,
            procs: self.one_if(procs)?,
        })
    }
}
