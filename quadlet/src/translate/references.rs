//! Values that may name another file: a volume, a network, an image.

use super::work::{NeededFile, Work};
use crate::index::{Index, Target};
use crate::name::Kind;
use crate::unit_file::{Entry, Word};

impl Work<'_> {
    /// The file of this kind that a text names, of which the unit then has need. `None` if the text is something else.
    fn named(&mut self, text: &str, kinds: &[Kind], entry: &Entry) -> Option<Target> {
        let ending = text.rsplit_once('.').map_or("", |(_, ending)| ending);
        if !Index::is_name(text) || !kinds.iter().any(|kind| kind.word() == ending) {
            return None;
        }
        let found = self.index.find(text);
        match &found {
            Some(target) => {
                self.needs.units.insert(target.service.clone());
                self.needs.files.push(NeededFile {
                    name: text.to_owned(),
                    path: target.source.clone(),
                    entry: entry.clone(),
                });
            }
            None => self.findings.error(entry, self.index.why_not(text)),
        }
        found
    }

    /// A path of the host, whose filesystem must be mounted before the unit starts.
    fn host_path(&mut self, text: &str) -> Word {
        let path = self.path(text);
        // Nobody knows yet which path a variable gives.
        if !path.as_str().contains('$') && path.as_str().starts_with('/') {
            self.needs.mounts.insert(path.clone());
        }
        path
    }

    /// The value of `--volume`.
    pub(super) fn volume(&mut self, entry: &Entry) -> Word {
        let Some((source, rest)) = entry.value.split_once(':') else {
            return Word::of(entry);
        };
        let behind = |source: &str| Word::written(format!("{source}:{rest}")).at(entry);
        if let Some(target) = self.named(source, &[Kind::Volume], entry) {
            return behind(&target.resource);
        }
        match source.starts_with(['/', '.', '%']) {
            true => {
                let path = self.host_path(source);
                behind(path.as_str())
            }
            false => {
                if source.contains('/') && !source.starts_with('$') {
                    let reason = format!(
                        "`{source}` is no name of a volume; a path begins with / or ./, as in ./{source}"
                    );
                    self.findings.error(entry, reason);
                }
                behind(source)
            }
        }
    }

    /// The value of `--mount`.
    pub(super) fn mount(&mut self, value: &Word, entry: &Entry) -> Word {
        let parts: Vec<&str> = value.as_str().split(',').collect();
        let kind = parts.iter().find_map(|part| part.strip_prefix("type="));
        let is_bind = kind == Some("bind");
        let changed: Vec<String> = parts
            .iter()
            .map(|part| {
                let Some((key @ ("source" | "src"), source)) = part.split_once('=') else {
                    return (*part).to_owned();
                };
                let named = self.named(source, &[Kind::Volume, Kind::Image], entry);
                let source = match named {
                    Some(target) => target.resource,
                    None if is_bind => self.host_path(source).as_str().to_owned(),
                    None => source.to_owned(),
                };
                format!("{key}={source}")
            })
            .collect();
        Word::written(changed.join(",")).at(entry)
    }

    /// The image that a text names.
    pub(super) fn image(&mut self, entry: &Entry) -> Word {
        if entry.value.ends_with(".build") {
            self.findings.error(
                entry,
                "images are not built here: build it elsewhere, and name it",
            );
        }
        if entry.value.contains(char::is_whitespace) {
            self.findings
                .error(entry, "it is one image, without spaces");
        }
        match self.named(&entry.value, &[Kind::Image], entry) {
            Some(target) => Word::written(target.resource).at(entry),
            None => Word::of(entry),
        }
    }

    /// The value of `--net` that several assignments make together with an address.
    pub(super) fn networks(&mut self, networks: Vec<&Entry>, addresses: &[&Entry]) -> Option<Word> {
        let mut all: Vec<(String, Vec<String>)> = Vec::new();
        for entry in &networks {
            let (name, options) = match entry.value.split_once(':') {
                Some((name, options)) => (name, options.split(',').collect()),
                None => (entry.value.as_str(), Vec::new()),
            };
            let reason = match name {
                "container" | "ns" => Some("joining another network namespace is not there yet"),
                "private" | "pasta" | "slirp4netns" => {
                    Some("there is no such network; leave the key out")
                }
                name if name.ends_with(".container") => Some(
                    "joining another container's network is not there yet; the apps of a .pod share theirs",
                ),
                _ => None,
            };
            if let Some(reason) = reason {
                self.findings.error(entry, reason);
                continue;
            }
            let name = match self.named(name, &[Kind::Network], entry) {
                Some(target) => target.resource,
                None => name.to_owned(),
            };
            let arguments = self.network_options(&options, entry);
            all.push((name, arguments));
        }
        if let [_, second, ..] = addresses {
            self.findings
                .error(second, "one of IP= and IP6= can be asked for");
        }
        if let Some(address) = addresses.first() {
            let argument = format!("IP={}", address.value);
            match all.as_mut_slice() {
                [] => all.push(("default".to_owned(), vec![argument])),
                [(name, arguments)] if !["none", "host", "all"].contains(&name.as_str()) => {
                    arguments.push(argument);
                }
                [_] => self
                    .findings
                    .error(address, "there is no address to choose in this network"),
                _ => self.findings.error(
                    address,
                    "with several networks, it is written Network=NAME:ip=ADDRESS",
                ),
            }
        }
        let shown = |(name, arguments): &(String, Vec<String>)| match arguments.is_empty() {
            true => name.clone(),
            false => format!("{name}:{}", arguments.join(";")),
        };
        let texts: Vec<_> = all.iter().map(shown).collect();
        let first = networks.first().or(addresses.first())?;
        (!texts.is_empty()).then(|| Word::written(texts.join(",")).at(first).after("--net="))
    }

    /// What is said behind the name of a network, in podman's words or in ours.
    fn network_options(&mut self, options: &[&str], entry: &Entry) -> Vec<String> {
        let mut arguments = Vec::new();
        for option in options {
            match option.split_once('=') {
                Some(("ip" | "ip6", address)) => arguments.push(format!("IP={address}")),
                Some(("mac", address)) => arguments.push(format!("MAC={address}")),
                Some((key, _))
                    if !key.is_empty() && !key.contains(|c: char| c.is_ascii_lowercase()) =>
                {
                    arguments.push((*option).to_owned());
                }
                _ => self.findings.error(
                    entry,
                    format!(
                        "`{option}` can't be asked of a network: ip=ADDRESS and mac=ADDRESS can"
                    ),
                ),
            }
        }
        arguments
    }
}
