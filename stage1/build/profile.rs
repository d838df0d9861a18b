//! The profile as one architecture has it: a name that only others have is left out.

use std::collections::BTreeMap;
use std::error::Error;

use seccompiler::{BpfProgram, TargetArch, compile_from_json};
use serde_json::{Map, Value, json};

/// System calls that seccompiler doesn't know yet. The kernel numbers new ones alike on all architectures.
const LATER: [(&str, u32); 4] = [
    ("setxattrat", 463),
    ("getxattrat", 464),
    ("listxattrat", 465),
    ("removexattrat", 466),
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

/// Whether an architecture has a system call. Its table is seccompiler's own.
fn exists(name: &str, arch: TargetArch) -> bool {
    let part = json!({
        "mismatch_action": "allow",
        "match_action": {"errno": 1},
        "filter": [{"syscall": name}],
    });
    let profile = Map::from_iter([("part".to_owned(), part)]);
    serde_json::to_vec(&profile).is_ok_and(|text| compile_from_json(text.as_slice(), arch).is_ok())
}
