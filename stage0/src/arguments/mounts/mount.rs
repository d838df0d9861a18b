//! `--mount KEY=VALUE,…`: as docker and podman have it, and `volume=NAME,target=PLACE` as rkt has it.

use std::str::FromStr;

use pod::manifest::{Mount, MountOption, MountSource, VolumeName};

use super::options::{mode, option, switch};
use super::place::{destination, host_path, plain_mount};
use crate::arguments::quantity::memory;

#[derive(Debug, Default)]
struct Parts<'a> {
    kind: Option<&'a str>,
    source: Option<&'a str>,
    volume: Option<&'a str>,
    sub_path: Option<&'a str>,
    target: Option<&'a str>,
    size: Option<u64>,
    mode: Option<u32>,
    options: Vec<MountOption>,
}

/// Parses the flag's value.
pub(crate) fn mount(text: &str) -> Result<Mount, String> {
    let mut parts = Parts::default();
    for pair in text.split(',') {
        match pair.split_once('=') {
            Some((key, value)) => parts.take(key, Some(value))?,
            None => parts.take(pair, None)?,
        }
    }
    parts.mount()
}

impl<'a> Parts<'a> {
    fn take(&mut self, key: &'a str, value: Option<&'a str>) -> Result<(), String> {
        match (key, value) {
            ("type", Some(kind)) => self.kind = Some(kind),
            ("source" | "src", Some(source)) => self.source = Some(source),
            ("volume", Some(name)) => self.volume = Some(name),
            ("volume-subpath" | "subpath" | "image-subpath", Some(path)) => {
                self.sub_path = Some(path);
            }
            ("target" | "destination" | "dst", Some(target)) => self.target = Some(target),
            ("tmpfs-size" | "size", Some(size)) => self.size = Some(memory(size)?),
            ("tmpfs-mode" | "mode", Some(text)) => self.mode = Some(mode(text)?),
            ("readonly" | "ro", value) => {
                let option = match switch(key, value)? {
                    true => MountOption::Rro,
                    false => MountOption::Rw,
                };
                self.options.push(option);
            }
            ("bind-nonrecursive", value) => {
                let option = match switch(key, value)? {
                    true => MountOption::Bind,
                    false => MountOption::Rbind,
                };
                self.options.push(option);
            }
            ("bind-recursive", Some("disabled")) => self.options.push(MountOption::Bind),
            ("bind-recursive", Some("enabled" | "readonly")) | ("consistency", _) => {}
            ("bind-recursive", Some("writable")) => {
                return Err("bind-recursive=writable is not there yet".to_owned());
            }
            ("bind-propagation", Some(word)) => self.options.extend(option(word)?),
            (word, None) => self.options.extend(option(word)?),
            (key, Some(_)) => {
                return Err(format!(
                    "unknown part `{key}`; there are type, source, target, readonly, volume, subpath, bind-propagation, \
                     bind-recursive, tmpfs-size and tmpfs-mode"
                ));
            }
        }
        Ok(())
    }

    fn mount(self) -> Result<Mount, String> {
        let target = self.target.ok_or("target=PLACE is missing")?;
        let target = destination(target)?;
        let kind = match (self.kind, self.volume) {
            (None, Some(_)) => "volume",
            (kind, _) => kind.unwrap_or("volume"),
        };
        if kind != "tmpfs" && (self.size.is_some() || self.mode.is_some()) {
            return Err("tmpfs-size and tmpfs-mode are for type=tmpfs".to_owned());
        }
        if kind != "volume" && self.sub_path.is_some() {
            return Err("subpath is for volumes of the pod".to_owned());
        }
        let source = match kind {
            "bind" => {
                let source = self.source.filter(|source| !source.is_empty());
                let source = source.ok_or("source=PATH is missing")?;
                MountSource::Host {
                    path: host_path(source)?,
                }
            }
            "tmpfs" if self.source.is_some() => return Err("type=tmpfs has no source".to_owned()),
            "tmpfs" => {
                let defaults = [MountOption::Noexec];
                let options = defaults.into_iter().chain(self.options).collect();
                let (size, mode) = (self.size, self.mode);
                let source = MountSource::Tmpfs { size, mode };
                return Ok(plain_mount(target, source, options));
            }
            "volume" => {
                let name = self.volume.ok_or(
                    "named volumes are not there yet: type=bind is for directories of the host, volume=NAME for volumes \
                     of the pod",
                )?;
                MountSource::Volume {
                    name: VolumeName::from_str(name).map_err(|error| error.to_string())?,
                    sub_path: self.sub_path.map(sub_path).transpose()?,
                }
            }
            kind @ ("image" | "devpts" | "glob" | "npipe" | "cluster") => {
                return Err(format!("type={kind} is not there yet"));
            }
            kind => {
                return Err(format!(
                    "unknown type `{kind}`; there are bind, tmpfs and volume"
                ));
            }
        };
        Ok(plain_mount(target, source, self.options))
    }
}

/// A path within a volume.
fn sub_path(text: &str) -> Result<String, String> {
    let goes_up = text.split('/').any(|part| part == "..");
    match text.is_empty() || text.starts_with('/') || goes_up || text.contains('\0') {
        true => Err(format!(
            "subpath `{text}` must be a path within the volume, without / in front and without `..`"
        )),
        false => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_docker_and_rkt_are_known() {
        let bind = mount("type=bind,src=/srv,dst=/data,readonly,bind-propagation=rslave").unwrap();
        let path = "/srv".into();
        assert_eq!(bind.source, MountSource::Host { path });
        assert_eq!(bind.options, [MountOption::Rro, MountOption::Rslave]);
        let memory = mount("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=0700").unwrap();
        let (size, mode) = (Some(1 << 20), Some(0o700));
        assert_eq!(memory.source, MountSource::Tmpfs { size, mode });
        assert_eq!(memory.options, [MountOption::Noexec]);
        assert_eq!(mount("type=tmpfs,target=/t,size=1m,mode=0700"), Ok(memory));
        let volume = mount("volume=data,target=/data,subpath=a/b,ro=false").unwrap();
        let name = "data".parse().unwrap();
        let sub_path = Some("a/b".to_owned());
        assert_eq!(volume.source, MountSource::Volume { name, sub_path });
        assert_eq!(volume.options, [MountOption::Rw]);
    }

    #[test]
    fn what_can_not_be_is_refused_by_name() {
        for (bad, reason) in [
            ("", "unknown option ``"),
            ("type=bind,source=/a", "target=PLACE is missing"),
            ("type=bind,target=/a", "source=PATH is missing"),
            ("type=bind,source=,target=/a", "source=PATH is missing"),
            ("type=tmpfs,source=/a,target=/b", "has no source"),
            ("type=tmpfs,target=/b,tmpfs-mode=9", "octal"),
            ("type=bind,source=/a,target=/b,tmpfs-size=1m", "type=tmpfs"),
            ("source=data,target=/b", "named volumes are not there yet"),
            (
                "type=image,source=a,target=/b",
                "type=image is not there yet",
            ),
            ("type=cloud,target=/b", "unknown type `cloud`"),
            ("type=bind,source=/a,target=/b,ro=maybe", "true or false"),
            (
                "type=bind,source=/a,target=/b,colour=red",
                "unknown part `colour`",
            ),
            ("volume=d,target=/b,subpath=../x", "within the volume"),
            ("volume=d,target=/b,subpath=/x", "within the volume"),
            (
                "type=bind,source=/a,target=/b,subpath=x",
                "volumes of the pod",
            ),
        ] {
            let error = mount(bad).unwrap_err();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }
}
