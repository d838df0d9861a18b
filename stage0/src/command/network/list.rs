//! `fairing network list`.

use clap::Args;
use engine::networks::foreign_drops;
use engine::networks::settings::networks;
use serde::Serialize;
use serde_json::{Map, Value};

use super::lookup::{plugins, source};
use crate::arguments::listing::{ListArguments, values};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::console::table::{Cut, Table};
use crate::context::Context;
use crate::wording::docker_members::{of_network, with};
use crate::wording::failure::Failure;

/// What templates see of each.
const FIELDS: &[&str] = &[
    "name", "plugins", "source", "ID", "Name", "Driver", "Scope", "IPv6", "Internal", "Labels",
];

/// Arguments of `network list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Print names alone
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    shown: ListArguments,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    name: String,
    plugins: Vec<String>,
    source: String,
}

impl Subcommand for List {
    const NAME: &'static str = "list";
    const ABOUT: &'static str = "List networks, in the order of their interfaces";
    const ALIASES: &'static [&'static str] = &["ls"];

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let networks = networks(&context.engine)?;
        for broken in networks.broken() {
            output::warn(&broken.to_string());
        }
        foreign_drops::warn(networks.lists(), &context.engine, &context.console);
        let rows: Vec<Row> = networks
            .lists()
            .iter()
            .map(|list| Row {
                name: list.name.to_string(),
                plugins: plugins(list),
                source: source(list),
            })
            .collect();
        if self.quiet {
            let names: String = rows.iter().map(|row| format!("{}\n", row.name)).collect();
            output::text(&names)?;
            return Ok(0);
        }
        let values = || {
            let lists = networks.lists().iter();
            let words = lists.map(|list| in_list(of_network(list, &[], Map::new())));
            let own = values(&rows).into_iter();
            own.zip(words)
                .map(|(value, words)| with(value, words))
                .collect()
        };
        self.shown.show(&rows, FIELDS, values, || table(&rows))?;
        Ok(0)
    }
}

/// What docker and podman have in a list, too.
fn in_list(mut words: Value) -> Value {
    if let Some(words) = words.as_object_mut() {
        words.retain(|name, _| FIELDS.contains(&name.as_str()));
    }
    words
}

fn table(rows: &[Row]) -> Table {
    let mut table =
        Table::new(&["NAME", "PLUGINS", "SOURCE"]).cut(&[Cut::Never, Cut::End, Cut::Start]);
    for row in rows {
        table.row([&row.name, &row.plugins.join(", "), &row.source]);
    }
    table
}
