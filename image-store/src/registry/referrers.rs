//! The list of what refers to an image: the API of distribution-spec 1.1, and the tag that stands
//! in for it where a registry has none.

use oci_spec::image::Digest;
use ureq::Body;
use ureq::http::header::{CONTENT_TYPE, LINK};
use ureq::http::{Response, Uri};

use super::answer::{failure, header, read_body, sanitize};
use super::client::{Ask, Client, Method, Payload};
use super::endpoint::{encode_query, resolve};
use super::get_manifest;
use crate::error::StoreError;
use crate::manifest::Descriptor;
use crate::media_type;
use crate::referrer::{self, MAX_LISTED};

/// Pages of one list. Registries give some hundred entries on each.
const MAX_PAGES: usize = 16;

/// Asks the API for what refers to `subject`; `None` if the registry has no such API.
///
/// # Errors
/// [`StoreError::NotJson`] or [`StoreError::BadManifest`] for a list that is none,
/// [`StoreError::Network`] for a next page elsewhere than at the registry itself.
pub(super) fn by_api(
    client: &mut Client,
    subject: &Digest,
    kind: Option<&str>,
    limit: u64,
) -> Result<Option<Vec<Descriptor>>, StoreError> {
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
        };
        let response = client.send(&ask)?;
        match response.status().as_u16() {
            // Whoever serves something else at this path has not heard of the API.
            200 if pages > 0 || is_index(&response) => {}
            200 | 400 | 404 | 405 | 406 | 415 | 501 if pages == 0 => return Ok(None),
            _ => return Err(failure(&client.endpoint().registry, &ask.action, response)),
        }
        pages += 1;
        let after = next_page(&response);
        let what = format!(
            "referrers of {subject} at registry {}",
            client.endpoint().registry
        );
        found.extend(referrer::parse_list(
            &what,
            &read_body(response, &what, limit)?,
        )?);
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
pub(super) fn by_tag(
    client: &mut Client,
    subject: &Digest,
    limit: u64,
) -> Result<Vec<Descriptor>, StoreError> {
    let Some(list) = get_manifest(client, &referrer::tag(subject)?, limit)? else {
        return Ok(Vec::new());
    };
    let what = format!(
        "referrers of {subject} at registry {}",
        client.endpoint().registry
    );
    referrer::parse_list(&what, &list.bytes)
}

fn is_index(response: &Response<Body>) -> bool {
    let told = header(response, CONTENT_TYPE).unwrap_or_default();
    let told = told.split(';').next().unwrap_or_default().trim();
    told.eq_ignore_ascii_case(media_type::OCI_INDEX)
}

/// Where a list goes on: only at the registry itself, since the request carries credentials and
/// the answer decides what counts as signed.
fn same_place(client: &Client, base: &Uri, link: &str, action: &str) -> Result<Uri, StoreError> {
    resolve(base, link)
        .filter(|url| client.endpoint().is_home(url) && url.path() == base.path())
        .ok_or_else(|| {
            let link = sanitize(link);
            client.network(action, format!("refused to go on reading at {link:?}"))
        })
}

/// The URL of the next page (RFC 8288: `<URL>; rel="next"`).
fn next_page(response: &Response<Body>) -> Option<String> {
    let mut rest = header(response, LINK)?;
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
