//! Variables, and where their values are.

use crate::reading::{At, Error, Place, Quantity};
use crate::schema::{
    ENV, ENV_FROM, ENV_SOURCE, FIELD_REF, KEY_REF, RESOURCE_FIELD_REF, SOURCE_REFERENCE,
};

/// A variable.
#[derive(Debug, Clone)]
pub(crate) struct EnvVar {
    pub(crate) place: Place,
    pub(crate) name: String,
    pub(crate) source: EnvSource,
}

/// Where a value is.
#[derive(Debug, Clone)]
pub(crate) enum EnvSource {
    Value(String),
    Field(FieldRef),
    Resource(ResourceFieldRef),
    ConfigMap(KeyRef),
    Secret(KeyRef),
}

/// A key of a config map or a secret.
#[derive(Debug, Clone)]
pub(crate) struct KeyRef {
    pub(crate) place: Place,
    pub(crate) name: String,
    pub(crate) key: String,
    pub(crate) optional: bool,
}

/// A field of the pod.
#[derive(Debug, Clone)]
pub(crate) struct FieldRef {
    pub(crate) place: Place,
    pub(crate) path: String,
}

/// A limit or request of a container.
#[derive(Debug, Clone)]
pub(crate) struct ResourceFieldRef {
    pub(crate) place: Place,
    pub(crate) container: Option<String>,
    pub(crate) resource: String,
    pub(crate) divisor: Option<Quantity>,
}

/// All keys of a config map or a secret.
#[derive(Debug, Clone)]
pub(crate) struct EnvFrom {
    pub(crate) place: Place,
    pub(crate) prefix: String,
    pub(crate) name: String,
    pub(crate) is_secret: bool,
    pub(crate) optional: bool,
}

impl EnvVar {
    pub(crate) fn read(at: &At<'_>) -> Result<Self, Error> {
        let object = at.object(&ENV)?;
        let name = object.name("name")?;
        let value = object.read("value", At::text)?;
        let from = object.read("valueFrom", source)?;
        let source = match (value, from) {
            (Some(value), Some(_)) if !value.is_empty() => {
                return Err(at.wrong("value and valueFrom exclude each other"));
            }
            (_, Some(source)) => source,
            (value, None) => EnvSource::Value(value.unwrap_or_default()),
        };
        Ok(Self {
            place: at.place(),
            name,
            source,
        })
    }
}

fn source(at: &At<'_>) -> Result<EnvSource, Error> {
    let object = at.object(&ENV_SOURCE)?;
    if object.len() != 1 {
        return Err(at.wrong("exactly one source has to be given"));
    }
    let field = object.read("fieldRef", FieldRef::read)?;
    let resource = object.read("resourceFieldRef", ResourceFieldRef::read)?;
    let config_map = object.read("configMapKeyRef", key)?;
    let secret = object.read("secretKeyRef", key)?;
    let found = (field.map(EnvSource::Field))
        .or(resource.map(EnvSource::Resource))
        .or(config_map.map(EnvSource::ConfigMap))
        .or(secret.map(EnvSource::Secret));
    // What is refused has been told of.
    Ok(found.unwrap_or(EnvSource::Value(String::new())))
}

fn key(at: &At<'_>) -> Result<KeyRef, Error> {
    let object = at.object(&KEY_REF)?;
    Ok(KeyRef {
        place: at.place(),
        name: object.name("name")?,
        key: object.name("key")?,
        optional: object.flag("optional")?.unwrap_or_default(),
    })
}

impl FieldRef {
    pub(crate) fn read(at: &At<'_>) -> Result<Self, Error> {
        let object = at.object(&FIELD_REF)?;
        object.choice("apiVersion", &[("v1", ())])?;
        Ok(Self {
            place: at.place(),
            path: object.name("fieldPath")?,
        })
    }
}

impl ResourceFieldRef {
    pub(crate) fn read(at: &At<'_>) -> Result<Self, Error> {
        let object = at.object(&RESOURCE_FIELD_REF)?;
        Ok(Self {
            place: at.place(),
            container: object.text("containerName")?,
            resource: object.name("resource")?,
            divisor: object.read("divisor", Quantity::read)?,
        })
    }
}

impl EnvFrom {
    pub(crate) fn read(at: &At<'_>) -> Result<Self, Error> {
        let object = at.object(&ENV_FROM)?;
        let reference = |at: &At<'_>| {
            let object = at.object(&SOURCE_REFERENCE)?;
            let optional = object.flag("optional")?.unwrap_or_default();
            Ok((object.name("name")?, optional))
        };
        let config_map = object.read("configMapRef", reference)?;
        let secret = object.read("secretRef", reference)?;
        let is_secret = secret.is_some();
        let (name, optional) = match (config_map, secret) {
            (Some(found), None) | (None, Some(found)) => found,
            _ => return Err(at.wrong("one of configMapRef and secretRef has to be given")),
        };
        Ok(Self {
            place: at.place(),
            prefix: object.text("prefix")?.unwrap_or_default(),
            name,
            is_secret,
            optional,
        })
    }
}
