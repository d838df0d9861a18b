//! Access tokens of a registry's token server (distribution: auth/token and auth/oauth).

use image_document::go_json;
use serde::Deserialize;
use ureq::http::Uri;

use super::answer::{DOCUMENT_TIME, Unread, read_body, sanitize};
use super::client::{Client, Method, Payload};
use super::credentials::Credentials;
use super::endpoint::encode_query;
use crate::error::RegistryError;

/// Bytes of the answer of a token server; tokens of some clouds have several KiB.
const MAX_ANSWER: u64 = 256 << 10;

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
}

/// Gets a token for `scope` (none asks who the user is), with credentials where there are some, else anonymously.
pub(super) fn fetch(
    client: &Client,
    realm: &str,
    service: Option<&str>,
    scope: Option<&str>,
    credentials: Option<&Credentials>,
) -> Result<String, RegistryError> {
    let registry = client.endpoint().registry().to_owned();
    let action = "getting a token".to_owned();
    let error = |reason: &str| RegistryError::Network {
        registry: registry.clone(),
        action: action.clone(),
        reason: reason.to_owned(),
        lack: None,
    };
    // The registry was reached, and names a place that nobody asks: no reason to fail where its answer isn't needed.
    let refused = |reason: &str| RegistryError::Status {
        registry: registry.clone(),
        action: action.clone(),
        status: 401,
        message: reason.to_owned(),
    };
    let url: Uri = realm.parse().map_err(|_| {
        refused(&format!(
            "{:?} is not the URL of a token server",
            sanitize(realm)
        ))
    })?;
    if !client.endpoint().may_follow(&url) {
        return Err(refused(&format!(
            "the token server {} is not reached over TLS",
            sanitize(&url.to_string())
        )));
    }
    let query: Vec<String> = [("scope", scope), ("service", service)]
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", encode_query(value?))))
        .collect();
    let query = query.join("&");
    let response = match credentials {
        Some(Credentials::Refresh(token)) => {
            let form = format!(
                "grant_type=refresh_token&client_id=fairing&{query}&refresh_token={}",
                encode_query(token)
            );
            let headers = [(
                "content-type",
                "application/x-www-form-urlencoded".to_owned(),
            )];
            client.exchange(
                Method::Post,
                &url,
                &headers,
                &Payload::Bytes(form.as_bytes()),
                &action,
                DOCUMENT_TIME,
            )?
        }
        _ => {
            let separator = if url.query().is_some() { '&' } else { '?' };
            let url = format!("{url}{separator}{query}")
                .parse()
                .map_err(|_| error("the URL of the token server can't be completed"))?;
            let mut headers = Vec::new();
            if let Some(Credentials::Basic(basic)) = credentials {
                headers.push(("authorization", format!("Basic {basic}")));
            }
            {
                let payload = Payload::None;
                client.exchange(
                    Method::Get,
                    &url,
                    &headers,
                    &payload,
                    &action,
                    DOCUMENT_TIME,
                )?
            }
        }
    };
    if response.status() != 200 {
        return Err(client.failure(&action, response));
    }
    let odd = |reason: String| RegistryError::Status {
        registry: registry.clone(),
        action: action.clone(),
        status: 200,
        message: reason,
    };
    let bytes = read_body(response.into_body(), MAX_ANSWER).map_err(|unread| match unread {
        Unread::TooLarge => odd(format!("it is larger than {MAX_ANSWER} bytes")),
        Unread::Broken(broken) => error(&broken.to_string()),
    })?;
    // The text of the parser may quote the answer, and with it the token.
    let answer: Answer = go_json::from_slice(&bytes).map_err(|bad| {
        let (line, column) = (bad.line(), bad.column());
        odd(format!(
            "it is not valid JSON: line {line}, column {column}"
        ))
    })?;
    let token = if answer.token.is_empty() {
        answer.access_token
    } else {
        answer.token
    };
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(error("the token server sent no usable token"));
    }
    Ok(token)
}
