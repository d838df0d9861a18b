//! `index.json` of a layout: the image, cosign's tags and what refers to the image.

use image_document::media_type::OCI_INDEX;
use image_document::{At, DocumentError, Plan, referrer};
use serde_json::{Map, Value, json};

use crate::error::StoreError;

const REF_NAME: &str = "org.opencontainers.image.ref.name";
const IMAGE_NAME: &str = "io.containerd.image.name";

/// Writes the index. `existing` is that of a layout to which the image is added: an entry of the
/// same name gives way, everything else stays.
pub(super) fn index(
    plan: &Plan,
    tag: Option<&str>,
    existing: Option<&[u8]>,
) -> Result<Vec<u8>, StoreError> {
    let not_json = |error: serde_json::Error| {
        StoreError::Document(DocumentError::NotJson {
            what: "index.json".to_owned(),
            reason: error.to_string(),
        })
    };
    let mut document: Map<String, Value> = match existing {
        Some(bytes) => serde_json::from_slice(bytes).map_err(not_json)?,
        None => Map::from_iter([
            ("schemaVersion".to_owned(), json!(2)),
            ("mediaType".to_owned(), json!(OCI_INDEX)),
        ]),
    };
    let mut entries = match document.remove("manifests") {
        Some(Value::Array(entries)) => entries,
        None if existing.is_none() => Vec::new(),
        _ => {
            return Err(StoreError::Document(DocumentError::BadManifest {
                what: "index.json".to_owned(),
                reason: "it has no manifests".to_owned(),
            }));
        }
    };
    for new in new_entries(plan, tag)? {
        let name = ref_name(&new).map(str::to_owned);
        entries.retain(|old| match (&name, ref_name(old)) {
            (Some(new), Some(old)) => new != old,
            (None, None) => new.get("digest") != old.get("digest"),
            _ => true,
        });
        entries.push(new);
    }
    document.insert("manifests".to_owned(), Value::Array(entries));
    serde_json::to_vec(&document).map_err(not_json)
}

fn ref_name(entry: &Value) -> Option<&str> {
    entry.get("annotations")?.get(REF_NAME)?.as_str()
}

/// The index of an archive: the images alone, since others take whatever is there for one; and, where there is
/// something, that of what belongs to them.
pub(super) fn of_archive(
    plans: &[&Plan],
    tag: Option<&str>,
) -> Result<(Vec<u8>, Option<Vec<u8>>), StoreError> {
    let index = |entries: Vec<Value>| {
        let index = json!({
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": entries,
        });
        serde_json::to_vec(&index).map_err(|error| {
            StoreError::Document(DocumentError::NotJson {
                what: "index.json".to_owned(),
                reason: error.to_string(),
            })
        })
    };
    let (mut images, mut attached) = (Vec::new(), Vec::new());
    for plan in plans {
        let others = attachments(plan)?;
        for (all, entries) in [
            (&mut images, vec![image(plan, tag)]),
            (&mut attached, others),
        ] {
            for entry in entries {
                if !all.contains(&entry) {
                    all.push(entry);
                }
            }
        }
    }
    let attached = (!attached.is_empty()).then(|| index(attached));
    Ok((index(images)?, attached.transpose()?))
}

fn new_entries(plan: &Plan, tag: Option<&str>) -> Result<Vec<Value>, StoreError> {
    let mut entries = vec![image(plan, tag)];
    entries.extend(attachments(plan)?);
    Ok(entries)
}

fn image(plan: &Plan, tag: Option<&str>) -> Value {
    let top = &plan.top;
    let mut annotations = Map::new();
    let name = plan.name.as_ref().map(ToString::to_string);
    if let Some(shown) = tag.or(name.as_deref()) {
        annotations.insert(REF_NAME.to_owned(), json!(shown));
    }
    if let Some(name) = name.filter(|_| tag.is_none()) {
        annotations.insert(IMAGE_NAME.to_owned(), json!(name));
    }
    json!({
        "mediaType": top.media_type,
        "digest": top.digest,
        "size": top.bytes.len(),
        "annotations": annotations,
    })
}

fn attachments(plan: &Plan) -> Result<Vec<Value>, StoreError> {
    let mut entries = Vec::new();
    for one in &plan.attachments {
        let mut entry = referrer::list_entry(&one.manifest)?;
        match (&one.at, entry.as_object_mut()) {
            (At::Tag(tag), Some(entry)) => {
                // What cosign keeps at a tag is no artifact of its own.
                entry.remove("artifactType");
                entry.insert("annotations".to_owned(), json!({ REF_NAME: tag }));
            }
            // A name would make it an image of the layout.
            (_, Some(entry)) => {
                if let Some(Value::Object(annotations)) = entry.get_mut("annotations") {
                    annotations.remove(REF_NAME);
                    annotations.remove(IMAGE_NAME);
                }
            }
            (_, None) => {}
        }
        entries.push(entry);
    }
    Ok(entries)
}
