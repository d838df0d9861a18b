//! How one thing is shown.

use serde::Serialize;
use serde_json::Value;

use super::listing::rendered;
use crate::console::output;
use crate::console::template::Template;
use crate::wording::failure::Failure;

/// How to show one thing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// What a template makes of it.
    Lines(Template),
}

/// Parses how to show one thing.
///
/// # Errors
/// What is accepted, or what is wrong with the template.
pub(crate) fn format(text: &str) -> Result<Format, String> {
    match text {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        template if template.contains("{{") => Template::parse(template).map(Format::Lines),
        _ => Err("write text, json, or a template such as '{{json .}}'".to_owned()),
    }
}

impl Format {
    /// Shows it: this text to people. Templates see what programs do.
    ///
    /// # Errors
    /// If a template names what there is not, or nothing can be written.
    pub(crate) fn show<T: Serialize>(
        &self,
        thing: &T,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        self.show_with(thing, |value| value, text)
    }

    /// The same, where templates see more: what `words` makes of what programs see.
    ///
    /// # Errors
    /// As [`Format::show`].
    pub(crate) fn show_with<T: Serialize>(
        &self,
        thing: &T,
        words: impl FnOnce(Value) -> Value,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        match self {
            Self::Json => output::json(thing),
            Self::Text => output::text(&text()),
            Self::Lines(template) => {
                let value = serde_json::to_value(thing)
                    .map_err(|error| Failure::Other(format!("cannot write as JSON: {error}")))?;
                output::line(&rendered(template, &words(value))?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_a_word_or_a_template() {
        assert_eq!(format("text"), Ok(Format::Text));
        assert_eq!(format("json"), Ok(Format::Json));
        assert!(matches!(format("{{.State}}"), Ok(Format::Lines(_))));
        for bad in ["", "yaml", "table", "{{.ID"] {
            assert!(format(bad).is_err(), "{bad}");
        }
    }
}
