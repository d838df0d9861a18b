//! What machines boot from: a kernel and its first root, made once for each kernel and pod init, and kept.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use image_layer::sha256;
use image_name::Digest;
use pod::machine::MachineRecord;
use pod::machine_parts::{Kernel, VERITY, VIRTIOFS, find};
use pod::manifest::Accelerator;
use pod::record::Version;
use pod::templates::{NEW_BOOT_FILES, collect_half_made};
use serde::{Deserialize, Serialize};
use stage1::failure::StartFailure;
use stage1::first_root::Purpose;

use crate::initramfs::archive;
use crate::kept_directory::{self, Unfinished};
use crate::kernel::{Module, Modules, extract, wants_signed_modules};
use crate::size::Size;

/// The directory of all of them, in that of images and pods.
const FOLDER: &str = "kvm";
const KERNEL: &str = "vmlinux";
const INITRAMFS: &str = "initramfs";
/// What is known of both.
const RECORD: &str = "record.json";
/// Most bytes of a kernel's file: some ten times what distributions have.
const KERNEL_MAX: u64 = 256 << 20;
/// A change of what is made of the same files.
const FORM: u32 = 5;

/// What is loaded for each purpose, without which a pod that has it can't run.
fn needed(purpose: Purpose) -> &'static [&'static str] {
    match purpose {
        Purpose::Machine => &["virtio_mmio", "virtio_console"],
        Purpose::Disks => &["virtio_blk", "erofs", "overlay"],
        Purpose::Interfaces => &["virtio_net"],
        Purpose::Checks | Purpose::Shares => &[],
    }
}

/// What is loaded as well where it is there, before the others: what they ask for in a way that their files don't tell,
/// and what only some pods have.
fn optional(purpose: Purpose) -> &'static [&'static str] {
    match purpose {
        Purpose::Disks => &["crc32c_generic"],
        Purpose::Checks => &[VERITY],
        Purpose::Shares => &[VIRTIOFS],
        Purpose::Machine | Purpose::Interfaces => &[],
    }
}

/// The files, open for reading.
#[derive(Debug)]
pub(crate) struct BootFiles {
    pub(crate) kernel: File,
    pub(crate) initramfs: File,
    /// The directory where they are.
    pub(crate) place: PathBuf,
    pub(crate) record: Record,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Record {
    /// The kernel's file, as the distribution has it.
    pub(crate) source: PathBuf,
    pub(crate) kernel: Digest,
    pub(crate) initramfs: Digest,
    /// Whether the kernel can check disks while it reads them.
    pub(crate) checks_disks: bool,
    /// What both files show to stat(2) since then: whoever changes one changes that.
    facts: [String; 2],
}

impl Record {
    /// What is to be on record of a machine that boots from these files.
    pub(crate) fn of_machine(
        &self,
        size: Size,
        accelerator: Accelerator,
        checks_disks: bool,
    ) -> MachineRecord {
        MachineRecord {
            version: Version,
            kernel_file: self.source.clone(),
            kernel: self.kernel.clone(),
            initramfs: self.initramfs.clone(),
            accelerator,
            memory: size.memory,
            cpus: size.cpus,
            checks_disks,
            boots: 1,
        }
    }
}

impl BootFiles {
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            kernel: self.kernel.try_clone()?,
            initramfs: self.initramfs.try_clone()?,
            place: self.place.clone(),
            record: self.record.clone(),
        })
    }

    /// All of the first root.
    ///
    /// # Errors
    /// If it can't be read.
    pub(crate) fn read_initramfs(&self) -> Result<Vec<u8>, StartFailure> {
        let path = self.place.join(INITRAMFS);
        fs::read(&path).map_err(failed("read", &path))
    }
}

/// The files for a kernel and pod init, which are made if they are not there. `data` is the directory of images and pods.
///
/// # Errors
/// If there is no such kernel, or they can't be made.
pub(crate) fn provide(
    data: &Path,
    kernel: Option<&Path>,
    pod_init: &Path,
) -> Result<BootFiles, StartFailure> {
    let kernel = find(kernel).map_err(|error| StartFailure::other(error.to_string()))?;
    let folder = data.join(FOLDER);
    let name = name(&kernel.image, pod_init)?;
    let place = folder.join(&name);
    match open(&place) {
        Ok(Some(files)) => return Ok(files),
        // They are not what was made.
        Ok(None) => kept_directory::remove(&place).map_err(failed("remove", &place))?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed("open", &place)(error)),
    }
    kept_directory::make(&folder).map_err(failed("make", &folder))?;
    let unfinished = Unfinished::new(&folder).map_err(failed("write to", &folder))?;
    make(&kernel, pod_init, &unfinished.path)?;
    match fs::rename(&unfinished.path, &place) {
        // Another pod was faster.
        Err(error) if is_taken(&error) => Ok(()),
        other => other,
    }
    .map_err(failed("write", &place))?;
    drop(unfinished);
    let files = open(&place).map_err(failed("open", &place))?;
    let files = files.ok_or_else(|| {
        StartFailure::other(format!("somebody changes the files in {}", place.display()))
    })?;
    // Those of other kernels and releases are made again by whoever needs them; those that run have them open.
    remove_others(&folder, &name);
    Ok(files)
}

/// What the files of this kernel and this pod init are called: other files have other names.
fn name(kernel: &Path, pod_init: &Path) -> Result<String, StartFailure> {
    let facts = |path: &Path| -> Result<String, StartFailure> {
        let found = fs::metadata(path).map_err(failed("look at", path))?;
        Ok(format!("{} {}", path.display(), facts_of(&found)))
    };
    let all = format!("{FORM} {} {}", facts(kernel)?, facts(pod_init)?);
    Ok(sha256(all.as_bytes()).hex().to_owned())
}

/// What differs where another file has taken the place of one.
pub(crate) fn facts_of(found: &Metadata) -> String {
    let (inode, size) = (found.ino(), found.size());
    let changed = (found.ctime(), found.ctime_nsec());
    format!("{inode} {size} {}.{}", changed.0, changed.1)
}

/// The files of a directory, if they are what was made.
fn open(place: &Path) -> io::Result<Option<BootFiles>> {
    let kernel = File::open(place.join(KERNEL))?;
    let initramfs = File::open(place.join(INITRAMFS))?;
    let record = fs::read(place.join(RECORD))?;
    let facts = [
        facts_of(&kernel.metadata()?),
        facts_of(&initramfs.metadata()?),
    ];
    let record = serde_json::from_slice::<Record>(&record).ok();
    let record = record.filter(|record| record.facts == facts);
    Ok(record.map(|record| BootFiles {
        kernel,
        initramfs,
        place: place.to_owned(),
        record,
    }))
}

fn make(kernel: &Kernel, pod_init: &Path, folder: &Path) -> Result<(), StartFailure> {
    let image = read_kernel(&kernel.image)?;
    let extracted = extract(&image).map_err(failed("take the kernel out of", &kernel.image))?;
    let modules = Modules::read(&kernel.modules)?;
    let checks_disks = modules.has(VERITY);
    let modules = by_purpose(kernel, &modules)?;
    let program = fs::read(pod_init).map_err(failed("read", pod_init))?;
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        let facts = write(&path, bytes).map_err(failed("write", &path))?;
        Ok::<_, StartFailure>((sha256(bytes), facts))
    };
    let (kernel_digest, kernel_facts) = put(KERNEL, &extracted)?;
    let (initramfs, initramfs_facts) = put(INITRAMFS, &archive(&program, &modules))?;
    let record = Record {
        source: kernel.image.clone(),
        kernel: kernel_digest,
        initramfs,
        checks_disks,
        facts: [kernel_facts, initramfs_facts],
    };
    let record =
        serde_json::to_vec(&record).map_err(StartFailure::os("write down what was made"))?;
    put(RECORD, &record).map(|_| ())
}

fn read_kernel(path: &Path) -> Result<Vec<u8>, StartFailure> {
    let found = fs::metadata(path).map_err(failed("look at", path))?;
    if found.len() > KERNEL_MAX {
        return Err(StartFailure::other(format!(
            "the kernel {} has {} bytes: kernels of machines have {KERNEL_MAX} at most",
            path.display(),
            found.len()
        )));
    }
    fs::read(path).map_err(failed("read", path))
}

/// The modules for each purpose. What any machine has is not there again.
fn by_purpose(
    kernel: &Kernel,
    modules: &Modules,
) -> Result<Vec<(Purpose, Vec<Module>)>, StartFailure> {
    let wants_signatures = wants_signed_modules(kernel);
    let mut loaded = BTreeSet::new();
    let all = Purpose::ALL.into_iter().map(|purpose| {
        let mut found = modules.with_needed(needed(purpose), optional(purpose))?;
        found.retain(|module| !loaded.contains(&module.name));
        if purpose == Purpose::Machine {
            loaded.extend(found.iter().map(|module| module.name.clone()));
        }
        if !wants_signatures {
            found.iter_mut().for_each(Module::remove_signature);
        }
        Ok((purpose, found))
    });
    let all = all.collect::<Result<Vec<_>, StartFailure>>()?;
    let there = all.into_iter().filter(|(_, modules)| !modules.is_empty());
    Ok(there.collect())
}

/// A file that is read by who may not enter the directory: it is handed to them. Gives what it shows to stat(2).
fn write(path: &Path, bytes: &[u8]) -> io::Result<String> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o444)
        .open(path)?;
    file.write_all(bytes)?;
    // A name never stands for less.
    file.sync_all()?;
    Ok(facts_of(&file.metadata()?))
}

fn remove_others(folder: &Path, name: &str) {
    // Those who can't be removed now are when the next one makes some, or by `gc`.
    let _ = collect_half_made(folder);
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let other = entry.file_name();
        // One that is being made is somebody's.
        if other != name && !other.to_string_lossy().starts_with(NEW_BOOT_FILES) {
            // The next one that makes some tries again.
            let _ = kept_directory::remove(&entry.path());
        }
    }
}

fn is_taken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists
    )
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StartFailure + use<> {
    let path: PathBuf = path.to_owned();
    move |error| StartFailure::io(format_args!("{what} {}", path.display()))(error)
}

#[cfg(test)]
mod tests {
    use pod::machine_parts::MODULES;

    use super::*;

    #[test]
    fn what_is_loaded_is_what_others_are_told_a_kernel_needs() {
        let loaded = Purpose::ALL.into_iter().flat_map(needed);
        assert_eq!(
            loaded.collect::<BTreeSet<_>>(),
            MODULES.iter().collect::<BTreeSet<_>>()
        );
    }
}
