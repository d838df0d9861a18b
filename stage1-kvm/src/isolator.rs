//! The isolator: a virtual machine.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pod::control::{NetworkUse, Usage};
use pod::feature::Feature;
use pod::machine_users::MachineUsers;
use pod::manifest::{App, PodManifest, Resources};
use pod::stage1::{ENV_DIR, ENV_RUN};
use pod::{AppName, PodUuid};
use stage1::cgroup::PodCgroups;
use stage1::environment::variable;
use stage1::failure::StartFailure;
use stage1::link::framed::ToMachine;
use stage1::link::{HandedOver, MachineApp, MachineImage};
use stage1::monitor::{Isolator, PodNetwork, StartedAgain, StartedInit};

use crate::boot_files;
use crate::booting::Booting;
use crate::disks::Disks;
use crate::interfaces::Interfaces;
use crate::limits;
use crate::machine::{self, Origin, Parts, Started, Starter};
use crate::output::Output;
use crate::patience::{self, patience};
use crate::qemu::Qemu;
use crate::shared_files::{AppFiles, SharedFiles};
use crate::size::{Size, size};
use crate::template;
use crate::tsc::Measurement;
use crate::vmm::Vmm;

/// What this isolator can do: the features of its `stage1.json`.
const FEATURES: &[Feature] = &[
    Feature::AdditionalGroups,
    Feature::Attach,
    Feature::Bandwidth,
    Feature::Capabilities,
    Feature::CgroupParent,
    Feature::Deadline,
    Feature::Exec,
    Feature::GrpcProbes,
    Feature::Hooks,
    Feature::HttpsProbes,
    Feature::JoinedProcesses,
    Feature::LogDriver,
    Feature::LogPath,
    Feature::MaskedPaths,
    Feature::MemoryReservation,
    Feature::MemorySwap,
    Feature::Mounts,
    Feature::Mutable,
    Feature::Networks,
    Feature::NewPrivileges,
    Feature::OomScoreAdj,
    Feature::Pause,
    Feature::PidNamespace,
    Feature::PodResources,
    Feature::Privileged,
    Feature::Probes,
    Feature::ProcOptions,
    Feature::Readiness,
    Feature::ReadonlyPaths,
    Feature::ReadonlyRoot,
    Feature::ReopenLog,
    Feature::Resources,
    Feature::Restart,
    Feature::Rlimits,
    Feature::Seccomp,
    Feature::ShmSize,
    Feature::StartOrder,
    Feature::Stats,
    Feature::StdinOnce,
    Feature::Sysctl,
    Feature::Systemd,
    Feature::Tty,
    Feature::Umask,
    Feature::UnifiedCgroup,
    Feature::Update,
    Feature::VirtualMachine,
    Feature::Volumes,
    Feature::WritableCgroups,
];

/// Pod init's program, beside this one.
const POD_INIT: &str = "pod-init";

/// One pod in a machine of its own.
#[derive(Debug)]
pub(crate) struct Kvm {
    uuid: PodUuid,
    run_dir: PathBuf,
    vmm: Box<dyn Vmm>,
    cgroups: Option<PodCgroups>,
    size: Size,
    user: Option<(MachineUsers, u32)>,
    output: Option<Output>,
    disks: Disks,
    interfaces: Interfaces,
    files: SharedFiles,
    beginning: template::Beginning,
    /// Until it has said a word.
    booting: Option<Booting>,
}

impl Kvm {
    pub(crate) fn new(uuid: PodUuid, run_dir: &Path) -> Self {
        Self {
            uuid,
            run_dir: run_dir.to_path_buf(),
            vmm: Box::new(Qemu),
            cgroups: None,
            size: Size::default(),
            user: None,
            output: None,
            disks: Disks::default(),
            interfaces: Interfaces::default(),
            files: SharedFiles::new(uuid, run_dir),
            beginning: template::Beginning::default(),
            booting: None,
        }
    }

    fn unsupported(&self, what: &str) -> StartFailure {
        StartFailure::other(format!("the isolator kvm can't {what}"))
    }

    /// Why the machine has ended without a word of pod init's.
    fn silent_end(&self, signal: Option<i32>) -> StartFailure {
        if self.was_out_of_memory() {
            return StartFailure::other(
                "the virtual machine was killed: out of memory of the host, or of what it gives to the pod",
            );
        }
        if let Some(failure) = self.files.failure() {
            return failure;
        }
        let said = self.output.as_ref().and_then(Output::reason);
        StartFailure::other(match said {
            Some(said) => format!("the virtual machine ended{said}"),
            None => match (signal, self.vmm.name()) {
                (Some(signal), vmm) => format!(
                    "the virtual machine was killed: {vmm}, which runs it, got the signal {}",
                    name_of(signal)
                ),
                (None, _) => "the virtual machine was switched off or reset from inside".to_owned(),
            },
        })
    }
}

/// A signal's name, as people write it.
fn name_of(signal: i32) -> String {
    let known = nix::sys::signal::Signal::try_from(signal);
    known.map_or_else(|_| signal.to_string(), |known| known.as_str().to_owned())
}

impl Isolator for Kvm {
    fn start(&mut self, manifest: &PodManifest) -> Result<StartedInit, StartFailure> {
        let measurement = Measurement::begin(Path::new(&variable(ENV_RUN)?));
        let asked = manifest.virtual_machine.clone().unwrap_or_default();
        let program = machine::program(&*self.vmm)?;
        self.size = size(&asked, manifest)?;
        limits::expect_pod_within(&manifest.resources, self.size)?;
        for app in &manifest.apps {
            self.can_limit(&app.name, &app.resources)?;
        }
        self.files.find_program(manifest)?;
        let own =
            std::env::current_exe().map_err(StartFailure::os("find the isolator's directory"))?;
        let data = PathBuf::from(variable(ENV_DIR)?);
        let pod_init = own.with_file_name(POD_INIT);
        let boot = boot_files::provide(&data, asked.kernel.as_deref(), &pod_init)?;
        let disks = self.disks.open(&data, manifest, boot.record.checks_disks)?;
        let (output, console, errors) = Output::new()?;
        let output = &*self.output.insert(output);
        let cgroups = PodCgroups::find(&self.uuid.to_string(), manifest.cgroup_parent.as_ref())?;
        let cgroup = cgroups.path();
        // It is removed by who cleans up, whatever fails from here on.
        let cgroups = self.cgroups.insert(cgroups);
        cgroups.make(&self.run_dir)?;
        let bounded = limits::of_host(&manifest.resources, self.size);
        match cgroups.limit_pod(&bounded) {
            // A host that can't does without what nobody has asked for.
            Err(_) if manifest.resources.memory.limit.is_none() => {
                cgroups.limit_pod(&manifest.resources)?;
            }
            other => other?,
        }
        let interfaces = self
            .interfaces
            .join(self.uuid, manifest, cgroup.as_deref())?;
        let shares = self.files.serve(manifest, cgroups)?;
        let parts = Parts {
            console,
            errors,
            size: self.size,
            boot,
            disks,
            checks_disks: self.disks.are_checked(),
            interfaces: interfaces
                .into_iter()
                .map(|(tap, mac)| (Some(tap), mac))
                .collect(),
            shares,
            tsc_khz: measurement.finish(),
        };
        // The working directory is the pod's.
        let record = &parts.boot.record;
        let mut record = record.of_machine(self.size, asked.accelerator, parts.checks_disks);
        record.store(Path::new("."))?;
        let users = MachineUsers::new(&data);
        let user = users.claim(self.uuid)?;
        self.user = Some((users, user));
        let starter = Starter {
            vmm: &*self.vmm,
            program: &program,
            manifest,
            cgroups,
            user,
        };
        let (process, link) = match self.beginning.copy(&starter, &parts, &self.run_dir, output) {
            Some(copy) => {
                record.from_template = true;
                record.store(Path::new("."))?;
                copy
            }
            None => {
                let mut again = parts
                    .try_clone()
                    .map_err(StartFailure::os("duplicate a descriptor"))?;
                again.shares.clear();
                let Started { process, link, .. } = starter.start(parts, Origin::Boot)?;
                let program = program.clone();
                let mut booting = Booting::new(program, manifest.clone(), again, user, record);
                booting.begin(&process)?;
                self.booting = Some(booting);
                (process, link)
            }
        };
        Ok(StartedInit {
            process,
            link: Box::new(ToMachine::new(link, patience(asked.accelerator))?),
        })
    }

    fn take_warning(&mut self) -> Option<String> {
        self.beginning.take_warning()
    }

    fn hand_over(
        &mut self,
        manifest: &PodManifest,
        app: &App,
        sockets: Vec<OwnedFd>,
    ) -> Result<HandedOver, StartFailure> {
        if !sockets.is_empty() {
            return Err(self.unsupported("hand sockets to apps"));
        }
        let disk = self.disks.device_of(app);
        let AppFiles { root, mounts } = self.files.of_app(manifest, app, disk.is_some())?;
        let disk = disk.map(|path| MachineImage::Device {
            path,
            filesystem: "erofs".to_owned(),
            verity: self.disks.verity_of(app),
        });
        let image = root.or(disk);
        Ok(HandedOver::MachineApp(Box::new(MachineApp {
            image: image.ok_or_else(|| self.unsupported("find the files of the app's image"))?,
            mounts,
            resources: app.resources.clone(),
            usual_pids: manifest.bounds.pids,
            manages_cgroups: app.systemd || app.security.writable_cgroups,
        })))
    }

    fn init_process(&self) -> &'static str {
        "the pod's virtual machine"
    }

    /// Its pod init answers more slowly than one on the host does.
    fn slack(&self) -> Duration {
        patience::SLACK
    }

    fn begin_again(&mut self) -> Result<Option<StartedAgain>, StartFailure> {
        let (Some(booting), Some(cgroups)) = (&mut self.booting, &self.cgroups) else {
            return Ok(None);
        };
        if !booting.is_stuck() {
            return Ok(None);
        }
        let Some(mut parts) = booting.parts.take() else {
            return Err(StartFailure::other(
                "the pod's virtual machine was stuck while it booted, without a word, and so was another one",
            ));
        };
        booting.end();
        let manifest = &booting.manifest;
        parts.shares = self.files.serve_again(manifest, cgroups)?;
        let starter = Starter {
            vmm: &*self.vmm,
            program: &booting.program,
            manifest,
            cgroups,
            user: booting.user,
        };
        let Started { process, link, .. } = starter.start(parts, Origin::Boot)?;
        booting.record.boots += 1;
        booting.record.store(Path::new("."))?;
        booting.begin(&process)?;
        Ok(Some(StartedAgain {
            process,
            socket: link,
            warning: "the pod's virtual machine was stuck while it booted, without a word; it boots again"
                .to_owned(),
        }))
    }

    fn has_begun(&mut self) {
        self.booting = None;
    }

    fn companions(&self) -> Vec<OwnedFd> {
        self.files.processes()
    }

    /// What its apps have written elsewhere goes with it.
    fn is_done_when_all_is_said(&self) -> bool {
        !self.files.are_shared()
    }

    fn features(&self) -> &'static [Feature] {
        FEATURES
    }

    fn make_app(&mut self, manifest: &PodManifest, app: &App) -> Result<(), StartFailure> {
        let has_disk = self.disks.device_of(app).is_some();
        self.files.can_have(manifest, app, has_disk)?;
        self.can_limit(&app.name, &app.resources)?;
        self.files.make_app(manifest, app)
    }

    fn take_back(&mut self, app: &AppName) -> Result<(), StartFailure> {
        self.files.take_back(app)
    }

    fn remove_app(&mut self, app: &AppName) -> Result<(), StartFailure> {
        self.files.remove_app(app)
    }

    fn can_limit(&self, app: &AppName, resources: &Resources) -> Result<(), StartFailure> {
        limits::expect_within(app, resources, self.size)
    }

    fn asks_pod_init(&self) -> bool {
        true
    }

    fn update_pod(&mut self, resources: &Resources) -> Result<(), StartFailure> {
        let resources = limits::changed_on_host(resources, self.size)?;
        let cgroups = self.cgroups.as_ref();
        Ok(cgroups.map_or(Ok(()), |cgroups| cgroups.update_pod_in_time(&resources))?)
    }

    /// The whole machine, as the host has it.
    fn stats_of_pod(&mut self) -> Usage {
        let cgroups = self.cgroups.as_ref();
        let counted = cgroups.map(PodCgroups::statistics_of_pod);
        counted.unwrap_or_default().into()
    }

    fn network_namespace(&self) -> Option<PathBuf> {
        self.interfaces.namespace()
    }

    fn network_use(&mut self) -> Option<NetworkUse> {
        self.interfaces.usage()
    }

    fn was_out_of_memory(&self) -> bool {
        let cgroups = self.cgroups.as_ref();
        let kills = cgroups.and_then(PodCgroups::oom_kills_of_pod);
        kills.is_some_and(|kills| kills > 0)
    }

    fn network(&mut self, _manifest: &PodManifest) -> Result<PodNetwork, StartFailure> {
        Ok(self.interfaces.take())
    }

    fn explain(&self, failure: StartFailure) -> StartFailure {
        let said = self.output.as_ref().and_then(Output::last_line);
        match said {
            Some(said) => StartFailure::other(format!(
                "{}; the machine's last line: {said}",
                failure.message
            )),
            None => failure,
        }
    }

    fn explain_early_end(&mut self) -> Option<StartFailure> {
        Some(self.silent_end(None))
    }

    fn explain_end(&self, _exit_code: i32) -> StartFailure {
        self.silent_end(None)
    }

    fn explain_kill(&self, signal: Option<i32>) -> StartFailure {
        self.silent_end(signal)
    }

    fn clean_up(&mut self) -> Result<(), StartFailure> {
        self.files.end();
        let cgroups = self.cgroups.take();
        let cgroups = cgroups.map_or(Ok(()), |cgroups| Ok(cgroups.remove()?));
        let networks = self.interfaces.leave();
        let user = match self.user.take() {
            Some((users, id)) => users.release(self.uuid, id),
            None => Ok(()),
        };
        cgroups.and(networks).and(Ok(user?))
    }
}

#[cfg(test)]
mod tests {
    use pod::stage1::Stage1Manifest;

    use super::*;

    #[test]
    fn its_manifest_names_what_it_can_do() {
        let text = include_str!("../stage1.json");
        let manifest: Stage1Manifest = serde_json::from_str(text).unwrap();
        assert_eq!(manifest.features, FEATURES.iter().copied().collect());
    }
}
