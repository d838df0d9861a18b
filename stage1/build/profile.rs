//! The profile as one architecture has it: a name that only others have is left out.

use std::collections::BTreeMap;
use std::error::Error;

use seccompiler::{BpfProgram, TargetArch, compile_from_json};
use serde_json::{Map, Value, json};

use crate::bpf::{LOAD, NUMBER};

/// System calls that seccompiler doesn't know yet. The kernel numbers new ones alike on all architectures.
const LATER: [(&str, u32); 4] = [
    ("setxattrat", 463),
    ("getxattrat", 464),
    ("listxattrat", 465),
    ("removexattrat", 466),
];

/// System calls that the default profile does as if there were none, and profiles of users may allow.
const UNKNOWN: [&str; 7] = [
    "clone3",
    "getpmsg",
    "lsm_get_self_attr",
    "lsm_list_modules",
    "lsm_set_self_attr",
    "putpmsg",
    "tuxcall",
];

/// The same of those that seccompiler doesn't know yet.
const LATER_UNKNOWN: [(&str, u32); 3] = [
    ("open_tree_attr", 467),
    ("file_getattr", 468),
    ("file_setattr", 469),
];

/// Filters by their names in the profile, and the numbers that are known beside them.
pub(crate) struct Profile {
    filters: BTreeMap<String, BpfProgram>,
    pub(crate) later: Vec<u32>,
}

impl Profile {
    /// That of an architecture, from the text of the profile.
    pub(crate) fn compile(text: &[u8], arch: TargetArch) -> Result<Self, Box<dyn Error>> {
        let mut parts: BTreeMap<String, Value> = serde_json::from_slice(text)?;
        let mut later = Vec::new();
        for (part, content) in &mut parts {
            let rules = content.get_mut("filter").and_then(Value::as_array_mut);
            let rules = rules.ok_or_else(|| format!("`{part}` has no filter"))?;
            let mut kept = Vec::new();
            for rule in std::mem::take(rules) {
                let name = rule.get("syscall").and_then(Value::as_str);
                let name = name.ok_or_else(|| format!("a rule of `{part}` has no system call"))?;
                match LATER.iter().find(|(known, _)| *known == name) {
                    Some((_, number)) if part == "known" => later.push(*number),
                    Some(_) => return Err(format!("`{name}` can only be known").into()),
                    None if exists(name, arch) => kept.push(rule),
                    None if exists(name, TargetArch::x86_64) => {}
                    None => return Err(format!("there is no system call `{name}`").into()),
                }
            }
            *rules = kept;
        }
        let filters = compile_from_json(serde_json::to_vec(&parts)?.as_slice(), arch)?;
        Ok(Self {
            filters: filters.into_iter().collect(),
            later,
        })
    }

    /// One of its filters.
    pub(crate) fn filter(&mut self, name: &str) -> Result<BpfProgram, String> {
        self.filters
            .remove(name)
            .ok_or_else(|| format!("the profile has no part `{name}`"))
    }
}

/// The numbers of all system calls that the profile's text knows and an architecture has, in the order of their names.
pub(crate) fn numbers(text: &[u8], arch: TargetArch) -> Result<Vec<(String, u32)>, Box<dyn Error>> {
    let parts: BTreeMap<String, Value> = serde_json::from_slice(text)?;
    let known = parts.get("known").and_then(|part| part.get("filter"));
    let rules = known.and_then(Value::as_array).ok_or("nothing is known")?;
    let later = LATER.iter().chain(&LATER_UNKNOWN);
    let mut numbers: BTreeMap<String, u32> = later
        .map(|(name, number)| ((*name).to_owned(), *number))
        .collect();
    let known = rules
        .iter()
        .filter_map(|rule| rule.get("syscall")?.as_str());
    for name in known.chain(UNKNOWN) {
        numbers.extend(number(name, arch).map(|number| (name.to_owned(), number)));
    }
    Ok(numbers.into_iter().collect())
}

/// Whether an architecture has a system call.
fn exists(name: &str, arch: TargetArch) -> bool {
    number(name, arch).is_some()
}

/// The number of a system call. The table of them is seccompiler's own, so a filter is asked for that names it alone.
fn number(name: &str, arch: TargetArch) -> Option<u32> {
    let part = json!({
        "mismatch_action": "allow",
        "match_action": {"errno": 1},
        "filter": [{"syscall": name}],
    });
    let profile = Map::from_iter([("part".to_owned(), part)]);
    let text = serde_json::to_vec(&profile).ok()?;
    let filters = compile_from_json(text.as_slice(), arch).ok()?;
    let filter = filters.get("part")?;
    let mut steps = filter.iter();
    steps.find(|step| step.code == LOAD && step.k == NUMBER)?;
    steps.next().map(|step| step.k)
}
