//! `fairing volume list`.

use clap::Args;

use super::view::{View, all, check, is_shown};
use crate::arguments::filter::{Filter, filter};
use crate::arguments::listing::ListArguments;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::console::table::{Cut, Table, ago, size};
use crate::context::Context;
use crate::wording::failure::Failure;

/// What templates see of each.
const FIELDS: &[&str] = &[
    "name",
    "created",
    "labels",
    "path",
    "limit",
    "used",
    "pods",
    "Name",
    "Driver",
    "Mountpoint",
    "CreatedAt",
    "Labels",
    "Options",
    "Scope",
];

/// Arguments of `volume list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Print names alone
    #[arg(short, long)]
    quiet: bool,
    /// Only volumes of this name or label, or that no pod uses: dangling=true; may be repeated
    #[arg(short, long = "filter", value_name = "KEY=VALUE", value_parser = filter)]
    filters: Vec<Filter>,
    #[command(flatten)]
    shown: ListArguments,
}

impl Subcommand for List {
    const NAME: &'static str = "list";
    const ABOUT: &'static str = "List volumes, and the pods that use them";
    const ALIASES: &'static [&'static str] = &["ls"];

    fn run(self, context: &Context) -> Result<u8, Failure> {
        check(&self.filters)?;
        let mut views = all(context)?;
        views.retain(|view| is_shown(view, &self.filters));
        if self.quiet {
            let names: String = views
                .iter()
                .map(|view| format!("{}\n", view.name))
                .collect();
            output::text(&names)?;
            return Ok(0);
        }
        let values = || views.iter().map(View::value).collect();
        self.shown.show(&views, FIELDS, values, || table(&views))?;
        Ok(0)
    }
}

fn table(views: &[View]) -> Table {
    // Most have none.
    let limited = views.iter().any(|view| view.limit.is_some());
    let mut table = match limited {
        true => Table::new(&["NAME", "CREATED", "USED", "LIMIT", "PODS"]).cut(&[
            Cut::End,
            Cut::Never,
            Cut::Never,
            Cut::Never,
            Cut::End,
        ]),
        false => Table::new(&["NAME", "CREATED", "PODS"]).cut(&[Cut::End, Cut::Never, Cut::End]),
    };
    let amount = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), size);
    for view in views {
        let pods: Vec<String> = view
            .pods
            .iter()
            .map(|pod| match &pod.name {
                Some(name) => name.to_string(),
                None => pod.uuid.short(),
            })
            .collect();
        let (name, created, pods) = (view.name.as_str(), ago(&view.created), pods.join(", "));
        match limited {
            true => table.row([
                name,
                &created,
                &amount(view.used),
                &amount(view.limit),
                &pods,
            ]),
            false => table.row([name, &created, &pods]),
        }
    }
    table
}
