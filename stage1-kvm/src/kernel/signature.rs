//! Signatures of modules, which stand behind them (the kernel's `Documentation/admin-guide/module-signing.rst` and
//! `include/linux/module_signature.h`).
//!
//! A kernel checks them, which takes a third of the time in which modules are loaded, and proves nothing here: the kernel
//! and its first root are known by their digests, and nobody has signed either for the machine.

use std::fs;

use pod::machine_parts::Kernel;

const MAGIC: &[u8] = b"~Module signature appended~\n";
/// What stands before that: kinds of algorithms, and at last the length of the signature, as big-endian.
const DESCRIPTION: usize = 12;
/// Settings by which a kernel takes no module without one.
const REFUSING: [&str; 3] = [
    "CONFIG_MODULE_SIG_FORCE=y",
    "CONFIG_LOCK_DOWN_KERNEL_FORCE_INTEGRITY=y",
    "CONFIG_LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY=y",
];

/// The module itself.
pub(super) fn without_signature(file: &[u8]) -> &[u8] {
    let module = || {
        let signed = file.strip_suffix(MAGIC)?;
        let (signed, description) = signed.split_last_chunk::<DESCRIPTION>()?;
        let (_, length) = description.split_last_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        signed.get(..signed.len().checked_sub(length)?)
    };
    module().unwrap_or(file)
}

/// Whether the kernel may refuse modules without signatures: unless its settings, which distributions have beside it, say
/// that it doesn't.
pub(crate) fn wants_signed_modules(kernel: &Kernel) -> bool {
    let beside_modules = kernel.modules.join("config");
    let name = kernel.image.file_name().and_then(|name| name.to_str());
    let version = name.and_then(|name| Some(name.split_once('-')?.1));
    let beside_image =
        version.map(|version| kernel.image.with_file_name(format!("config-{version}")));
    let places = beside_image.into_iter().chain([beside_modules]);
    let settings = places
        .filter_map(|place| fs::read_to_string(place).ok())
        .next();
    settings.is_none_or(|settings| settings.lines().any(|line| REFUSING.contains(&line)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_stands_behind_a_module_is_left_out_and_nothing_else() {
        let signed = |length: u32| {
            let mut file = b"module".to_vec();
            file.extend(b"signature");
            file.extend([0, 0, 2, 0, 0, 0, 0, 0]);
            file.extend(length.to_be_bytes());
            file.extend(MAGIC);
            file
        };
        assert_eq!(without_signature(&signed(9)), b"module");
        for file in [&signed(16)[..], &signed(u32::MAX), b"module", b"", MAGIC] {
            assert_eq!(without_signature(file), file);
        }
    }

    #[test]
    fn signatures_stay_unless_the_kernel_is_known_to_do_without() {
        let root = tempfile::tempdir().unwrap();
        let kernel = Kernel {
            image: root.path().join("vmlinuz-6.1.0-9-amd64"),
            modules: root.path().join("modules"),
        };
        assert!(wants_signed_modules(&kernel));
        let write = |path: &Path, text: &str| fs::write(path, text).unwrap();
        fs::create_dir(&kernel.modules).unwrap();
        let beside = root.path().join("config-6.1.0-9-amd64");
        for place in [&kernel.modules.join("config"), &beside] {
            write(
                place,
                "CONFIG_MODULE_SIG=y\n# CONFIG_MODULE_SIG_FORCE is not set\n",
            );
            assert!(!wants_signed_modules(&kernel));
            write(place, "CONFIG_MODULE_SIG_FORCE=y\n");
            assert!(wants_signed_modules(&kernel));
        }
    }
}
