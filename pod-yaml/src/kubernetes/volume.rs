//! Volumes.

use pod::manifest::VolumeName;
use pod::named_volumes::NamedVolumeName;

use super::container::PullPolicy;
use super::environment::{FieldRef, ResourceFieldRef};
use crate::reading::{At, Error, Object, Place, Quantity};
use crate::schema::{
    CLAIM_SOURCE, CONFIG_MAP_PROJECTION, CONFIG_MAP_SOURCE, DOWNWARD, DOWNWARD_FILE, EMPTY_DIR,
    HOST_PATH, IMAGE_SOURCE, KEY_PATH, PROJECTED, PROJECTION, SECRET_SOURCE, VOLUME,
};

/// A volume.
#[derive(Debug, Clone)]
pub(crate) struct Volume {
    pub(crate) place: Place,
    pub(crate) name: VolumeName,
    pub(crate) kind: VolumeKind,
}

/// What a volume is.
#[derive(Debug, Clone)]
pub(crate) enum VolumeKind {
    Empty {
        is_memory: bool,
        size: Option<u64>,
    },
    HostPath {
        path: String,
        kind: HostPathType,
    },
    Claim {
        name: NamedVolumeName,
        read_only: bool,
    },
    Files {
        sources: Vec<Projection>,
        default_mode: u32,
    },
    Image {
        reference: String,
        pull: Option<PullPolicy>,
    },
}

/// What is to be at a path of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostPathType {
    Any,
    DirectoryOrCreate,
    Directory,
    FileOrCreate,
    File,
    Socket,
    CharDevice,
    BlockDevice,
}

/// Files from somewhere.
#[derive(Debug, Clone)]
pub(crate) enum Projection {
    ConfigMap(KeyedFiles),
    Secret(KeyedFiles),
    Downward(Vec<DownwardFile>),
}

/// Files that are keys of something.
#[derive(Debug, Clone)]
pub(crate) struct KeyedFiles {
    pub(crate) place: Place,
    pub(crate) name: String,
    /// All of them if absent.
    pub(crate) items: Option<Vec<KeyPath>>,
    pub(crate) optional: bool,
}

/// A key that becomes a file.
#[derive(Debug, Clone)]
pub(crate) struct KeyPath {
    pub(crate) place: Place,
    pub(crate) key: String,
    pub(crate) path: String,
    pub(crate) mode: Option<u32>,
}

/// A file with what is known of the pod.
#[derive(Debug, Clone)]
pub(crate) struct DownwardFile {
    pub(crate) place: Place,
    pub(crate) path: String,
    pub(crate) mode: Option<u32>,
    pub(crate) field: Option<FieldRef>,
    pub(crate) resource: Option<ResourceFieldRef>,
}

impl Volume {
    pub(crate) fn read(at: &At<'_>) -> Result<Self, Error> {
        let object = at.object(&VOLUME)?;
        let name = object.need("name", At::parsed)?;
        Ok(Self {
            place: at.place(),
            name,
            kind: kind(&object)?,
        })
    }
}

fn kind(object: &Object<'_>) -> Result<VolumeKind, Error> {
    if object.len() > 2 {
        return Err(object.at.wrong("a volume is one thing alone"));
    }
    let empty = object.read("emptyDir", empty_dir)?;
    let host = object.read("hostPath", host_path)?;
    let claim = object.read("persistentVolumeClaim", |at| {
        let object = at.object(&CLAIM_SOURCE)?;
        Ok(VolumeKind::Claim {
            name: object.need("claimName", At::parsed)?,
            read_only: object.flag("readOnly")?.unwrap_or_default(),
        })
    })?;
    let config_map = object.read("configMap", |at| {
        let object = at.object(&CONFIG_MAP_SOURCE)?;
        Ok(VolumeKind::Files {
            sources: vec![Projection::ConfigMap(keyed(&object, "name")?)],
            default_mode: mode(&object, "defaultMode")?.unwrap_or(FILE),
        })
    })?;
    let secret = object.read("secret", |at| {
        let object = at.object(&SECRET_SOURCE)?;
        Ok(VolumeKind::Files {
            sources: vec![Projection::Secret(keyed(&object, "secretName")?)],
            default_mode: mode(&object, "defaultMode")?.unwrap_or(FILE),
        })
    })?;
    let projected = object.read("projected", |at| {
        let object = at.object(&PROJECTED)?;
        Ok(VolumeKind::Files {
            sources: object
                .each("sources", projection)?
                .into_iter()
                .flatten()
                .collect(),
            default_mode: mode(&object, "defaultMode")?.unwrap_or(FILE),
        })
    })?;
    let downward = object.read("downwardAPI", |at| {
        let object = at.object(&DOWNWARD)?;
        Ok(VolumeKind::Files {
            sources: vec![Projection::Downward(object.each("items", downward_file)?)],
            default_mode: mode(&object, "defaultMode")?.unwrap_or(FILE),
        })
    })?;
    let image = object.read("image", |at| {
        let object = at.object(&IMAGE_SOURCE)?;
        Ok(VolumeKind::Image {
            reference: object.name("reference")?,
            pull: object.read("pullPolicy", PullPolicy::read)?,
        })
    })?;
    let all = [
        empty, host, claim, config_map, secret, projected, downward, image,
    ];
    // What is refused has been told of; and one that says nothing is empty.
    Ok(all
        .into_iter()
        .flatten()
        .next()
        .unwrap_or(VolumeKind::Empty {
            is_memory: false,
            size: None,
        }))
}

/// Permissions of a file of which nothing is said.
const FILE: u32 = 0o644;

fn mode(object: &Object<'_>, name: &str) -> Result<Option<u32>, Error> {
    object.read(name, |at| match at.number()? {
        mode @ 0..=0o777 => Ok(mode),
        _ => Err(at.wrong("permissions are from 0 to 0777; without the first 0 they are decimal")),
    })
}

fn empty_dir(at: &At<'_>) -> Result<VolumeKind, Error> {
    let object = at.object(&EMPTY_DIR)?;
    let medium = object.text("medium")?.unwrap_or_default();
    let is_memory = match &*medium {
        "" => false,
        "Memory" => true,
        _ => {
            return Err(at.wrong(format!("medium {medium:?} is not there: Memory, or none")));
        }
    };
    let size = object
        .read("sizeLimit", Quantity::read_bytes)?
        .map(Quantity::whole);
    if let Some(at) = object.get("sizeLimit").filter(|_| !is_memory) {
        at.ignore("ignored: of a directory on disk nothing is limited; medium Memory is");
    }
    Ok(VolumeKind::Empty {
        is_memory,
        size: size.filter(|size| is_memory && *size > 0),
    })
}

fn host_path(at: &At<'_>) -> Result<VolumeKind, Error> {
    use HostPathType as Type;
    let object = at.object(&HOST_PATH)?;
    let path = object.name("path")?;
    if !path.starts_with('/') {
        return Err(at.wrong(format!("path {path:?} is not absolute")));
    }
    let kind = object.choice(
        "type",
        &[
            ("", Type::Any),
            ("DirectoryOrCreate", Type::DirectoryOrCreate),
            ("Directory", Type::Directory),
            ("FileOrCreate", Type::FileOrCreate),
            ("File", Type::File),
            ("Socket", Type::Socket),
            ("CharDevice", Type::CharDevice),
            ("BlockDevice", Type::BlockDevice),
        ],
    )?;
    Ok(VolumeKind::HostPath {
        path,
        kind: kind.unwrap_or(Type::Any),
    })
}

fn keyed(object: &Object<'_>, name: &str) -> Result<KeyedFiles, Error> {
    Ok(KeyedFiles {
        place: object.at.place(),
        name: object.name(name)?,
        items: object.read("items", |at| at.list()?.iter().map(key_path).collect())?,
        optional: object.flag("optional")?.unwrap_or_default(),
    })
}

fn key_path(at: &At<'_>) -> Result<KeyPath, Error> {
    let object = at.object(&KEY_PATH)?;
    Ok(KeyPath {
        place: at.place(),
        key: object.name("key")?,
        path: object.need("path", relative)?,
        mode: mode(&object, "mode")?,
    })
}

/// A path that leads nowhere else.
fn relative(at: &At<'_>) -> Result<String, Error> {
    let path = at.text()?;
    let is_good = |part: &str| !matches!(part, "" | "." | "..") && part.len() <= 255;
    match path.split('/').all(is_good) && path.len() < 4096 && !path.contains('\0') {
        true => Ok(path),
        false => Err(at.wrong(format!("{path:?} is not a path within the volume"))),
    }
}

fn projection(at: &At<'_>) -> Result<Option<Projection>, Error> {
    let object = at.object(&PROJECTION)?;
    if object.len() != 1 {
        return Err(at.wrong("exactly one source has to be given"));
    }
    let files = |name: &str| {
        object.read(name, |at| {
            keyed(&at.object(&CONFIG_MAP_PROJECTION)?, "name")
        })
    };
    let downward = object.read("downwardAPI", |at| {
        at.object(&DOWNWARD)?.each("items", downward_file)
    })?;
    // What is refused has been told of.
    Ok((files("configMap")?.map(Projection::ConfigMap))
        .or(files("secret")?.map(Projection::Secret))
        .or(downward.map(Projection::Downward)))
}

fn downward_file(at: &At<'_>) -> Result<DownwardFile, Error> {
    let object = at.object(&DOWNWARD_FILE)?;
    let field = object.read("fieldRef", FieldRef::read)?;
    let resource = object.read("resourceFieldRef", ResourceFieldRef::read)?;
    if field.is_some() == resource.is_some() {
        return Err(at.wrong("one of fieldRef and resourceFieldRef has to be given"));
    }
    Ok(DownwardFile {
        place: at.place(),
        path: object.need("path", relative)?,
        mode: mode(&object, "mode")?,
        field,
        resource,
    })
}
