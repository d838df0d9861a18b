//! `--format` of the commands that show all that is known of something.

use crate::console::template::Template;

/// How it is shown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum InspectShape {
    /// For programs.
    Json,
    /// What a template makes of each.
    Lines(Template),
}

/// Parses the flag's value.
pub(crate) fn inspect_shape(text: &str) -> Result<InspectShape, String> {
    match text {
        "json" => Ok(InspectShape::Json),
        template if template.contains("{{") => Template::parse(template).map(InspectShape::Lines),
        _ => Err("write json, or a template such as '{{.Name}}'".to_owned()),
    }
}
