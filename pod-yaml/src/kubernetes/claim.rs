//! Claims: named volumes.

use pod::named_volumes::{NamedVolumeName, Ownership};

use super::metadata::Metadata;
use crate::reading::{At, Error, Quantity};
use crate::schema::{CLAIM, CLAIM_RESOURCES, CLAIM_SPEC, CLAIM_TEMPLATE, Schema};

/// podman's annotations of claims.
const ANNOTATIONS: &str = "volume.podman.io/";

/// A claim.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) metadata: Metadata,
    pub(crate) volume: NamedVolumeName,
    pub(crate) ownership: Ownership,
}

impl Claim {
    pub(crate) fn read(at: &At<'_>) -> Result<Self, Error> {
        Self::of(at, &CLAIM, "")
    }

    /// That of a template, for the pod of this name.
    pub(crate) fn of_template(at: &At<'_>, pod: &str) -> Result<Self, Error> {
        Self::of(at, &CLAIM_TEMPLATE, &format!("-{pod}"))
    }

    fn of(at: &At<'_>, schema: &'static Schema, suffix: &str) -> Result<Self, Error> {
        let object = at.object(schema)?;
        let metadata = object.need("metadata", Metadata::named)?;
        object.read("spec", spec)?;
        let name = format!("{}{suffix}", metadata.name);
        let volume = name.parse().map_err(|error| metadata.place.wrong(error))?;
        let ownership = ownership(&metadata)?;
        Ok(Self {
            metadata,
            volume,
            ownership,
        })
    }
}

fn ownership(metadata: &Metadata) -> Result<Ownership, Error> {
    let mut ownership = Ownership::default();
    for (key, value) in &metadata.annotations {
        let Some(key) = key.strip_prefix(ANNOTATIONS) else {
            continue;
        };
        let wrong = |text: &str| metadata.place.wrong(format!("{ANNOTATIONS}{key}: {text}"));
        let number = || value.parse().map_err(|_| wrong("it is not a number"));
        match key {
            "uid" => ownership.uid = Some(number()?),
            "gid" => ownership.gid = Some(number()?),
            "driver" if value == "local" => {}
            _ => return Err(wrong("volumes have uid and gid alone")),
        }
    }
    Ok(ownership)
}

fn spec(at: &At<'_>) -> Result<(), Error> {
    let object = at.object(&CLAIM_SPEC)?;
    object.read("accessModes", At::words)?;
    object.choice("volumeMode", &[("Filesystem", ())])?;
    object.read("resources", |at| {
        let object = at.object(&CLAIM_RESOURCES)?;
        object.read("requests", |at| {
            for (_, amount) in at.members()? {
                Quantity::read_bytes(&amount)?;
            }
            Ok(())
        })
    })?;
    Ok(())
}
