//! `fairing image tag`: a further name for an image.

use clap::Args;
use engine::images::choice::record;
use image_name::Reference;

use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `image tag`.
#[derive(Debug, Args)]
pub(crate) struct Tag {
    /// Reference, or the beginning of a digest
    #[arg(value_name = "IMAGE")]
    image: String,
    /// Other names for it; one without a registry is local: localhost/NAME
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

impl Subcommand for Tag {
    const NAME: &'static str = "tag";
    const ABOUT: &'static str =
        "Give an image of the store another name; rules for that name judge it";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let store = context.engine.store();
        let _pin = store.pin()?;
        let record = record(&context.engine, &self.image)?;
        let names: Vec<Reference> = self
            .names
            .iter()
            .map(|name| local(name))
            .collect::<Result<_, _>>()?;
        for name in names {
            store.tag(&record, &name)?;
            output::line(&name.to_string())?;
        }
        Ok(0)
    }
}

/// A name for an image that is here: without a registry, it is of this machine.
fn local(text: &str) -> Result<Reference, Failure> {
    let name = match Reference::is_short(text) {
        true => Reference::parse(&format!("localhost/{text}"))?,
        false => Reference::parse(text)?,
    };
    match name.digest() {
        Some(_) => Err(Failure::Usage(format!(
            "{text} names a digest, which an image can't be given"
        ))),
        None => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_registry_is_local() {
        assert_eq!(local("app").unwrap().to_string(), "localhost/app:latest");
        assert_eq!(
            local("team/app:1").unwrap().to_string(),
            "localhost/team/app:1"
        );
        assert_eq!(local("a.io/app").unwrap().to_string(), "a.io/app:latest");
        let digest = format!("a.io/app@sha256:{}", "0".repeat(64));
        for bad in ["", "A", digest.as_str()] {
            assert!(local(bad).is_err(), "{bad}");
        }
    }
}
