//! Logins for images, of secrets.

use super::known::Known;
use super::plan::Login;
use crate::kubernetes::Pod;
use crate::reading::{Error, Findings};

/// The logins that a pod names. One that is not there is told of: the images may need none.
pub(super) fn logins(pod: &Pod, known: &Known, findings: &Findings) -> Result<Vec<Login>, Error> {
    let mut logins = Vec::new();
    for (place, name) in &pod.spec.pull_secrets {
        let Some(secret) = known.secret(name) else {
            findings.ignore(place.finding(format!(
                "ignored: no Secret is called {name}; `fairing login` counts all the same"
            )));
            continue;
        };
        let key = |key: &str| {
            let bytes = secret.data.get(key);
            bytes.ok_or_else(|| place.wrong(format!("Secret {name} has no key {key}")))
        };
        let text = match &*secret.kind {
            "kubernetes.io/dockerconfigjson" => key(".dockerconfigjson")?.clone(),
            "kubernetes.io/dockercfg" => {
                let auths: serde_json::Value = serde_json::from_slice(key(".dockercfg")?)
                    .map_err(|_| place.wrong(format!("Secret {name} is not docker's JSON")))?;
                serde_json::json!({ "auths": auths })
                    .to_string()
                    .into_bytes()
            }
            _ => {
                return Err(place.wrong(format!(
                    "Secret {name} is of another type than kubernetes.io/dockerconfigjson"
                )));
            }
        };
        logins.push(Login(text));
    }
    Ok(logins)
}
