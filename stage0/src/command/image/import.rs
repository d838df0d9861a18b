//! `fairing image import`: brings an image from a directory or file into the store.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use clap::Args;
use engine::images::commit::change;
use engine::images::fetch as fetching;
use engine::policy::verifier::{Verifier, warn_if_unsigned};
use image_document::Platform;
use image_store::{ContentError, ImageArgument, ImageSettings, ImageSource, StoreError};

use crate::arguments::label::label;
use crate::arguments::local_name::local;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

const SOURCE_HELP: &str = "oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REF], \
    docker://REF, aci:FILE, rootfs:DIR, rootfs:TAR, or a path";

/// Arguments of `image import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[arg(value_name = "SOURCE", help = SOURCE_HELP)]
    source: String,
    /// Name for the image, without a registry localhost/NAME [default: that of the source; a root filesystem has none]
    #[arg(long, value_name = "REFERENCE")]
    name: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

/// How to run what is in a root filesystem.
#[derive(Debug, Args)]
#[command(next_help_heading = "For root filesystems")]
struct Settings {
    /// Program that is always run: a path, or a JSON array with arguments
    #[arg(long, value_name = "PROGRAM")]
    entrypoint: Option<String>,
    /// Arguments, or the program if there is no entry point: one word, or a JSON array
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    cmd: Option<String>,
    /// Environment variable; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// User, and optionally group, by name or number
    #[arg(long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Working directory
    #[arg(long, value_name = "DIR")]
    workdir: Option<String>,
    /// Label; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    label: Vec<String>,
    /// Signal that asks the app to end
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// Platform that the programs are for [default: this machine's]
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    platform: Option<Platform>,
}

impl Subcommand for Import {
    const NAME: &'static str = "import";
    const ABOUT: &'static str =
        "Import an image from a directory or file into the store, and print its name";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let source = match self.name {
            // Whoever names it may mean a root filesystem.
            Some(_) => ImageSource::parse_root(&self.source),
            None => ImageSource::parse_path(&self.source),
        };
        let source = source.map_err(|error| self.told(error))?;
        let platform = self.settings.platform.clone();
        let settings = self.settings.parse()?;
        let is_root = matches!(source, ImageSource::Root { .. });
        if is_root && self.name.is_none() {
            return Err(Failure::Usage(format!(
                "{source} has no name; give it one with --name"
            )));
        }
        if !is_root && (settings != ImageSettings::default() || platform.is_some()) {
            return Err(Failure::Usage(format!(
                "{source} is an image with its own settings; flags for root filesystems don't apply"
            )));
        }
        let name = self.name.as_deref().map(local).transpose()?;
        let verifier = Verifier::new(&context.engine, &context.console)?;
        let fetched = fetching::import(&context.engine, &verifier, &source, |options| {
            options.name = name;
            options.settings = settings;
            if let Some(platform) = platform {
                options.platform = platform;
            }
        });
        let fetched = fetched.map_err(Failure::of_import)?;
        warn_if_unsigned(&fetched.proof, &context.console);
        output::line(&fetched.reference.to_string())?;
        Ok(0)
    }
}

impl Import {
    /// A name of an image that is typed in the place of a file is told how it is written.
    fn told(&self, error: StoreError) -> Failure {
        let is_missing = matches!(
            &error,
            StoreError::Content(ContentError::Io { error, .. }) if error.kind() == ErrorKind::NotFound
        );
        let is_name = matches!(
            ImageArgument::parse(&self.source),
            Ok(ImageArgument::ShortName(_))
        );
        match is_missing && is_name && !ImageSource::is_file_name(&self.source) {
            true => Failure::from(error).helped(format!(
                "docker://{} names an image of a registry",
                self.source
            )),
            false => error.into(),
        }
    }
}

impl Settings {
    fn parse(self) -> Result<ImageSettings, Failure> {
        let words = |flag: &str, text: Option<String>| match text {
            None => Ok(Vec::new()),
            Some(text) => words(&text)
                .map_err(|reason| Failure::Usage(format!("--{flag} {text:?}: {reason}"))),
        };
        let mut labels = BTreeMap::new();
        let wrong = |flag: &str, text: &str| {
            let message = format!("--{flag} {text:?}: ");
            move |reason: String| Failure::Usage(message + &reason)
        };
        for text in &self.label {
            pair("label", text)?;
            labels.extend([label(text).map_err(wrong("label", text))?]);
        }
        // They have to be what `commit --change` takes.
        for (flag, instruction, value) in [
            ("user", "USER", &self.user),
            ("stop-signal", "STOPSIGNAL", &self.stop_signal),
            ("workdir", "WORKDIR", &self.workdir),
        ] {
            if let Some(value) = value {
                change(&format!("{instruction} {value}")).map_err(wrong(flag, value))?;
            }
        }
        for variable in &self.env {
            pair("env", variable)?;
        }
        Ok(ImageSettings {
            entrypoint: words("entrypoint", self.entrypoint)?,
            cmd: words("cmd", self.cmd)?,
            env: self.env,
            user: self.user,
            workdir: self.workdir,
            labels,
            stop_signal: self.stop_signal,
        })
    }
}

fn pair<'a>(flag: &str, text: &'a str) -> Result<(&'a str, &'a str), Failure> {
    text.split_once('=')
        .filter(|(name, _)| !name.is_empty() && !name.contains(char::is_control))
        .filter(|_| !text.contains('\0'))
        .ok_or_else(|| Failure::Usage(format!("--{flag} {text:?}: write NAME=VALUE")))
}

/// A JSON array of words, or one word.
fn words(text: &str) -> Result<Vec<String>, String> {
    if !text.trim_start().starts_with('[') {
        return Ok(vec![text.to_owned()]);
    }
    serde_json::from_str(text)
        .map_err(|error| format!("it is not a JSON array of strings: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_one_word_or_an_array() {
        assert_eq!(words("/bin/sh -c").unwrap(), ["/bin/sh -c"]);
        assert_eq!(words(r#"["/bin/sh", "-c"]"#).unwrap(), ["/bin/sh", "-c"]);
        for bad in ["[1]", "[\"a\"", "[a]"] {
            let error = words(bad).unwrap_err();
            assert!(
                error.contains("not a JSON array of strings"),
                "{bad}: {error}"
            );
        }
        assert_eq!(pair("env", "A=b=c").unwrap(), ("A", "b=c"));
        for bad in ["=b", "A", "A=\0", "A\nB=c"] {
            let error = pair("env", bad).unwrap_err();
            assert!(matches!(error, Failure::Usage(_)), "{bad:?}");
        }
    }
}
