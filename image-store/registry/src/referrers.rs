//! The list of what refers to an image: the API of distribution-spec 1.1, and the tag that stands
//! in for it where a registry has none.

use image_document::referrer::{self, MAX_LISTED};
use image_document::{Descriptor, media_type};
use image_name::Digest;
use ureq::http::Uri;
use ureq::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, LINK};

use super::answer::{DOCUMENT_TIME, sanitize};
use super::client::{Ask, Client, Document, Method, Payload};
use super::endpoint::{encode_query, resolve};
use super::manifests::get_manifest;
use crate::error::RegistryError;

/// Pages of one list. Registries give some hundred entries on each.
const MAX_PAGES: usize = 16;

/// What refers to `subject` by what this registry lists, by its API or else at the tag; `None` if
/// nothing does.
///
/// # Errors
/// What the API answered, if it answered oddly, and the tag has no list either; or what is wrong with the
/// list at the tag.
pub(super) fn listed(
    client: &mut Client,
    subject: &Digest,
    kind: Option<&str>,
    limit: u64,
) -> Result<Option<Vec<Descriptor>>, RegistryError> {
    let by_api = match client.lists_by_tag {
        true => Ok(None),
        false => by_api(client, subject, kind, limit),
    };
    let listed = match by_api {
        Ok(Some(listed)) => listed,
        Ok(None) => {
            client.lists_by_tag = true;
            by_tag(client, subject, limit)?
        }
        // Many answer so who have no such API, or not for everybody.
        Err(error) if error.is_odd_answer() => {
            client.lists_by_tag = true;
            match by_tag(client, subject, limit) {
                Ok(listed) if !listed.is_empty() => listed,
                _ => return Err(error),
            }
        }
        Err(error) => return Err(error),
    };
    Ok((!listed.is_empty()).then_some(listed))
}

/// Asks the API for what refers to `subject`; `None` if the registry has no such API.
///
/// # Errors
/// [`RegistryError::Document`] for a list that is none,
/// [`RegistryError::Status`] for a next page elsewhere than at the registry itself.
fn by_api(
    client: &mut Client,
    subject: &Digest,
    kind: Option<&str>,
    limit: u64,
) -> Result<Option<Vec<Descriptor>>, RegistryError> {
    let query = kind.map_or(String::new(), |kind| {
        format!("?artifactType={}", encode_query(kind))
    });
    let mut next = Some(client.url(&format!("referrers/{subject}{query}"))?);
    let mut found = Vec::new();
    let mut pages = 0;
    while let Some(url) = next.take() {
        let ask = Ask {
            method: Method::Get,
            url: url.clone(),
            headers: vec![("accept", media_type::OCI_INDEX.to_owned())],
            payload: Payload::None,
            action: format!("listing referrers of {subject}"),
            longest: DOCUMENT_TIME,
        };
        let what = format!(
            "referrers of {subject} at registry {}",
            client.endpoint().registry()
        );
        let (headers, list) = match client.read(&ask, &what, limit)? {
            // Whoever serves something else at this path has not heard of the API.
            Document::Whole(headers, _) if pages == 0 && !is_index(&headers) => return Ok(None),
            Document::Whole(headers, list) => (headers, list),
            Document::Other(response) => match response.status().as_u16() {
                400 | 404 | 405 | 406 | 415 | 501 if pages == 0 => return Ok(None),
                _ => return Err(client.failure(&ask.action, response)),
            },
        };
        pages += 1;
        let after = text(&headers, LINK).and_then(next_page);
        found.extend(referrer::parse_list(&what, &list)?);
        if found.len() >= MAX_LISTED || pages >= MAX_PAGES {
            found.truncate(MAX_LISTED);
            break;
        }
        if let Some(after) = after {
            next = Some(same_place(client, &url, &after, &ask.action)?);
        }
    }
    Ok(Some(found))
}

/// Reads the list at the tag that the distribution specification sets aside for it.
fn by_tag(
    client: &mut Client,
    subject: &Digest,
    limit: u64,
) -> Result<Vec<Descriptor>, RegistryError> {
    let Some(list) = get_manifest(client, &referrer::tag(subject), limit)? else {
        return Ok(Vec::new());
    };
    // Some give the image itself for every name that its digest can be read from.
    if list.digest == *subject {
        return Ok(Vec::new());
    }
    let what = format!(
        "referrers of {subject} at registry {}",
        client.endpoint().registry()
    );
    Ok(referrer::parse_list(&what, &list.bytes)?)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn is_index(headers: &HeaderMap) -> bool {
    let told = text(headers, CONTENT_TYPE).unwrap_or_default();
    let told = told.split(';').next().unwrap_or_default().trim();
    told.eq_ignore_ascii_case(media_type::OCI_INDEX)
}

/// Where a list goes on: only at the registry itself, since the request carries credentials and
/// the answer decides what counts as signed.
fn same_place(client: &Client, base: &Uri, link: &str, action: &str) -> Result<Uri, RegistryError> {
    resolve(base, link)
        .filter(|url| client.endpoint().is_home(url) && url.path() == base.path())
        .ok_or_else(|| {
            let link = sanitize(link);
            RegistryError::Status {
                registry: client.endpoint().registry().to_owned(),
                action: action.to_owned(),
                status: 200,
                message: format!("refused to continue at {link:?}"),
            }
        })
}

/// The URL of the next page (RFC 8288: `<URL>; rel="next"`).
pub(super) fn next_page(link: &str) -> Option<String> {
    let mut rest = link;
    while let Some((_, after)) = rest.split_once('<') {
        let (url, after) = after.split_once('>')?;
        let (parameters, others) = after.split_once(',').unwrap_or((after, ""));
        let is_next = parameters.split(';').any(|parameter| {
            let parameter = parameter.trim().replace('"', "");
            parameter.eq_ignore_ascii_case("rel=next")
        });
        if is_next {
            return Some(url.to_owned());
        }
        rest = others;
    }
    None
}
