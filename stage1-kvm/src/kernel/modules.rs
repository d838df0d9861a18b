//! The modules of a kernel, with those that they need, in the order in which they can be loaded.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use pod::machine_parts::ModuleFiles;
use stage1::failure::StartFailure;

use super::inflate::inflate;
use super::signature::without_signature;

/// What a module says of those that it needs.
const DEPENDS: &[u8] = b"\0depends=";

/// A module that is to be loaded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Module {
    /// Its name, with underscores.
    pub(crate) name: String,
    /// Its file, not compressed.
    pub(crate) bytes: Vec<u8>,
}

impl Module {
    /// Leaves out by whom it was signed.
    pub(crate) fn remove_signature(&mut self) {
        let length = without_signature(&self.bytes).len();
        self.bytes.truncate(length);
    }
}

/// What there is of modules.
#[derive(Debug)]
pub(crate) struct Modules(ModuleFiles);

impl Modules {
    /// Those in the directory of a kernel's version.
    ///
    /// # Errors
    /// If it can't be read.
    pub(crate) fn read(folder: &Path) -> Result<Self, StartFailure> {
        ModuleFiles::read(folder)
            .map(Self)
            .map_err(StartFailure::os(format_args!("read {}", folder.display())))
    }

    /// These modules, and before each what it needs. Of those that are optional, what isn't there is left out.
    ///
    /// # Errors
    /// Which can't be had.
    pub(crate) fn with_needed(
        &self,
        wanted: &[&str],
        optional: &[&str],
    ) -> Result<Vec<Module>, StartFailure> {
        let mut order = Vec::new();
        let mut begun = BTreeSet::new();
        let there = optional
            .iter()
            .filter(|name| self.0.files.contains_key(**name));
        for name in there.chain(wanted) {
            self.add(name, &mut order, &mut begun)?;
        }
        Ok(order)
    }

    /// Whether the kernel has it, in a file or built in.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.has(name)
    }

    fn add(
        &self,
        name: &str,
        order: &mut Vec<Module>,
        begun: &mut BTreeSet<String>,
    ) -> Result<(), StartFailure> {
        if !begun.insert(name.to_owned()) {
            return Ok(());
        }
        let Some(path) = self.0.files.get(name) else {
            if self.0.built_in.contains(name) {
                return Ok(());
            }
            return Err(StartFailure::other(format!(
                "the kernel with modules in {} has no module {name}, without which a pod can't run in it",
                self.0.folder.display()
            )));
        };
        let bytes = fs::read(path).and_then(|packed| inflate(&packed));
        let bytes = bytes.map_err(StartFailure::os(format_args!("read {}", path.display())))?;
        for needed in depends(&bytes) {
            self.add(&needed, order, begun)?;
        }
        order.push(Module {
            name: name.to_owned(),
            bytes,
        });
        Ok(())
    }
}

/// What a module needs, of which its section `.modinfo` tells.
fn depends(module: &[u8]) -> Vec<String> {
    let start = module
        .windows(DEPENDS.len())
        .position(|window| window == DEPENDS);
    let Some(list) = start.and_then(|start| module.get(start + DEPENDS.len()..)) else {
        return Vec::new();
    };
    let list = list.split(|byte| *byte == 0).next().unwrap_or_default();
    let list = String::from_utf8_lossy(list);
    let names = list.split(',').filter(|name| !name.is_empty());
    names.map(|name| name.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(needs: &str) -> Vec<u8> {
        format!("\x7fELF\0license=GPL\0depends={needs}\0retpoline=Y\0").into_bytes()
    }

    #[test]
    fn what_a_module_needs_comes_before_it_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let kernel = folder.path().join("kernel/drivers");
        fs::create_dir_all(&kernel).unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(kernel.join(name), bytes).unwrap();
        write("virtio-mmio.ko", &module("virtio,virtio_ring"));
        write("virtio.ko", &module("virtio-ring"));
        let packed = zstd::stream::encode_all(module("").as_slice(), 1).unwrap();
        write("virtio_ring.ko.zst", &packed);
        write("circle.ko", &module("circle,builtin"));
        write("README", b"");
        let built_in = "kernel/lib/builtin.ko\n";
        fs::write(folder.path().join("modules.builtin"), built_in).unwrap();
        let modules = Modules::read(folder.path()).unwrap();
        let names = |wanted: &[&str], optional: &[&str]| {
            let found = modules.with_needed(wanted, optional).unwrap();
            assert!(
                found
                    .iter()
                    .all(|module| module.bytes.starts_with(b"\x7fELF"))
            );
            found.into_iter().map(|m| m.name).collect::<Vec<_>>()
        };
        let order = ["virtio_ring", "virtio", "virtio_mmio", "circle"];
        assert_eq!(
            names(&["virtio_mmio", "circle", "builtin"], &["absent"]),
            order
        );
        assert_eq!(names(&[], &["virtio_ring"]), ["virtio_ring"]);
        assert!(modules.has("builtin") && modules.has("circle") && !modules.has("absent"));
        let lacking = modules.with_needed(&["absent"], &[]).unwrap_err();
        assert!(lacking.message.contains("no module absent"), "{lacking}");
    }
}
