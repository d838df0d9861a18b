//! What a request shows to a registry, as a login of the engine.

use std::collections::BTreeMap;

use image_name::Reference;
use image_registry::Login;
use serde::Serialize;

use crate::api::AuthConfig;
use crate::error::CriError;

const FIELD: &str = "auth";

/// A file as podman and docker have it.
#[derive(Serialize)]
struct File<'a> {
    auths: BTreeMap<&'a str, Entry<'a>>,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "lowercase")]
struct Entry<'a> {
    username: &'a str,
    password: &'a str,
    auth: &'a str,
    identitytoken: &'a str,
    registrytoken: &'a str,
}

/// The login that a request gives for an image; it goes to the server that it is for, and to no other. `None` if nothing is
/// given.
///
/// # Errors
/// [`CriError::Invalid`] if it can't be used. Nothing of it is told.
pub(super) fn login(
    auth: Option<&AuthConfig>,
    image: &Reference,
) -> Result<Option<Login>, CriError> {
    let Some(auth) = auth else { return Ok(None) };
    for (name, text) in [
        ("username", &auth.username),
        ("password", &auth.password),
        ("identity_token", &auth.identity_token),
        ("registry_token", &auth.registry_token),
        ("server_address", &auth.server_address),
    ] {
        // They stand in a header.
        if text.contains(char::is_control) {
            let field = format!("{FIELD}.{name}");
            return Err(CriError::invalid(field, "it holds a control character"));
        }
    }
    let mut entry = Entry::default();
    // As other runtimes prefer them.
    if !auth.username.is_empty() {
        (entry.username, entry.password) = (&auth.username, &auth.password);
    } else if !auth.identity_token.is_empty() {
        entry.identitytoken = &auth.identity_token;
    } else if !auth.auth.is_empty() {
        check_encoded(&auth.auth)?;
        entry.auth = &auth.auth;
    } else if !auth.registry_token.is_empty() {
        entry.registrytoken = &auth.registry_token;
    } else if !auth.password.is_empty() {
        return Err(CriError::missing(format!("{FIELD}.username")));
    } else {
        return Ok(None);
    }
    let server = match auth.server_address.as_str() {
        "" => image.registry(),
        server => server,
    };
    let file = File {
        auths: BTreeMap::from([(server, entry)]),
    };
    let text = serde_json::to_vec(&file)
        .map_err(|_| CriError::Internal("a login can't be written".to_owned()))?;
    Ok(Some(Login::new("the request's auth".to_owned(), text)))
}

/// Whether it is user and password in base64: else others' would be taken in its place.
fn check_encoded(text: &str) -> Result<(), CriError> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    match STANDARD.decode(text.trim()) {
        Ok(decoded) if decoded.contains(&b':') => Ok(()),
        _ => Err(CriError::invalid(
            format!("{FIELD}.auth"),
            "it is not USER:PASSWORD in base64",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(change: impl FnOnce(&mut AuthConfig)) -> Result<Option<String>, String> {
        let mut auth = AuthConfig::default();
        change(&mut auth);
        let image = Reference::parse("registry.lan:5000/a:1").unwrap();
        let login = login(Some(&auth), &image).map_err(|error| error.to_string())?;
        let expected = |text: &str| Login::new("the request's auth".to_owned(), text.into());
        let Some(login) = login else { return Ok(None) };
        // A login shows nothing of what it is.
        let parts = |server: &str, member: &str, value: &str| {
            let mut members = BTreeMap::from([
                ("username", ""),
                ("password", ""),
                ("auth", ""),
                ("identitytoken", ""),
                ("registrytoken", ""),
            ]);
            members.insert(member, value);
            if member == "username" {
                members.insert("password", "p");
            }
            let order = [
                "username",
                "password",
                "auth",
                "identitytoken",
                "registrytoken",
            ];
            let members: Vec<_> = order
                .map(|name| format!("\"{name}\":\"{}\"", members[name]))
                .into();
            format!("{{\"auths\":{{\"{server}\":{{{}}}}}}}", members.join(","))
        };
        for server in ["registry.lan:5000", "https://other.lan/v1/"] {
            for (member, value) in [
                ("username", "u"),
                ("auth", "dTpw"),
                ("identitytoken", "i"),
                ("registrytoken", "r"),
            ] {
                if login == expected(&parts(server, member, value)) {
                    return Ok(Some(format!("{server} {member}")));
                }
            }
        }
        panic!("another login");
    }

    #[test]
    fn each_form_is_for_its_server() {
        let said = |change: fn(&mut AuthConfig)| text(change).unwrap();
        assert_eq!(said(|_| {}), None);
        assert_eq!(said(|auth| auth.server_address = "other.lan".into()), None);
        let user = said(|auth| {
            (auth.username, auth.password) = ("u".into(), "p".into());
            auth.registry_token = "r".into();
        });
        assert_eq!(user.as_deref(), Some("registry.lan:5000 username"));
        let other = said(|auth| {
            auth.auth = "dTpw".into();
            auth.server_address = "https://other.lan/v1/".into();
        });
        assert_eq!(other.as_deref(), Some("https://other.lan/v1/ auth"));
        let token = said(|auth| auth.identity_token = "i".into());
        assert_eq!(token.as_deref(), Some("registry.lan:5000 identitytoken"));
        let token = said(|auth| auth.registry_token = "r".into());
        assert_eq!(token.as_deref(), Some("registry.lan:5000 registrytoken"));
    }

    #[test]
    fn what_is_none_is_refused_and_not_told() {
        for change in [
            (|auth| auth.auth = "c2VjcmV0".into()) as fn(&mut AuthConfig),
            |auth| auth.auth = "secret:".into(),
            |auth| auth.password = "secret".into(),
        ] {
            let error = text(change).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
