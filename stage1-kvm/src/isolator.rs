//! The isolator: a virtual machine.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cni_glue::Netns;
use cni_glue::mac::Mac;
use cni_glue::tap::Tap;
use image_name::Digest;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use pod::control::{AppStats, Usage};
use pod::feature::Feature;
use pod::manifest::{Accelerator, App, Network, PodManifest, Resources, Verity};
use pod::stage1::{ENV_DIR, ENV_RUN};
use pod::{AppName, PodUuid};
use rustix::fs::{Mode, fchmod};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use stage1::cgroup::PodCgroups;
use stage1::environment::variable;
use stage1::failure::StartFailure;
use stage1::link::framed::ToMachine;
use stage1::link::{HandedOver, MachineApp, MachineImage};
use stage1::monitor::{Isolator, PodNetwork, StartedInit};
use stage1::networks::{PodNetworks, failed as network_failed};

use crate::boot_files::{self, BootFiles};
use crate::launcher::{self, FIRST, Program};
use crate::output::Output;
use crate::patience::patience;
use crate::qemu::Qemu;
use crate::size::size;
use crate::tsc::Measurement;
use crate::vmm::{Machine, Vmm};

/// What this isolator can do: the features of its `stage1.json`.
const FEATURES: &[Feature] = &[
    Feature::AdditionalGroups,
    Feature::Attach,
    Feature::Bandwidth,
    Feature::Capabilities,
    Feature::Exec,
    Feature::MaskedPaths,
    Feature::MemoryReservation,
    Feature::MemorySwap,
    Feature::Networks,
    Feature::NewPrivileges,
    Feature::OomScoreAdj,
    Feature::PidNamespace,
    Feature::ProcOptions,
    Feature::ReadonlyPaths,
    Feature::ReadonlyRoot,
    Feature::ReopenLog,
    Feature::Resources,
    Feature::Rlimits,
    Feature::Seccomp,
    Feature::ShmSize,
    Feature::Sysctl,
    Feature::Tty,
    Feature::Umask,
    Feature::VirtualMachine,
];

/// Pod init's program, beside this one.
const POD_INIT: &str = "pod-init";
/// Filesystems of images, in the directory of images and pods.
const FILESYSTEMS: &str = "images/filesystems";
/// The users as whom machines run: one of these for each pod.
const USERS: u32 = 0x7000_0000;
const USERS_MASK: u32 = 0x0fff_ffff;
const KVM: &str = "/dev/kvm";

/// One pod in a machine of its own.
#[derive(Debug)]
pub(crate) struct Kvm {
    uuid: PodUuid,
    run_dir: PathBuf,
    vmm: Box<dyn Vmm>,
    cgroups: Option<PodCgroups>,
    output: Option<Output>,
    /// The chain IDs of the filesystems that the machine has as disks, in this order.
    disks: Vec<Digest>,
    /// Whether its kernel can check them while it reads them.
    checks_disks: bool,
    networks: Option<PodNetworks>,
    /// What came of joining them, until the monitor asks.
    network: PodNetwork,
}

impl Kvm {
    pub(crate) fn new(uuid: PodUuid, run_dir: &Path) -> Self {
        Self {
            uuid,
            run_dir: run_dir.to_path_buf(),
            vmm: Box::new(Qemu),
            cgroups: None,
            output: None,
            disks: Vec::new(),
            checks_disks: false,
            networks: None,
            network: PodNetwork::default(),
        }
    }

    /// Opens the filesystems of all apps, each once.
    fn open_disks(&mut self, manifest: &PodManifest) -> Result<Vec<OwnedFd>, StartFailure> {
        let filesystems = PathBuf::from(variable(ENV_DIR)?).join(FILESYSTEMS);
        let mut files = Vec::new();
        for app in manifest.apps.iter() {
            let chain_id = chain_id(app)?;
            if self.disks.contains(chain_id) {
                continue;
            }
            let path = filesystems.join(chain_id.hex()).join("image");
            let file = File::open(&path);
            let file = file.map_err(StartFailure::os(format_args!("open {}", path.display())))?;
            self.disks.push(chain_id.clone());
            files.push(OwnedFd::from(file));
        }
        Ok(files)
    }

    /// Joins the pod's networks, in a namespace that its processes are not in, and hands the interfaces to the machine. What
    /// the machine is told of them is kept for pod init.
    fn join_networks(
        &mut self,
        manifest: &PodManifest,
        cgroup: Option<&str>,
    ) -> Result<Vec<(OwnedFd, Mac)>, StartFailure> {
        if manifest.network == Network::None {
            return Ok(Vec::new());
        }
        let netns = Netns::with_loopback().map_err(network_failed)?;
        let networks = self.networks.insert(PodNetworks::of(self.uuid)?);
        self.network = networks.join(manifest, netns, cgroup)?;
        let mut taps = Vec::new();
        let mut configs = Vec::new();
        for joined in &self.network.status.networks {
            let netns = networks.namespace();
            let netns = netns.ok_or_else(|| StartFailure::other("the pod has no network"))?;
            let Tap { device, config } = netns
                .hand_to_machine(&joined.interface)
                .map_err(network_failed)?;
            taps.push((device, config.mac));
            configs.push(config);
        }
        self.network.interfaces = Some(configs);
        Ok(taps)
    }

    fn unsupported(&self, what: &str) -> StartFailure {
        StartFailure::other(format!("the isolator kvm can't {what}"))
    }

    /// Why the machine has ended without a word of pod init's.
    fn silent_end(&self) -> StartFailure {
        let said = self.output.as_ref().and_then(Output::reason);
        StartFailure::other(match said {
            Some(said) => format!("the virtual machine ended: {said}"),
            None => "the virtual machine ended without saying why".to_owned(),
        })
    }
}

/// The words for a machine's kernel.
fn kernel_words(accelerator: Accelerator, tsc_khz: Option<u64>) -> String {
    let tsc = match (accelerator, tsc_khz) {
        // KVM tells it by itself.
        (Accelerator::Kvm, _) | (_, None) => String::new(),
        (Accelerator::Tcg, Some(figure)) => format!(" tsc_early_khz={figure}"),
    };
    format!("console=ttyS0 quiet reboot=t panic=-1 cryptomgr.notests noreplace-smp{tsc} -- first")
}

/// By what the store has the filesystem of an app's image.
fn chain_id(app: &App) -> Result<&Digest, StartFailure> {
    let filesystem = app.image.filesystem.as_ref();
    let chain_id = filesystem.map(|filesystem| &filesystem.chain_id);
    chain_id.ok_or_else(|| {
        StartFailure::other(format!(
            "nobody has made a filesystem of the image of app {}",
            app.name
        ))
    })
}

/// By what the machine's kernel checks what it reads of an app's image, where it can.
fn verity(app: &App, checks_disks: bool) -> Option<Verity> {
    let filesystem = app.image.filesystem.as_ref();
    filesystem.filter(|_| checks_disks)?.verity.clone()
}

/// Where a machine has its disk of this number.
fn device(number: usize) -> PathBuf {
    let letter = u8::try_from(number)
        .ok()
        .and_then(|number| b'a'.checked_add(number))
        .unwrap_or(b'a');
    PathBuf::from(format!("/dev/vd{}", char::from(letter)))
}

/// A connected socket: this program's end, and the other one.
fn sockets() -> Result<(OwnedFd, OwnedFd), StartFailure> {
    let make = StartFailure::os::<nix::errno::Errno>("make a socket for a machine");
    let (family, kind) = (AddressFamily::Unix, SockType::Stream);
    socketpair(family, kind, None, SockFlag::SOCK_CLOEXEC).map_err(make)
}

/// A pipe into which who runs the machine may write, and that is read once the machine has ended.
fn pipe() -> Result<(OwnedFd, OwnedFd), StartFailure> {
    let made = (|| {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // It is opened again by who is not root.
        fchmod(&writer, Mode::from_raw_mode(0o622))?;
        Ok((reader, writer))
    })();
    made.map_err(StartFailure::os::<Errno>("make a pipe for a machine"))
}

impl Isolator for Kvm {
    fn start(&mut self, manifest: &PodManifest) -> Result<StartedInit, StartFailure> {
        let measurement = Measurement::begin(Path::new(&variable(ENV_RUN)?));
        let asked = manifest.virtual_machine.clone().unwrap_or_default();
        let path = self.vmm.program().ok_or_else(|| {
            StartFailure::other(format!(
                "there is no {}, which runs virtual machines; install it, such as Debian's qemu-system-x86",
                self.vmm.name()
            ))
        })?;
        let own =
            std::env::current_exe().map_err(StartFailure::os("find the isolator's directory"))?;
        let BootFiles {
            kernel,
            initramfs,
            record,
        } = boot_files::provide(
            Path::new(&variable(ENV_DIR)?),
            asked.kernel.as_deref(),
            &own.with_file_name(POD_INIT),
        )?;
        let disks = self.open_disks(manifest)?;
        let (link, port) = sockets()?;
        let (console, of_machine) = pipe()?;
        let (errors, of_program) = pipe()?;
        self.output = Some(Output { errors, console });
        let cgroups = PodCgroups::find(&self.uuid.to_string())?;
        let cgroup = cgroups.path();
        // It is removed by who cleans up, whatever fails from here on.
        self.cgroups.insert(cgroups).make(&self.run_dir)?;
        let (taps, macs): (Vec<_>, Vec<_>) = self
            .join_networks(manifest, cgroup.as_deref())?
            .into_iter()
            .unzip();
        let most = self.vmm.devices_max();
        if disks.len() + taps.len() > most {
            return Err(StartFailure::other(format!(
                "the pod has apps of {} images and {} network interfaces, and a virtual machine has place for {most} of \
                 both",
                disks.len(),
                taps.len()
            )));
        }
        let mut numbers = FIRST + 4..;
        let machine = Machine {
            size: size(&asked, manifest),
            accelerator: asked.accelerator,
            console: FIRST,
            port: FIRST + 1,
            kernel: FIRST + 2,
            initramfs: FIRST + 3,
            kernel_words: kernel_words(asked.accelerator, measurement.finish()),
            disks: numbers.by_ref().take(disks.len()).collect(),
            interfaces: numbers.zip(macs).collect(),
        };
        self.checks_disks = record.checks_disks;
        record.of_machine(&machine).store(Path::new("."))?;
        let given = [of_machine, port, kernel.into(), initramfs.into()];
        let groups = match asked.accelerator {
            Accelerator::Kvm => {
                let device = std::fs::metadata(KVM);
                vec![
                    device
                        .map_err(StartFailure::os(format_args!("look at {KVM}")))?
                        .gid(),
                ]
            }
            Accelerator::Tcg => Vec::new(),
        };
        let cgroups = self.cgroups.as_ref();
        let cgroups =
            cgroups.ok_or_else(|| StartFailure::other("the pod's cgroups are not there"))?;
        let process = launcher::start(
            &Program {
                path: &path,
                arguments: &self.vmm.arguments(&machine),
                errors: of_program,
                descriptors: given.into_iter().chain(disks).chain(taps).collect(),
                user: user_of(self.uuid),
                groups,
            },
            cgroups,
        )?;
        Ok(StartedInit {
            process,
            link: Box::new(ToMachine::new(link, patience(asked.accelerator))?),
        })
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
        let chain_id = chain_id(app)?;
        let number = self.disks.iter().position(|disk| disk == chain_id);
        let number = number
            .ok_or_else(|| self.unsupported("give a running machine the files of another image"))?;
        Ok(HandedOver::MachineApp(Box::new(MachineApp {
            image: MachineImage::Device {
                path: device(number),
                filesystem: "erofs".to_owned(),
                verity: verity(app, self.checks_disks),
            },
            resources: app.resources.clone(),
            usual_pids: manifest.bounds.pids,
        })))
    }

    fn features(&self) -> &'static [Feature] {
        FEATURES
    }

    fn make_app(&mut self, _manifest: &PodManifest, _app: &App) -> Result<(), StartFailure> {
        Err(self.unsupported("add apps to a running pod"))
    }

    fn take_back(&mut self, _app: &AppName) -> Result<(), StartFailure> {
        Ok(())
    }

    fn update(&mut self, _app: &AppName, _resources: &Resources) -> Result<(), StartFailure> {
        Err(self.unsupported("change the limits of an app"))
    }

    fn update_pod(&mut self, _resources: &Resources) -> Result<(), StartFailure> {
        Err(self.unsupported("change the limits of a pod"))
    }

    fn stats(&mut self, app: &AppName) -> AppStats {
        AppStats {
            app: app.clone(),
            cpu: Default::default(),
            memory: Default::default(),
            pids: Default::default(),
            block_io: Default::default(),
        }
    }

    fn stats_of_pod(&mut self) -> Usage {
        Usage::default()
    }

    /// Pod init counts, and tells by how an app has ended.
    fn oom_kills(&mut self, _app: &AppName) -> Option<u64> {
        None
    }

    fn freeze(&mut self, _app: &AppName) -> Result<(), StartFailure> {
        Err(self.unsupported("freeze apps"))
    }

    fn thaw(&mut self, _app: &AppName) -> Result<(), StartFailure> {
        Err(self.unsupported("thaw apps"))
    }

    fn network(&mut self, _manifest: &PodManifest) -> Result<PodNetwork, StartFailure> {
        Ok(std::mem::take(&mut self.network))
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
        Some(self.silent_end())
    }

    fn explain_end(&self, _exit_code: i32) -> StartFailure {
        self.silent_end()
    }

    fn explain_kill(&self) -> StartFailure {
        self.silent_end()
    }

    fn clean_up(&mut self) -> Result<(), StartFailure> {
        let cgroups = self.cgroups.take();
        let cgroups = cgroups.map_or(Ok(()), |cgroups| Ok(cgroups.remove()?));
        let networks = self.networks.take();
        let networks = networks.map_or(Ok(()), |mut networks| networks.leave());
        cgroups.and(networks)
    }
}

/// The user as whom the machine of a pod runs: no process of another pod can reach it.
fn user_of(uuid: PodUuid) -> u32 {
    let text = uuid.to_string();
    let digits = text.chars().filter(char::is_ascii_hexdigit).take(8);
    let number = u32::from_str_radix(&digits.collect::<String>(), 16).unwrap_or(0);
    USERS | (number & USERS_MASK)
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

    #[test]
    fn a_translated_kernel_is_told_how_fast_time_goes_and_another_knows() {
        let words = kernel_words(Accelerator::Tcg, Some(2_600_000));
        assert!(words.contains(" tsc_early_khz=2600000 -- first"), "{words}");
        for words in [
            kernel_words(Accelerator::Kvm, Some(1)),
            kernel_words(Accelerator::Tcg, None),
        ] {
            assert!(!words.contains("tsc"), "{words}");
        }
    }

    #[test]
    fn a_machine_runs_as_a_user_of_its_pod_alone() {
        let user = |uuid: &str| user_of(uuid.parse().unwrap());
        let one = user("fedcba98-0000-4000-8000-000000000000");
        assert_eq!(one, 0x7edc_ba98);
        assert_ne!(one, user("fedcba99-0000-4000-8000-000000000000"));
    }

    #[test]
    fn disks_have_letters() {
        assert_eq!(device(0), Path::new("/dev/vda"));
        assert_eq!(device(19), Path::new("/dev/vdt"));
    }
}
