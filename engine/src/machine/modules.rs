//! Parts of the kernel that may be built in, loaded, loadable, or missing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;

use rustix::system::uname;

/// How a part of the kernel can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// It is in the kernel.
    Present,
    /// The kernel loads it when it is needed.
    Loadable,
    /// Nothing is seen of it.
    Unseen,
}

/// Parts of the kernel by the names of their modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modules(pub BTreeMap<&'static str, Availability>);

/// Names of modules, and a symbol that each brings.
const PARTS: [(&str, &str); 8] = [
    ("act_mirred", "tcf_mirred_init"),
    ("bridge", "br_dev_setup"),
    ("cls_u32", "u32_classify"),
    ("macvlan", "macvlan_common_newlink"),
    ("nf_tables", "nf_tables_newtable"),
    ("overlay", "ovl_fill_super"),
    ("tun", "tun_chr_open"),
    ("veth", "veth_newlink"),
];

impl Modules {
    pub(super) fn read() -> Self {
        let symbols = fs::File::open("/proc/kallsyms").map(BufReader::new);
        let lines = symbols
            .into_iter()
            .flat_map(|file| file.lines().map_while(Result::ok));
        let found = symbols_among(lines);
        let release = uname().release().to_string_lossy().into_owned();
        let folder = Path::new("/lib/modules").join(release);
        let text = |name| fs::read_to_string(folder.join(name)).unwrap_or_default();
        let (built_in, loadable) = (text("modules.builtin"), text("modules.dep"));
        let parts = PARTS.into_iter().map(|(name, symbol)| {
            let is_loaded = Path::new("/sys/module").join(name).exists();
            let availability = match is_loaded || found.contains(symbol) || names(&built_in, name) {
                true => Availability::Present,
                false if names(&loadable, name) => Availability::Loadable,
                false => Availability::Unseen,
            };
            (name, availability)
        });
        Self(parts.collect())
    }

    /// How that part can be had.
    pub fn get(&self, name: &str) -> Availability {
        self.0.get(name).copied().unwrap_or(Availability::Unseen)
    }
}

fn symbols_among(lines: impl Iterator<Item = String>) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    for line in lines {
        let name = line.split_whitespace().nth(2);
        found.extend(
            PARTS
                .iter()
                .map(|(_, symbol)| *symbol)
                .filter(|symbol| name == Some(symbol)),
        );
    }
    found
}

/// Whether a list of modules' files has that one.
fn names(list: &str, module: &str) -> bool {
    list.lines().any(|line| {
        let path = line.split(':').next().unwrap_or_default();
        let file = path.rsplit('/').next().unwrap_or_default();
        file.split_once(".ko")
            .is_some_and(|(name, _)| name.replace('-', "_") == module)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_known_by_their_files_and_symbols() {
        let list = "kernel/net/bridge/bridge.ko: kernel/net/llc/llc.ko\nkernel/drivers/net/nf-tables.ko.xz:\n";
        assert!(names(list, "bridge") && names(list, "nf_tables"));
        assert!(!names(list, "llc") && !names(list, "veth") && !names("", "veth"));
        let symbols = "ffffffff81 t veth_newlink\nffffffff82 t veth_newlink_peer\nbad\n";
        let found = symbols_among(symbols.lines().map(str::to_owned));
        assert_eq!(found, BTreeSet::from(["veth_newlink"]));
    }
}
