//! `--volume SOURCE:PLACE[:OPTIONS]` as docker and podman have it, and `--volume NAME,kind=…` as rkt has it.

use std::str::FromStr;

use pod::manifest::{Medium, Mount, MountSource, Volume, VolumeName, VolumeSource};

use super::options::{options, switch};
use super::place::{destination, host_path, plain_mount};
use crate::arguments::quantity::memory;

/// What the flag's value says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum VolumeWord {
    /// A mount of the app.
    Mount(Box<Mount>),
    /// A volume of the pod, which `--mount volume=NAME,target=PLACE` mounts.
    Definition(Volume),
}

/// Parses the flag's value.
pub(crate) fn volume(text: &str) -> Result<VolumeWord, String> {
    match text.split_once(',') {
        Some((name, rest)) if !name.contains([':', '/']) => {
            definition(name, rest).map(VolumeWord::Definition)
        }
        _ => bind(text).map(|mount| VolumeWord::Mount(Box::new(mount))),
    }
}

fn bind(text: &str) -> Result<Mount, String> {
    let mut parts = text.split(':');
    let (source, place) = (parts.next().unwrap_or_default(), parts.next());
    let (words, more) = (parts.next().unwrap_or_default(), parts.next());
    let Some(place) = place else {
        return Err(format!(
            "volumes without a source are not there yet: what an app writes to `{text}` is kept with the pod anyway"
        ));
    };
    if more.is_some() {
        return Err("it is SOURCE:PLACE[:OPTIONS]".to_owned());
    }
    if source.is_empty() {
        return Err("the source must not be empty".to_owned());
    }
    if !is_path(source) {
        return Err(format!(
            "named volumes are not there yet; a directory of the host begins with / or ./: ./{source}:{place}"
        ));
    }
    let path = host_path(source)?;
    Ok(plain_mount(
        destination(place)?,
        MountSource::Host { path },
        options(words)?,
    ))
}

/// Whether that is a path, and not a name.
fn is_path(text: &str) -> bool {
    text.contains('/') || [".", ".."].contains(&text)
}

fn definition(name: &str, rest: &str) -> Result<Volume, String> {
    let name = VolumeName::from_str(name).map_err(|error| error.to_string())?;
    let (mut kind, mut source, mut size, mut medium) = (None, None, None, Medium::Disk);
    let mut read_only = false;
    for pair in rest.split(',') {
        match pair.split_once('=') {
            Some(("kind", value)) => kind = Some(value),
            Some(("source", value)) => source = Some(value),
            Some(("readOnly", value)) => read_only = switch("readOnly", Some(value))?,
            Some(("size", value)) => size = Some(memory(value)?),
            Some(("medium", "memory")) => medium = Medium::Memory,
            Some(("medium", "disk")) => medium = Medium::Disk,
            Some((key @ ("recursive" | "mode" | "uid" | "gid"), _)) => {
                return Err(format!("{key} of a volume is not there yet"));
            }
            _ => {
                return Err(format!(
                    "unknown part `{pair}`; there are kind, source, readOnly, medium and size"
                ));
            }
        }
    }
    let is_memory = kind == Some("tmpfs") || medium == Medium::Memory;
    if size.is_some() && !is_memory {
        return Err("size is for volumes in memory".to_owned());
    }
    let source = match (kind, source) {
        (Some("host"), Some(path)) => VolumeSource::Host {
            path: host_path(path)?,
        },
        (Some("host"), None) => return Err("a volume of the host needs source=PATH".to_owned()),
        (Some("empty" | "tmpfs"), Some(_)) => {
            return Err("source is for volumes of the host".to_owned());
        }
        (Some("empty" | "tmpfs"), None) => VolumeSource::Empty {
            medium: match is_memory {
                true => Medium::Memory,
                false => Medium::Disk,
            },
            size,
        },
        (Some(kind @ ("image" | "named")), _) => {
            return Err(format!("volumes of kind {kind} are not there yet"));
        }
        (Some(kind), _) => {
            return Err(format!(
                "unknown kind `{kind}`; there are host, empty and tmpfs"
            ));
        }
        (None, _) => return Err("kind=host, kind=empty or kind=tmpfs is missing".to_owned()),
    };
    Ok(Volume {
        name,
        source,
        read_only,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pod::manifest::MountOption;

    fn mounted(text: &str) -> Mount {
        match volume(text).unwrap() {
            VolumeWord::Mount(mount) => *mount,
            VolumeWord::Definition(volume) => panic!("{volume:?}"),
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
            VolumeWord::Mount(mount) => panic!("{mount:?}"),
        };
        let host = described("data,kind=host,source=/srv,readOnly=true");
        assert!(host.read_only && host.name.as_str() == "data");
        let path = "/srv".into();
        assert_eq!(host.source, VolumeSource::Host { path });
        let memory = described("m,kind=empty,medium=memory,size=1m").source;
        assert_eq!(memory, described("m,kind=tmpfs,size=1m").source);
        let empty = described("e,kind=empty").source;
        let (medium, size) = (Medium::Disk, None);
        assert_eq!(empty, VolumeSource::Empty { medium, size });
    }

    #[test]
    fn what_can_not_be_is_refused_by_name() {
        for (bad, reason) in [
            ("", "without a source"),
            ("/data", "without a source"),
            (":/x", "must not be empty"),
            ("data:/x", "named volumes are not there yet"),
            ("/a:x", "must begin with /"),
            ("/a:/x:ro:rw", "SOURCE:PLACE"),
            ("/a:/x:wide", "unknown option `wide`"),
            ("/a:/x:U", "`U` is not there yet"),
            ("/a:/x:idmap=uids=0-1-2", "not there yet"),
            ("d,kind=host", "source=PATH"),
            ("d,kind=empty,source=/x", "volumes of the host"),
            ("d,kind=empty,size=1m", "volumes in memory"),
            ("d,kind=named", "not there yet"),
            ("d,kind=cloud", "unknown kind `cloud`"),
            ("d,kin=empty", "unknown part `kin=empty`"),
            ("d,size=3m", "volumes in memory"),
            ("d,readOnly=true", "is missing"),
            ("~/x:/y", "for the shell"),
            ("d,kind=empty,mode=0700", "mode of a volume"),
            ("d,kind=empty,x=y", "unknown part `x=y`"),
            ("D,kind=empty", "lower-case"),
        ] {
            let error = volume(bad).unwrap_err();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }
}
