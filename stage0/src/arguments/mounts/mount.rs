//! `--mount KEY=VALUE,…`: as docker and podman have it, and `volume=NAME,target=PLACE` as rkt has it.

use std::str::FromStr;

use engine::pods::spec::ImageMount;
use pod::manifest::{AppPath, Limit, Mount, MountOption, MountSource, Relabel, VolumeName};

use super::anonymous::AnonymousMount;
use super::options::{MountWords, id, mode, option, switch};
use super::place::{destination, host_path, named, plain_mount};
use crate::arguments::quantity::memory_limit;

/// What the flag's value says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MountWord {
    /// A mount of the app.
    Mount(Box<Mount>),
    /// The files of an image.
    Image(ImageMount),
    /// A volume that nobody has described.
    Anonymous(AnonymousMount),
}

#[derive(Debug, Default)]
struct Parts<'a> {
    kind: Option<&'a str>,
    source: Option<&'a str>,
    volume: Option<&'a str>,
    sub_path: Option<&'a str>,
    target: Option<&'a str>,
    size: Option<Limit>,
    mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
    options: Vec<MountOption>,
    relabel: Option<Relabel>,
}

/// Parses the flag's value.
pub(crate) fn mount(text: &str) -> Result<MountWord, String> {
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
            ("tmpfs-size" | "size", Some(size)) => self.size = Some(memory_limit(size)?),
            ("tmpfs-mode" | "mode", Some(text)) => self.mode = Some(mode(text)?),
            (key @ "uid", Some(value)) => self.uid = Some(id(key, value)?),
            (key @ "gid", Some(value)) => self.gid = Some(id(key, value)?),
            ("volume-nocopy" | "nocopy", value) => {
                let option = match switch(key, value)? {
                    true => MountOption::Nocopy,
                    false => MountOption::Copy,
                };
                self.options.push(option);
            }
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
            ("relabel", Some("shared")) => self.relabel = Some(Relabel::Shared),
            ("relabel", Some("private")) => self.relabel = Some(Relabel::Private),
            ("bind-propagation", Some(word)) => self.options.extend(option(word)?),
            (word, None) => {
                let mut words = MountWords::default();
                words.take(word)?;
                self.options.extend(words.options);
                self.relabel = words.relabel.or(self.relabel);
            }
            (key, Some(_)) => {
                return Err(format!(
                    "unknown part `{key}`; there are type, source, target, readonly, volume, subpath, nocopy, \
                     bind-propagation, bind-recursive, tmpfs-size, tmpfs-mode, uid and gid"
                ));
            }
        }
        Ok(())
    }

    fn mount(self) -> Result<MountWord, String> {
        let target = self.target.ok_or("target=PLACE is missing")?;
        let target = destination(target)?;
        let kind = self.kind.unwrap_or("volume");
        let of_memory = [self.mode, self.uid, self.gid];
        if kind != "tmpfs" && (self.size.is_some() || of_memory.iter().any(Option::is_some)) {
            return Err("tmpfs-size, tmpfs-mode, uid and gid are for type=tmpfs".to_owned());
        }
        if !matches!(kind, "volume" | "image") && self.sub_path.is_some() {
            return Err("subpath is for volumes and images".to_owned());
        }
        if kind != "volume" && self.volume.is_some() {
            return Err(format!("volume=NAME is a volume of the pod, and no {kind}"));
        }
        let sub_path = self.sub_path.map(sub_path).transpose()?;
        let source = self.source.filter(|source| !source.is_empty());
        let (options, relabel) = (self.options, self.relabel);
        let source = match kind {
            "bind" => MountSource::Host {
                path: host_path(source.ok_or("source=PATH is missing")?)?,
            },
            "tmpfs" if self.source.is_some() => return Err("type=tmpfs has no source".to_owned()),
            "tmpfs" => {
                let defaults = [MountOption::Noexec];
                let options = defaults.into_iter().chain(options).collect();
                let source = MountSource::Tmpfs {
                    size: self.size.and_then(Limit::value),
                    mode: self.mode,
                    uid: self.uid,
                    gid: self.gid,
                };
                return Ok(plain(target, source, options, relabel));
            }
            "image" if options.contains(&MountOption::Rw) => {
                return Err("the files of an image are read-only".to_owned());
            }
            "image" => {
                let image = source.ok_or("source=IMAGE is missing")?.to_owned();
                return Ok(MountWord::Image(ImageMount {
                    image,
                    destination: target,
                    sub_path,
                    options,
                }));
            }
            "volume" => match (self.volume, source) {
                (Some(_), Some(_)) => {
                    return Err(
                        "source=NAME is a named volume, volume=NAME one of the pod: it can't be both"
                            .to_owned(),
                    );
                }
                (Some(name), None) => MountSource::Volume {
                    name: VolumeName::from_str(name).map_err(|error| error.to_string())?,
                    sub_path,
                },
                (None, Some(name)) => MountSource::Named {
                    name: named(name)?,
                    sub_path,
                },
                (None, None) if sub_path.is_some() => {
                    return Err("subpath needs a volume: source=NAME is missing".to_owned());
                }
                (None, None) => {
                    return Ok(MountWord::Anonymous(AnonymousMount {
                        destination: target,
                        options,
                    }));
                }
            },
            kind @ ("devpts" | "glob" | "npipe" | "cluster") => {
                return Err(format!("type={kind} is not there yet"));
            }
            kind => {
                return Err(format!(
                    "unknown type `{kind}`; there are bind, image, tmpfs and volume"
                ));
            }
        };
        Ok(plain(target, source, options, relabel))
    }
}

fn plain(
    target: AppPath,
    source: MountSource,
    options: Vec<MountOption>,
    relabel: Option<Relabel>,
) -> MountWord {
    let words = MountWords { options, relabel };
    MountWord::Mount(Box::new(plain_mount(target, source, words)))
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

    fn mounted(text: &str) -> Mount {
        match mount(text).unwrap() {
            MountWord::Mount(mount) => *mount,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_words_of_docker_and_rkt_are_known() {
        let bind = mounted("type=bind,src=/srv,dst=/data,readonly,bind-propagation=rslave");
        let path = "/srv".into();
        assert_eq!(bind.source, MountSource::Host { path });
        assert_eq!(bind.options, [MountOption::Rro, MountOption::Rslave]);
        let memory = mounted("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=0700,uid=7");
        let source = MountSource::Tmpfs {
            size: Some(1 << 20),
            mode: Some(0o700),
            uid: Some(7),
            gid: None,
        };
        assert_eq!(memory.source, source);
        assert_eq!(memory.options, [MountOption::Noexec]);
        let again = mounted("type=tmpfs,target=/t,size=1m,mode=0700,uid=7");
        assert_eq!(again, memory);
        let volume = mounted("volume=data,target=/data,subpath=a/b,ro=false");
        let name = "data".parse().unwrap();
        let sub_path = Some("a/b".to_owned());
        assert_eq!(volume.source, MountSource::Volume { name, sub_path });
        assert_eq!(volume.options, [MountOption::Rw]);
    }

    #[test]
    fn a_source_is_a_named_volume_and_may_be_an_image() {
        for text in ["", "type=volume,"] {
            let named = mounted(&format!("{text}source=PG_data,target=/data,volume-nocopy"));
            let name = "PG_data".parse().unwrap();
            let sub_path = None;
            assert_eq!(named.source, MountSource::Named { name, sub_path });
            assert_eq!(named.options, [MountOption::Nocopy]);
        }
        let MountWord::Image(image) =
            mount("type=image,source=a.io/b:1,target=/x,subpath=c").unwrap()
        else {
            panic!("no image");
        };
        assert_eq!(
            (&*image.image, image.sub_path.as_deref()),
            ("a.io/b:1", Some("c"))
        );
        for text in ["target=/data", "type=volume,target=/data"] {
            assert!(matches!(mount(text), Ok(MountWord::Anonymous(_))), "{text}");
        }
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
            ("type=bind,source=/a,target=/b,tmpfs-size=0", "type=tmpfs"),
            ("source=/data,target=/b", "not a name of a volume"),
            ("source=a,volume=b,target=/b", "can't be both"),
            ("target=/b,subpath=x", "source=NAME is missing"),
            ("type=bind,volume=b,target=/b", "a volume of the pod"),
            ("type=image,target=/b", "source=IMAGE is missing"),
            ("type=image,source=a,target=/b,rw", "read-only"),
            ("type=tmpfs,target=/b,uid=x", "a number"),
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
                "volumes and images",
            ),
        ] {
            let error = mount(bad).unwrap_err();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }
}
