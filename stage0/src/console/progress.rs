//! Telling how far a transfer is: on a terminal some lines that are drawn over, one for each layer;
//! elsewhere a plain line for each layer that is done.

mod screen;

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use image_name::Digest;
use image_registry::Wait;
use image_store::FetchEvent;

use self::screen::{Layer, State, amounts, lines};
use crate::console::output;
use crate::console::table::size;
use crate::start::service;
use crate::sys;

/// Time between two drawings.
const PERIOD: Duration = Duration::from_millis(100);

/// Lines about waiting that came below what was drawn last.
static NOTES: AtomicUsize = AtomicUsize::new(0);

/// Says that a registry is asked again after a while.
pub(crate) fn waits(wait: &Wait) {
    NOTES.fetch_add(1, Ordering::Relaxed);
    service::waits_for(&wait.registry, wait.pause);
    output::warn(&format!(
        "registry {} failed: attempt {} of at most {} in {:.1} s",
        wait.registry,
        wait.attempt,
        wait.attempts,
        wait.pause.as_secs_f64()
    ));
}

/// The progress of one transfer.
#[derive(Debug)]
pub(crate) struct Progress {
    name: String,
    to: Output,
    layers: Vec<Layer>,
    /// What is said of a layer that has come but is not done.
    finishing: &'static str,
    drawn: Option<Instant>,
    /// Lines on the terminal; the cursor is below them, where a prompt may come at any time.
    height: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    Terminal,
    Lines,
    Nothing,
}

impl Progress {
    /// The transfer of an image of this name. Nothing is shown before the first layer is known.
    pub(crate) fn new(name: String) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self {
            name,
            to: match io::stderr().is_terminal() && !dumb {
                true => Output::Terminal,
                false => Output::Lines,
            },
            layers: Vec::new(),
            finishing: "finishing",
            drawn: None,
            height: 0,
        }
    }

    /// A transfer into the store, which shows nothing at all if it is `quiet`.
    pub(crate) fn fetching(name: String, quiet: bool) -> Self {
        let mut progress = Self::new(name);
        progress.finishing = "extracting";
        if quiet {
            progress.to = Output::Nothing;
        }
        progress
    }

    /// Takes note of an event.
    pub(crate) fn event(&mut self, event: FetchEvent) {
        let now = Instant::now();
        match event {
            FetchEvent::Layer {
                digest,
                size,
                present,
            } => {
                let state = match present {
                    true => State::Present,
                    false => State::Waiting,
                };
                self.layers.push(Layer::new(digest, size, state));
                return;
            }
            FetchEvent::Received { digest, bytes } => {
                self.with(&digest, |layer| layer.received(bytes, now));
                if self.drawn.is_some_and(|drawn| now - drawn < PERIOD) {
                    return;
                }
            }
            FetchEvent::Waiting { digest } => {
                self.with(&digest, |layer| layer.state = State::Elsewhere)
            }
            FetchEvent::Done { digest } => {
                let mut line = None;
                self.with(&digest, |layer| {
                    let elsewhere = match layer.state {
                        State::Elsewhere => ", by another command",
                        _ => "",
                    };
                    line = Some(format!("{}{elsewhere}", size(layer.size)));
                    layer.state = State::Done;
                });
                if let (Output::Lines, Some(line)) = (self.to, line) {
                    output::error(&format!("{}: layer {digest}: {line}\n", self.name));
                }
            }
            _ => return,
        }
        self.draw(now);
    }

    /// How much of what has to come has come, in bytes.
    pub(crate) fn amounts(&self) -> (u64, u64) {
        amounts(&self.layers)
    }

    /// Changes the layers with this digest that are not done.
    fn with(&mut self, digest: &Digest, mut change: impl FnMut(&mut Layer)) {
        let layers = self.layers.iter_mut();
        layers
            .filter(|layer| layer.digest == *digest && layer.is_open())
            .for_each(&mut change);
    }

    fn draw(&mut self, now: Instant) {
        if self.to != Output::Terminal {
            return;
        }
        self.drawn = Some(now);
        let (rows, columns) = match sys::window_size(io::stderr()) {
            Ok((rows, columns)) if rows > 0 && columns > 0 => (rows, columns),
            _ => (24, 80),
        };
        let size = (usize::from(rows), usize::from(columns));
        let lines = lines(&self.name, &self.layers, self.finishing, size);
        let mut text = String::new();
        let height = self.height + NOTES.swap(0, Ordering::Relaxed);
        if self.height > 0 {
            // To the first line, and nothing is left of what is below.
            text.push_str(&format!("\x1b[{height}A\r\x1b[J"));
        }
        for line in &lines {
            text.push_str(line);
            text.push('\n');
        }
        self.height = lines.len();
        output::draw(&text);
    }
}
