//! Logins for the images of pods in YAML.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use clap::Args;
use image_name::Reference;
use image_registry::Login;
use pod::manifest::InsecureOption;

use super::plan::Plan;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Bytes of a file of logins.
const FILE_MAX: u64 = 1 << 20;

/// Flags about registries.
#[derive(Debug, Args)]
pub(super) struct CredentialArguments {
    /// User and password for the registries of all images
    #[arg(long, value_name = "USER:PASSWORD", hide_short_help = true)]
    creds: Option<String>,
    /// File of logins, as `podman login` writes it
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    authfile: Option<PathBuf>,
    /// Whether registries have to prove who they are [default: true]
    #[arg(long, value_name = "BOOL", hide_short_help = true, action = clap::ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    tls_verify: Option<bool>,
}

impl CredentialArguments {
    /// The surroundings with these logins, and with those of the pods' own secrets, which count less.
    ///
    /// # Errors
    /// If the file can't be read, or a name of an image makes no sense.
    pub(super) fn context(
        &self,
        context: &Context,
        plan: &Plan,
        quiet: bool,
    ) -> Result<Context, Failure> {
        let mut changed = context.clone();
        changed.console.quiet |= quiet;
        if self.tls_verify == Some(false) {
            output::warn("--tls-verify=false: certificates of registries are not checked");
            let options = [InsecureOption::Tls, InsecureOption::Http];
            changed.engine.insecure.extend(options);
        }
        let mut logins = Vec::new();
        if let Some(creds) = &self.creds {
            logins.push(for_all(creds, plan)?);
        }
        if let Some(path) = &self.authfile {
            let file = File::open(path).map_err(Failure::io("open", path))?;
            let mut bytes = Vec::new();
            let read = file.take(FILE_MAX).read_to_end(&mut bytes);
            read.map_err(Failure::io("read", path))?;
            logins.push(Login::new(format!("--authfile {}", path.display()), bytes));
        }
        for login in &plan.logins {
            logins.push(Login::new("imagePullSecrets".to_owned(), login.0.clone()));
        }
        if !logins.is_empty() {
            changed.engine.registries = changed.engine.registries.clone().with_logins(logins);
        }
        Ok(changed)
    }
}

/// A login for each registry that has an image of the pods.
fn for_all(creds: &str, plan: &Plan) -> Result<Login, Failure> {
    let usage = |text: &str| Failure::Usage(format!("--creds: {text}"));
    let (username, password) = creds
        .split_once(':')
        .ok_or_else(|| usage("write USER:PASSWORD"))?;
    let images = plan.specs.iter().flat_map(|spec| {
        let apps = spec.apps.iter().map(|app| &app.image);
        apps.chain(spec.image_volumes.iter().map(|volume| &volume.image))
    });
    let references = images.filter_map(|image| image.parse::<Reference>().ok());
    let registries: BTreeSet<String> = references
        .map(|reference| reference.registry().to_string())
        .collect();
    let login = serde_json::json!({ "username": username, "password": password });
    let auths = registries
        .into_iter()
        .map(|registry| (registry, login.clone()));
    let auths: serde_json::Map<_, _> = auths.collect();
    let text = serde_json::json!({ "auths": auths }).to_string();
    Ok(Login::new("--creds".to_owned(), text.into_bytes()))
}
