//! What a command tells of while it works: warnings, details, the progress of fetches.

use std::io::IsTerminal;

use engine::error::CallerError;
use engine::observer::{Detail, Observer, Transfer, Warning};
use image_name::Reference;
use image_store::{FetchEvent, ImageSource, Interrupt};

use super::interrupt::Interruptible;
use super::output;
use super::progress::Progress;
use crate::start::service::Fetching;
use crate::wording::failure::one_line;
use crate::wording::warning;

/// Tells on standard error.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Console {
    /// Whether fetches tell nothing but what they have to warn of.
    pub(crate) quiet: bool,
}

impl Observer for Console {
    fn warning(&self, warning: Warning) {
        match warning {
            // It has words of its own.
            Warning::Isolator(line) => output::error(&format!("{}\n", one_line(&line))),
            warning => output::warn(&warning::text(&warning)),
        }
    }

    fn detail(&self, detail: &Detail<'_>) {
        output::debug(|| detail.to_string());
    }

    fn looks_up(&self, text: &str, source: &ImageSource) {
        let ImageSource::Registry(reference) = source else {
            return;
        };
        let is_short = Reference::is_short(text);
        // Who named it in full knows where it is from; on a terminal, what is waited for is said all the same.
        if !self.quiet && (is_short || std::io::stderr().is_terminal()) {
            let registry = reference.registry();
            output::error(&match is_short {
                true => format!("{text} is {reference}: asking {registry}\n"),
                false => format!("{reference}: asking {registry}\n"),
            });
        }
    }

    fn waits_for_store(&self) {
        output::error("waiting for another command that uses the image store\n");
    }

    fn waits_for_volumes(&self) {
        output::error("waiting for another command that makes or fills a volume\n");
    }

    fn fetch(&self) -> Result<Box<dyn Transfer>, CallerError> {
        Ok(Box::new(Fetch {
            signals: Interruptible::begin()?,
            progress: None,
            manager: Fetching::begin(),
            name: String::new(),
            quiet: self.quiet,
        }))
    }
}

/// A fetch that signals can end.
struct Fetch {
    signals: Interruptible,
    progress: Option<Progress>,
    manager: Fetching,
    name: String,
    quiet: bool,
}

impl Transfer for Fetch {
    fn interrupt(&self) -> Interrupt {
        self.signals.interrupt()
    }

    fn begins(&mut self, reference: &Reference) {
        self.name = reference.to_string();
        self.progress = Some(Progress::fetching(self.name.clone(), self.quiet));
        self.manager.goes_on(&self.name, None);
        self.signals.staging();
    }

    fn event(&mut self, event: FetchEvent) {
        let has_come = matches!(event, FetchEvent::Received { .. } | FetchEvent::Done { .. });
        if let Some(progress) = &mut self.progress {
            progress.event(event);
            if has_come {
                self.manager.goes_on(&self.name, Some(progress.amounts()));
            }
        }
    }

    fn end(self: Box<Self>) -> Result<(), CallerError> {
        Ok(self.signals.end()?)
    }
}
