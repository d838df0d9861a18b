//! Telling how far a fetch is: one line that is drawn over on a terminal, plain lines elsewhere.

use std::collections::HashMap;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use image_store::FetchEvent;

use crate::output;
use crate::table::size;

/// Time between two drawings.
const PERIOD: Duration = Duration::from_millis(100);

/// The progress of one fetch.
#[derive(Debug)]
pub(crate) struct Progress {
    name: String,
    on_terminal: bool,
    /// Bytes of each layer that is transferred: so far, of all.
    layers: HashMap<String, (u64, u64)>,
    present: usize,
    total: usize,
    done: usize,
    drawn: Option<Instant>,
}

impl Progress {
    /// Nothing is shown before the first layer is known.
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            on_terminal: io::stderr().is_terminal(),
            layers: HashMap::new(),
            present: 0,
            total: 0,
            done: 0,
            drawn: None,
        }
    }

    /// Takes note of an event.
    pub(crate) fn event(&mut self, event: FetchEvent) {
        match event {
            FetchEvent::Layer {
                digest,
                size,
                present,
            } => {
                self.total += 1;
                if present {
                    self.present += 1;
                } else {
                    self.layers.insert(digest.to_string(), (0, size));
                }
            }
            FetchEvent::Received { digest, bytes } => {
                if let Some((received, _)) = self.layers.get_mut(digest.as_ref()) {
                    *received = bytes;
                }
                let due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= PERIOD);
                if self.on_terminal && due {
                    self.draw();
                }
            }
            FetchEvent::Done { digest } => {
                self.done += 1;
                if let Some((received, all)) = self.layers.get_mut(digest.as_ref()) {
                    *received = *all;
                    let line = format!("{}: layer {digest}: {}", self.name, size(*all));
                    if !self.on_terminal {
                        output::error(&format!("{line}\n"));
                    }
                }
                if self.on_terminal {
                    self.draw();
                }
            }
            _ => {}
        }
    }

    fn draw(&mut self) {
        self.drawn = Some(Instant::now());
        let (received, all) = self
            .layers
            .values()
            .fold((0_u64, 0_u64), |(a, b), (received, all)| {
                (a.saturating_add(*received), b.saturating_add(*all))
            });
        // Back to the beginning of the line, and erase what is right of the text.
        output::error(&format!(
            "\r{}: {} of {}, {} of {} layers\x1b[K",
            self.name,
            size(received),
            size(all),
            self.present + self.done,
            self.total
        ));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            output::error("\r\x1b[K");
        }
    }
}
