//! What the parser says of arguments that have to be there and are not.

use clap::error::{ContextKind, ContextValue};

/// What has to be there; the usage of the command, if it is known, follows.
pub(super) fn missing(error: &clap::Error, usage: Option<String>) -> Option<String> {
    let Some(ContextValue::Strings(names)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let names: Vec<String> = names.iter().map(|name| plain(name)).collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    let mut text = format!("{} {verb} missing", names.join(" and "));
    if let Some(mut usage) = usage {
        // It is optional beside some other flag only, which was not typed.
        for name in &names {
            let name = name.trim_end_matches('…');
            usage = usage.replacen(&format!("[{name}]"), name, 1);
        }
        text.push_str(&format!(": `{usage}`"));
    }
    Some(text)
}

/// A part of the parser's usage, without its brackets.
pub(super) fn plain(text: &str) -> String {
    text.replace(['<', '>'], "").replace("...", "…")
}
