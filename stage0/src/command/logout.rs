//! `fairing logout`: forgets credentials.

use clap::Args;
use engine::images::registries;
use image_registry::{Scope, forget_login, known_user};

use super::login::Place;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `logout`.
#[derive(Debug, Args)]
pub(crate) struct Logout {
    /// Registry, optionally with the beginning of a path
    #[arg(value_name = "REGISTRY[/PATH]", required_unless_present = "all")]
    #[arg(conflicts_with = "all")]
    registry: Option<String>,
    /// Forget all credentials that were kept
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    place: Place,
}

impl Subcommand for Logout {
    const NAME: &'static str = "logout";
    const ABOUT: &'static str =
        "Log out of a registry: forget the credentials that are kept for it";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let registries = registries::load(&context.engine)?;
        let scope = self.registry.as_deref().map(Scope::parse).transpose()?;
        let keep = self.place.keep();
        let places = forget_login(scope.as_ref(), &registries, &keep)?;
        let shown = match &scope {
            Some(scope) => scope.to_string(),
            None => "all registries".to_owned(),
        };
        for place in &places {
            output::line(&format!("logged out of {shown}; removed from {place}"))?;
        }
        let left = match &scope {
            Some(scope) => known_user(scope, &registries)?,
            None => None,
        };
        match (left, places.is_empty(), scope) {
            (Some((_, from)), _, Some(scope)) => {
                let text = format!(
                    "credentials for {scope} are still in {from}, which fairing does not change"
                );
                if places.is_empty() {
                    return Err(Failure::Other(text));
                }
                output::warn(&text);
            }
            (_, true, Some(scope)) => {
                return Err(Failure::Other(format!("nobody is logged in to {scope}")));
            }
            _ => {}
        }
        Ok(0)
    }
}
