//! `--volume SOURCE:PLACE[:OPTIONS]` as docker and podman have it, and `--volume NAME,kind=…` as rkt has it.

use std::str::FromStr;

use engine::pods::spec::ImageVolume;
use pod::manifest::{Limit, Medium, Mount, MountSource, Volume, VolumeName, VolumeSource};
use pod::named_volumes::{InvalidVolumeName, Ownership};

use super::anonymous::AnonymousMount;
use super::options::{id, mode, options, switch};
use super::place::{destination, host_path, named, plain_mount};
use crate::arguments::quantity::memory_limit;

/// What the flag's value says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum VolumeWord {
    /// A mount of the app.
    Mount(Box<Mount>),
    /// A volume that nobody has described.
    Anonymous(AnonymousMount),
    /// A volume of the pod, which `--mount volume=NAME,target=PLACE` mounts.
    Definition(Volume),
    /// The same, of an image.
    Image(ImageVolume),
}

/// Parses the flag's value.
pub(crate) fn volume(text: &str) -> Result<VolumeWord, String> {
    match text.split_once(',') {
        Some((name, rest)) if !name.contains([':', '/']) => definition(name, rest),
        _ => mounted(text),
    }
}

fn mounted(text: &str) -> Result<VolumeWord, String> {
    let mut parts = text.split(':');
    let (source, place) = (parts.next().unwrap_or_default(), parts.next());
    let (words, more) = (parts.next().unwrap_or_default(), parts.next());
    let Some(place) = place else {
        return Ok(VolumeWord::Anonymous(AnonymousMount {
            destination: destination(source)?,
            options: Vec::new(),
        }));
    };
    if more.is_some() {
        return Err("it is SOURCE:PLACE[:OPTIONS]".to_owned());
    }
    if source.is_empty() {
        return Err("the source must not be empty".to_owned());
    }
    let source = match is_path(source) {
        true => MountSource::Host {
            path: host_path(source)?,
        },
        false => MountSource::Named {
            name: source.parse().map_err(|error: InvalidVolumeName| {
                format!("{error}; a directory of the host begins with / or ./: ./{source}:{place}")
            })?,
            sub_path: None,
        },
    };
    let mount = plain_mount(destination(place)?, source, options(words)?);
    Ok(VolumeWord::Mount(Box::new(mount)))
}

/// Whether that is a path, and not a name.
fn is_path(text: &str) -> bool {
    text.contains('/') || [".", ".."].contains(&text)
}

fn definition(name: &str, rest: &str) -> Result<VolumeWord, String> {
    let name = VolumeName::from_str(name).map_err(|error| error.to_string())?;
    let (mut kind, mut source, mut size, mut medium) = (None, None, None, Medium::Disk);
    let mut ownership = Ownership::default();
    let mut read_only = false;
    let mut recursive = None;
    for pair in rest.split(',') {
        match pair.split_once('=') {
            Some(("kind", value)) => kind = Some(value),
            Some(("source", value)) => source = Some(value),
            Some(("readOnly", value)) => read_only = switch("readOnly", Some(value))?,
            Some(("size", value)) => size = Some(memory_limit(value)?),
            Some(("medium", "memory")) => medium = Medium::Memory,
            Some(("medium", "disk")) => medium = Medium::Disk,
            Some(("mode", value)) => ownership.mode = Some(mode(value)?),
            Some((key @ "uid", value)) => ownership.uid = Some(id(key, value)?),
            Some((key @ "gid", value)) => ownership.gid = Some(id(key, value)?),
            Some((key @ "recursive", value)) => recursive = Some(switch(key, Some(value))?),
            _ => {
                return Err(format!(
                    "unknown part `{pair}`; there are kind, source, readOnly, recursive, medium, size, mode, uid and gid"
                ));
            }
        }
    }
    let is_memory = kind == Some("tmpfs") || medium == Medium::Memory;
    if size.is_some() && !is_memory {
        return Err("size is for volumes in memory".to_owned());
    }
    if !ownership.is_silent() && matches!(kind, Some("host" | "image")) {
        return Err(
            "mode, uid and gid are for volumes that are made: empty, tmpfs, named".to_owned(),
        );
    }
    if recursive.is_some() && kind.is_some_and(|kind| kind != "host") {
        return Err("recursive is for volumes of the host".to_owned());
    }
    let source = match (kind, source) {
        (Some("host"), Some(path)) => VolumeSource::Host {
            path: host_path(path)?,
            non_recursive: recursive == Some(false),
            kind: None,
        },
        (Some("host"), None) => return Err("a volume of the host needs source=PATH".to_owned()),
        (Some("empty" | "tmpfs"), Some(_)) => {
            return Err(
                "source is for volumes of the host, of an image, and named ones".to_owned(),
            );
        }
        (Some("empty" | "tmpfs"), None) => VolumeSource::Empty {
            medium: match is_memory {
                true => Medium::Memory,
                false => Medium::Disk,
            },
            size: size.and_then(Limit::value),
            ownership,
        },
        (Some("named"), Some(volume)) => VolumeSource::Named {
            volume: named(volume)?,
            ownership,
        },
        (Some("named"), None) => return Err("a named volume needs source=NAME".to_owned()),
        (Some("image"), Some(image)) if !image.is_empty() => {
            let image = image.to_owned();
            return Ok(VolumeWord::Image(ImageVolume {
                name,
                image,
                pull: None,
            }));
        }
        (Some("image"), _) => return Err("a volume of an image needs source=IMAGE".to_owned()),
        (Some(kind), _) => {
            return Err(format!(
                "unknown kind `{kind}`; there are host, empty, tmpfs, named and image"
            ));
        }
        (None, _) => {
            return Err(
                "kind=host, kind=empty, kind=tmpfs, kind=named or kind=image is missing".to_owned(),
            );
        }
    };
    Ok(VolumeWord::Definition(Volume {
        name,
        source,
        read_only,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pod::manifest::MountOption;

    fn mounted(text: &str) -> Mount {
        match volume(text).unwrap() {
            VolumeWord::Mount(mount) => *mount,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_path_is_mounted_with_options() {
        let mount = mounted("/srv//data:/data/:ro,noexec,z");
        assert_eq!(mount.destination.as_str(), "/data");
        let path = "/srv/data".into();
        assert_eq!(mount.source, MountSource::Host { path });
        assert_eq!(mount.options, [MountOption::Rro, MountOption::Noexec]);
        let here = std::env::current_dir().unwrap();
        for (text, path) in [("./x:/y", here.join("x")), ("a/b:/y", here.join("a/b"))] {
            assert_eq!(mounted(text).source, MountSource::Host { path }, "{text}");
        }
    }

    #[test]
    fn a_volume_of_the_pod_is_described_by_its_kind() {
        let described = |text: &str| match volume(text).unwrap() {
            VolumeWord::Definition(volume) => volume,
            other => panic!("{other:?}"),
        };
        let host = described("data,kind=host,source=/srv,readOnly=true");
        assert!(host.read_only && host.name.as_str() == "data");
        let of_srv = |non_recursive| VolumeSource::Host {
            path: "/srv".into(),
            non_recursive,
            kind: None,
        };
        assert_eq!(host.source, of_srv(false));
        for (word, non_recursive) in [("true", false), ("false", true)] {
            let text = format!("data,kind=host,source=/srv,recursive={word}");
            assert_eq!(described(&text).source, of_srv(non_recursive));
        }
        let memory = described("m,kind=empty,medium=memory,size=1m").source;
        assert_eq!(memory, described("m,kind=tmpfs,size=1m").source);
        let empty = described("e,kind=empty").source;
        let (medium, size, ownership) = (Medium::Disk, None, Ownership::default());
        let wanted = VolumeSource::Empty {
            medium,
            size,
            ownership,
        };
        assert_eq!(empty, wanted);
        let named = described("n,kind=named,source=PG.data_1,uid=70,mode=2750").source;
        let wanted = VolumeSource::Named {
            volume: "PG.data_1".parse().unwrap(),
            ownership: Ownership {
                uid: Some(70),
                gid: None,
                mode: Some(0o2750),
            },
        };
        assert_eq!(named, wanted);
        let image = volume("i,kind=image,source=a.io/b:1").unwrap();
        let wanted = ImageVolume {
            name: "i".parse().unwrap(),
            image: "a.io/b:1".to_owned(),
            pull: None,
        };
        assert_eq!(image, VolumeWord::Image(wanted));
    }

    #[test]
    fn a_name_is_a_named_volume_and_a_place_alone_gets_an_empty_one() {
        let mount = mounted("pg_data:/var/lib/x:nocopy,ro");
        let name = "pg_data".parse().unwrap();
        let sub_path = None;
        assert_eq!(mount.source, MountSource::Named { name, sub_path });
        assert_eq!(mount.options, [MountOption::Nocopy, MountOption::Rro]);
        let VolumeWord::Anonymous(anonymous) = volume("/data/").unwrap() else {
            panic!("it has a source");
        };
        assert_eq!(anonymous.destination.as_str(), "/data");
    }

    #[test]
    fn what_can_not_be_is_refused_by_name() {
        for (bad, reason) in [
            ("", "must begin with /"),
            ("data", "must begin with /"),
            (":/x", "must not be empty"),
            ("-data:/x", "a directory of the host begins with"),
            ("da ta:/x", "only letters"),
            ("/a:x", "must begin with /"),
            ("/a:/x:ro:rw", "SOURCE:PLACE"),
            ("/a:/x:wide", "unknown option `wide`"),
            ("/a:/x:U", "`U` is not there yet"),
            ("/a:/x:idmap=uids=0-1-2", "not there yet"),
            ("d,kind=host", "source=PATH"),
            ("d,kind=empty,source=/x", "named ones"),
            ("d,kind=empty,size=1m", "volumes in memory"),
            ("d,kind=named", "source=NAME"),
            ("d,kind=named,source=/x", "type=bind"),
            ("d,kind=image", "source=IMAGE"),
            ("d,kind=host,source=/,uid=1", "that are made"),
            ("d,kind=cloud", "unknown kind `cloud`"),
            ("d,kin=empty", "unknown part `kin=empty`"),
            ("d,size=3m", "volumes in memory"),
            ("d,readOnly=true", "is missing"),
            ("~/x:/y", "for the shell"),
            ("d,kind=empty,mode=0790", "octal"),
            ("d,kind=empty,uid=root", "a number"),
            ("d,kind=empty,recursive=true", "volumes of the host"),
            ("d,kind=host,source=/,recursive=maybe", "maybe"),
            ("d,kind=empty,x=y", "unknown part `x=y`"),
            ("D,kind=empty", "lower-case"),
        ] {
            let error = volume(bad).unwrap_err();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }
}
