//! Kernels that machines can boot, and where their modules are.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

/// Where distributions put kernels.
const BOOT: &str = "/boot";
/// What the files of kernels are called, before their version.
const NAMES: [&str; 2] = ["vmlinuz-", "vmlinux-"];

/// A kernel that machines can boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// Its file, as boot loaders take it.
    pub image: PathBuf,
    /// The directory of its modules.
    pub modules: PathBuf,
}

/// Why there is no kernel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoKernel {
    /// Nothing tells its version.
    #[error("the kernel {} is not called vmlinuz-VERSION, so its modules can't be found", .0.display())]
    Nameless(PathBuf),
    /// It isn't there.
    #[error("there is no kernel {}", .0.display())]
    Absent(PathBuf),
    /// It is a directory, or nothing that is read to its end.
    #[error("the kernel {} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// Its modules are not there.
    #[error("the kernel {} has no modules: there is no lib/modules/{version} beside it", .image.display())]
    Alone {
        /// Its file.
        image: PathBuf,
        /// Its version.
        version: String,
    },
    /// None is installed.
    #[error(
        "there is no kernel for a virtual machine: no vmlinuz-VERSION with modules in {BOOT}; install one, such as \
         Debian's linux-image-cloud-amd64, or name its file with --kvm-kernel or `kernel` in [kvm] of config.toml"
    )]
    NotInstalled,
}

/// The kernel in that file, or else the newest that is installed with its modules.
///
/// # Errors
/// If there is none.
pub fn find(wanted: Option<&Path>) -> Result<Kernel, NoKernel> {
    let Some(image) = wanted else {
        return newest(Path::new(BOOT)).ok_or(NoKernel::NotInstalled);
    };
    let own = || image.to_owned();
    match fs::metadata(image) {
        Err(_) => return Err(NoKernel::Absent(own())),
        Ok(found) if !found.is_file() => return Err(NoKernel::NotAFile(own())),
        Ok(_) => {}
    }
    let version = version_of(image).ok_or_else(|| NoKernel::Nameless(own()))?;
    kernel(image, version).ok_or_else(|| NoKernel::Alone {
        image: own(),
        version: version.to_owned(),
    })
}

/// The newest kernel in a directory.
fn newest(boot: &Path) -> Option<Kernel> {
    let entries = fs::read_dir(boot).ok()?.flatten();
    let mut images: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    images.retain(|image| version_of(image).is_some());
    images.sort_by(|one, other| by_version(version_of(one), version_of(other)));
    images
        .iter()
        .rev()
        .find_map(|image| kernel(image, version_of(image)?))
}

fn version_of(image: &Path) -> Option<&str> {
    let name = image.file_name()?.to_str()?;
    NAMES.iter().find_map(|start| name.strip_prefix(start))
}

/// The kernel in a file, if its modules are where its package has them.
fn kernel(image: &Path, version: &str) -> Option<Kernel> {
    let folder = image.parent()?;
    // As of an unpacked package, `boot` and `lib` may be anywhere, beside each other.
    let beside = match folder.file_name() {
        Some(name) if name == "boot" => folder.parent()?,
        _ => folder,
    };
    let places = ["lib/modules", "usr/lib/modules"];
    let places = [beside, Path::new("/")]
        .into_iter()
        .flat_map(|root| places.map(|place| root.join(place).join(version)));
    let modules = places.into_iter().find(|place| place.is_dir())?;
    Some(Kernel {
        image: image.to_owned(),
        modules,
    })
}

/// Orders versions: their numbers count as numbers.
fn by_version(one: Option<&str>, other: Option<&str>) -> Ordering {
    let parts = |version: Option<&str>| -> Vec<(u64, String)> {
        let version = version.unwrap_or_default();
        let mut parts = Vec::new();
        let mut rest = version;
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, after) = rest.split_at(digits);
            let text = after.len()
                - after
                    .trim_start_matches(|c: char| !c.is_ascii_digit())
                    .len();
            let (text, after) = after.split_at(text);
            parts.push((number.parse().unwrap_or(0), text.to_owned()));
            rest = after;
        }
        parts
    };
    parts(one).cmp(&parts(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_kernel_with_modules_is_taken_and_numbers_count_as_numbers() {
        let root = tempfile::tempdir().unwrap();
        let boot = root.path().join("boot");
        fs::create_dir(&boot).unwrap();
        for version in ["6.1.0-9-amd64", "6.1.0-57-cloud-amd64", "6.12.1-x"] {
            fs::write(boot.join(format!("vmlinuz-{version}")), "").unwrap();
        }
        fs::write(boot.join("config-7.0.0"), "").unwrap();
        assert_eq!(newest(&boot), None);
        for version in ["6.1.0-9-amd64", "6.1.0-57-cloud-amd64"] {
            fs::create_dir_all(root.path().join("lib/modules").join(version)).unwrap();
        }
        let found = newest(&boot).unwrap();
        assert_eq!(found.image, boot.join("vmlinuz-6.1.0-57-cloud-amd64"));
        let modules = "lib/modules/6.1.0-57-cloud-amd64";
        assert_eq!(found.modules, root.path().join(modules));
        // One that somebody names need not be the newest.
        let older = boot.join("vmlinuz-6.1.0-9-amd64");
        assert_eq!(find(Some(&older)).unwrap().image, older);
    }

    #[test]
    fn what_is_missing_of_a_kernel_is_named() {
        let root = tempfile::tempdir().unwrap();
        let image = root.path().join("vmlinuz-1.2.3");
        let message = |image: &Path| find(Some(image)).unwrap_err().to_string();
        assert!(message(&image).contains("there is no kernel"));
        fs::write(&image, "").unwrap();
        assert!(message(&image).contains("lib/modules/1.2.3"));
        let link = root.path().join("vmlinuz-endless");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        assert!(message(&link).contains("not a regular file"));
        let other = root.path().join("bzImage");
        assert!(message(&other).contains("there is no kernel"));
        fs::write(&other, "").unwrap();
        assert!(message(&other).contains("vmlinuz-VERSION"));
    }
}
