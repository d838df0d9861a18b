//! The virtual machine of a pod, for isolators that run pods in one.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use image_store::Depth;
use pod::feature::Feature;
use pod::manifest::{Accelerator, ImageFilesystem, Verity, VirtualMachine};
use pod::stage1::Stage1;
use pod::templates;
use trust::Integrity;

pub use crate::config::kvm::AcceleratorChoice;
use crate::config::kvm::Kvm;
use crate::engine::Engine;
use crate::error::{Error, MachineError};
use crate::machine::kvm_lack;
use crate::observer::{Observer, Warning};
use crate::policy::verifier::RunnableImage;

/// After so long without a copy a template goes: making one takes seconds, and keeping one a hundred megabytes.
const TEMPLATE_UNUSED: Duration = Duration::from_secs(24 * 60 * 60);
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What is asked of a pod's virtual machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MachineSpec {
    /// The file of its kernel, if not the newest that is installed.
    pub kernel: Option<PathBuf>,
    /// Its memory in bytes, if not by the limits of its apps.
    pub memory: Option<u64>,
    /// Its processors, if not by the limits of its apps.
    pub cpus: Option<u32>,
    /// What executes its instructions, if somebody has a wish.
    pub accelerator: Option<AcceleratorChoice>,
    /// Whether it may be a copy of a machine that has booted, which others are copies of too.
    pub template: Option<bool>,
}

impl MachineSpec {
    /// With what the configuration says of it, where nothing else is asked.
    fn or_configured(&self, config: &Kvm) -> Self {
        Self {
            kernel: self.kernel.clone().or_else(|| config.kernel.clone()),
            memory: self.memory.or(config.memory),
            cpus: self.cpus.or(config.cpus),
            accelerator: self.accelerator.or(config.accel),
            template: self.template.or(config.template),
        }
    }
}

/// The machine of a pod with this isolator; `None` if it runs pods in none, and nobody asks for one.
///
/// # Errors
/// If the processor can't do what is asked for.
pub(super) fn resolve(
    asked: &MachineSpec,
    config: &Kvm,
    stage1: &Stage1,
) -> Result<Option<VirtualMachine>, Error> {
    let asked = match runs_machines(stage1) {
        true => &asked.or_configured(config),
        false if *asked == MachineSpec::default() => return Ok(None),
        false => asked,
    };
    let accelerator = match asked.accelerator {
        Some(AcceleratorChoice::Tcg) => Accelerator::Tcg,
        Some(AcceleratorChoice::Kvm) => match kvm_lack() {
            Some(lack) => return Err(MachineError::NoKvm(lack).into()),
            None => Accelerator::Kvm,
        },
        Some(AcceleratorChoice::Auto) | None => match kvm_lack() {
            Some(_) => Accelerator::Tcg,
            None => Accelerator::Kvm,
        },
    };
    Ok(Some(VirtualMachine {
        kernel: asked.kernel.clone(),
        memory: asked.memory,
        cpus: asked.cpus,
        accelerator,
        template: asked.template.unwrap_or(false),
    }))
}

/// Says so where a pod is slow and nobody asked for that.
pub(super) fn warn_if_translated(
    asked: &MachineSpec,
    config: &Kvm,
    machine: Option<&VirtualMachine>,
    observer: &dyn Observer,
) {
    let is_translated = machine.is_some_and(|own| own.accelerator == Accelerator::Tcg);
    let wanted = asked.accelerator.or(config.accel);
    if is_translated && wanted != Some(AcceleratorChoice::Tcg) {
        observer.warning(Warning::Translated);
    }
}

/// The files of an image as a filesystem, if this isolator needs one: a pod that is kept shares its files with the host. The
/// caller holds a pin.
///
/// # Errors
/// If it can't be made.
pub(super) fn filesystem(
    stage1: &Stage1,
    image: &RunnableImage,
    is_kept: bool,
    engine: &Engine,
) -> Result<Option<ImageFilesystem>, Error> {
    if !runs_machines(stage1) || is_kept {
        return Ok(None);
    }
    let depth = match image.proof().verification().integrity {
        Integrity::Full => Depth::Contents,
        _ => Depth::Inodes,
    };
    let made = engine.store().filesystem(image.image().layers(), depth)?;
    let verity = Verity {
        root_hash: made.verity.root_hash,
        salt: made.verity.salt,
        data_blocks: made.verity.data_blocks,
    };
    Ok(Some(ImageFilesystem {
        chain_id: made.chain_id,
        digest: made.digest,
        // It costs a tenth of a second at the start, so it is for those who want every byte to be checked.
        verity: (depth == Depth::Contents).then_some(verity),
    }))
}

/// Removes templates that nobody has used for long, and those of earlier boots.
///
/// # Errors
/// What can't be removed.
pub(super) fn collect_templates(engine: &Engine) -> Result<(), Error> {
    let data = &engine.directories.data;
    let collected = fs::read_to_string(BOOT_ID)
        .and_then(|boot| templates::collect(data, boot.trim(), TEMPLATE_UNUSED));
    Ok(collected.map_err(MachineError::Templates)?)
}

fn runs_machines(stage1: &Stage1) -> bool {
    stage1.manifest.features.contains(&Feature::VirtualMachine)
}
