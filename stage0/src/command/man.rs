//! `fairing man`: manual pages, made from the definitions of the command line.

mod examples;

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::{Args, Command};

use crate::command::subcommand::Subcommand;
use crate::context::Context;
use crate::wording::exit_code::TABLE;
use crate::wording::failure::Failure;

/// Arguments of `man`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Directory to write the pages to
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl Subcommand for Man {
    const NAME: &'static str = "man";
    const ABOUT: &'static str = "Write the manual pages";
    // For packagers, and `make install`.
    const HIDDEN: bool = true;
    const NEEDS_ROOT: bool = false;

    fn run(self, context: &Context) -> Result<u8, Failure> {
        fs::create_dir_all(&self.directory).map_err(Failure::io("create", &self.directory))?;
        for page in pages((context.definition)()) {
            let path = self.directory.join(page.file_name);
            fs::write(&path, page.text).map_err(Failure::io("write", &path))?;
        }
        Ok(0)
    }
}

/// A manual page in roff.
struct Page {
    file_name: String,
    text: String,
}

/// A page for each command that the help shows.
fn pages(command: Command) -> Vec<Page> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    collect(&command, &mut pages);
    pages
}

fn collect(command: &Command, pages: &mut Vec<Page>) {
    let page = clap_mangen::Man::new(command.clone())
        .source(concat!("fairing ", env!("CARGO_PKG_VERSION")))
        .manual("fairing manual");
    let mut text = Vec::new();
    // Memory takes what is written to it.
    if render(command, &page, &mut text).is_ok() {
        pages.push(Page {
            file_name: page.get_filename(),
            text: tidy(&String::from_utf8_lossy(&text)),
        });
    }
    for command in shown(command) {
        collect(command, pages);
    }
}

/// The subcommands that the help shows.
fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
}

fn render(command: &Command, page: &clap_mangen::Man, text: &mut Vec<u8>) -> io::Result<()> {
    page.render_title(text)?;
    page.render_name_section(text)?;
    page.render_synopsis_section(text)?;
    page.render_description_section(text)?;
    let aliases: Vec<&str> = command.get_visible_aliases().collect();
    if !aliases.is_empty() {
        paragraph(text, &format!("Other names: {}.", aliases.join(", ")));
    }
    let mut options = Vec::new();
    page.render_options_section(&mut options)?;
    let options = String::from_utf8_lossy(&options);
    text.extend_from_slice(global_flags_last(&options).as_bytes());
    if command.has_subcommands() {
        page.render_subcommands_section(text)?;
    }
    let name = command
        .get_display_name()
        .unwrap_or_else(|| command.get_name());
    let examples = examples::of(name);
    if !examples.is_empty() {
        section(text, "EXAMPLES");
        for (what, lines) in examples {
            paragraph(text, what);
            code(text, lines);
        }
    }
    section(text, "EXIT STATUS");
    for (code, reason) in exit_codes() {
        text.extend_from_slice(format!(".TP\n{code}\n{}\n", escape(reason)).as_bytes());
    }
    paragraph(
        text,
        "run, run-prepared and enter exit with the code of the app or command, or with 128 + N if signal N ended it.",
    );
    section(text, "SEE ALSO");
    let see: Vec<String> = (name != "fairing")
        .then(|| "fairing(1)".to_owned())
        .into_iter()
        .chain(shown(command).map(|other| format!("{name}-{}(1)", other.get_name())))
        .collect();
    text.extend_from_slice(format!("{}\n", escape(&see.join(", "))).as_bytes());
    Ok(())
}

fn section(text: &mut Vec<u8>, heading: &str) {
    text.extend_from_slice(format!(".SH \"{heading}\"\n").as_bytes());
}

fn paragraph(text: &mut Vec<u8>, words: &str) {
    text.extend_from_slice(format!(".PP\n{}\n", escape(words)).as_bytes());
}

/// Lines that are shown as they are.
fn code(text: &mut Vec<u8>, lines: &[&str]) {
    text.extend_from_slice(b".PP\n.RS 4\n.nf\n");
    for line in lines {
        text.extend_from_slice(format!("{}\n", escape(line)).as_bytes());
    }
    text.extend_from_slice(b".fi\n.RE\n");
}

/// Text in which roff takes nothing for one of its own requests.
fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    match text.starts_with(['.', '\'']) {
        true => format!("\\&{text}"),
        false => text,
    }
}

/// The requests that define the apostrophe; each part of a page brings them along.
const PREAMBLE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";
const GLOBAL_FLAGS: &str = ".SH \"GLOBAL FLAGS\"\n";

/// A page with one preamble, in ASCII.
fn tidy(page: &str) -> String {
    let plain = |character: char| match character.is_ascii() {
        true => character.to_string(),
        false => format!("\\[u{:04X}]", u32::from(character)),
    };
    let page: String = page.replace(PREAMBLE, "").chars().map(plain).collect();
    format!("{PREAMBLE}{page}")
}

/// Sections of flags, those that every command has after its own.
fn global_flags_last(options: &str) -> String {
    match options.split_once(GLOBAL_FLAGS) {
        Some((before, rest)) => {
            let (global, after) = at_heading(rest);
            format!("{before}{after}{GLOBAL_FLAGS}{global}")
        }
        None => options.to_owned(),
    }
}

/// What stands before the next heading, and the rest.
fn at_heading(text: &str) -> (&str, &str) {
    match text.find("\n.SH ") {
        Some(end) => text.split_at(end + 1),
        None => (text, ""),
    }
}

/// The rows of the table of exit codes.
fn exit_codes() -> impl Iterator<Item = (&'static str, &'static str)> {
    let rows = TABLE.lines().map(str::trim);
    rows.filter(|row| row.starts_with(|first: char| first.is_ascii_digit()))
        .filter_map(|row| row.split_once("  "))
}

#[cfg(test)]
mod tests;
