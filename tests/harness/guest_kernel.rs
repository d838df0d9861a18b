//! The kernel that virtual machines of the tests boot: Debian's, unpacked from its package and
//! never installed.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::binaries::repository;

/// The kernel of a package that is unpacked as a whole, its modules beside it, as a machine has it that installed it. Unpacked
/// once per machine.
///
/// # Panics
/// If there is no package.
pub fn installed_kernel() -> PathBuf {
    let package = package();
    let name = package.file_stem().expect("a file name").to_string_lossy();
    let folder = repository()
        .join("target/images")
        .join(format!("{name}-tree"));
    if !folder.exists() {
        let above = folder.parent().expect("a folder above");
        fs::create_dir_all(above).expect("target/images");
        let work = tempfile::tempdir_in(above).expect("a temporary folder");
        let status = Command::new("dpkg-deb")
            .arg("-x")
            .args([&package, &work.path().to_owned()])
            .status();
        assert!(status.expect("start dpkg-deb").success(), "dpkg-deb failed");
        // Another test that was faster has made the same.
        if let Err(error) = fs::rename(work.path(), &folder) {
            assert!(folder.exists(), "rename the unpacked kernel: {error}");
        }
    }
    let boot = fs::read_dir(folder.join("boot")).expect("the kernel's folder");
    let mut files = boot.map(|entry| entry.expect("its files").path());
    files
        .find(|path| named(path, "vmlinuz"))
        .expect("the package has a kernel")
}

/// The newest package that `tests/prepare-machine` has fetched.
fn package() -> PathBuf {
    let mut packages: Vec<PathBuf> = fs::read_dir(repository().join("target/kernel"))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension() == Some(OsStr::new("deb")))
        .collect();
    packages.sort();
    packages
        .pop()
        .expect("there is no kernel: run tests/prepare-machine")
}

/// An unpacked kernel package.
#[derive(Debug)]
pub(crate) struct GuestKernel {
    folder: PathBuf,
}

impl GuestKernel {
    /// Unpacks the newest package that `tests/prepare-machine` has fetched, once per machine.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn find() -> Self {
        let package = package();
        let name = package.file_stem().expect("a file name").to_string_lossy();
        let folder = repository()
            .join("target/images")
            .join(format!("{name}-modules"));
        if !folder.exists() {
            unpack(&package, &folder);
        }
        Self { folder }
    }

    /// The compressed kernel.
    pub(crate) fn image(&self) -> PathBuf {
        let files = self.files();
        let image = files.iter().find(|path| named(path, "vmlinuz"));
        image.expect("the package has a kernel").clone()
    }

    /// The files of a module and of all that it needs, in the order to load them.
    pub(crate) fn module(&self, name: &str) -> Vec<PathBuf> {
        let mut order = Vec::new();
        self.add_module(&self.files(), name, &mut order);
        order
    }

    fn add_module(&self, files: &[PathBuf], name: &str, order: &mut Vec<PathBuf>) {
        let file = files.iter().find(|path| {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            path.extension() == Some(OsStr::new("ko")) && stem.replace('-', "_") == name
        });
        let file = file.unwrap_or_else(|| panic!("the kernel has no module {name}"));
        if order.contains(file) {
            return;
        }
        let bytes = fs::read(file).expect("read a kernel module");
        for needed in depends(&bytes) {
            self.add_module(files, &needed.replace('-', "_"), order);
        }
        order.push(file.clone());
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).expect("the unpacked kernel");
        entries
            .map(|entry| entry.expect("its files").path())
            .collect()
    }
}

fn named(path: &Path, prefix: &str) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with(prefix))
}

/// The entry `depends=` of a module's section `.modinfo`: names and NUL bytes.
fn depends(module: &[u8]) -> Vec<String> {
    let key = b"\0depends=";
    let start = module
        .windows(key.len())
        .position(|window| window == key)
        .map_or(module.len(), |start| start + key.len());
    let list: Vec<u8> = module[start..]
        .iter()
        .copied()
        .take_while(|byte| *byte != 0)
        .collect();
    String::from_utf8_lossy(&list)
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Parts of the kernel whose modules are taken.
const PARTS: [&str; 7] = [
    "fs",
    "net",
    "lib",
    "drivers/block",
    "drivers/net",
    "drivers/char",
    "drivers/virtio",
];

/// Takes the kernel and the modules of its filesystems, disks, networks and serial ports out of the package, all into one
/// directory.
fn unpack(package: &Path, folder: &Path) {
    let above = folder.parent().expect("a folder above");
    fs::create_dir_all(above).expect("target/images");
    let work = tempfile::tempdir_in(above).expect("a temporary folder");
    let mut child = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(package)
        .stdout(Stdio::piped())
        .spawn()
        .expect("start dpkg-deb");
    let mut archive = tar::Archive::new(child.stdout.take().expect("piped"));
    for entry in archive.entries().expect("the package's tar") {
        let mut entry = entry.expect("an entry of the package");
        let path = entry.path().expect("a path").into_owned();
        let text = path.to_string_lossy();
        let part = text.split_once("/kernel/").map_or("", |(_, path)| path);
        let module = text.ends_with(".ko") && PARTS.iter().any(|one| part.starts_with(one));
        if !(module || named(&path, "vmlinuz")) {
            continue;
        }
        let mut content = Vec::new();
        entry
            .read_to_end(&mut content)
            .expect("a file of the package");
        let name = path.file_name().expect("a file name");
        fs::write(work.path().join(name), content).expect("unpack the kernel");
    }
    let status = child.wait().expect("wait for dpkg-deb");
    assert!(status.success(), "dpkg-deb: {status}");
    // Another test that was faster has made the same.
    if let Err(error) = fs::rename(work.path(), folder) {
        assert!(folder.exists(), "rename the unpacked kernel: {error}");
    }
}
