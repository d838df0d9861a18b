//! How one is attached to an app, in docker's and podman's words.

use clap::{ArgAction, Args};

use crate::terminal::attachment::Manner;
use crate::terminal::detach_keys::{DetachKeys, USUAL};

/// Keys and signals of an attachment.
#[derive(Debug, Args)]
pub(crate) struct AttachmentFlags {
    /// Keys that leave the app to itself; "" for none
    #[arg(long, value_name = "KEYS", value_parser = keys, default_value = USUAL)]
    detach_keys: Keys,
    /// Pass signals on to an app without a terminal: true or false
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1)]
    #[arg(require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    sig_proxy: bool,
}

/// The keys, if there are any.
#[derive(Debug, Clone)]
struct Keys(Option<DetachKeys>);

fn keys(text: &str) -> Result<Keys, String> {
    match text {
        "" => Ok(Keys(None)),
        text => Ok(Keys(Some(text.parse()?))),
    }
}

impl AttachmentFlags {
    /// How the attachment is; keys leave it where it has an input to type them into.
    pub(crate) fn manner(self, stdin: bool) -> Manner {
        Manner {
            keys: self.detach_keys.0.filter(|_| stdin),
            sig_proxy: self.sig_proxy,
        }
    }
}
