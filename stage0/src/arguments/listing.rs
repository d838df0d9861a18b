//! Flags of the commands that list things.

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::console::output;
use crate::console::table::{Fit, Table};
use crate::console::template::Template;
use crate::wording::failure::Failure;

/// How to list.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Show everything in full, however wide
    #[arg(long, visible_alias = "no-trunc")]
    pub(crate) full: bool,
    /// Omit the heading
    #[arg(long, alias = "noheading")]
    no_legend: bool,
    /// How to show the list: text, json, or a template such as '{{.Name}}'
    #[arg(long, value_name = "FORMAT", value_parser = shape, default_value = "text")]
    format: Shape,
}

/// How to show a list.
#[derive(Debug, Clone, PartialEq)]
enum Shape {
    /// A table for people.
    Text,
    /// For programs.
    Json,
    /// What a template makes of each row.
    Lines(Template),
    /// The same as a table: cells are separated by tabs.
    Table(Template),
}

fn shape(text: &str) -> Result<Shape, String> {
    match text {
        "text" | "table" => Ok(Shape::Text),
        "json" => Ok(Shape::Json),
        template => match template.strip_prefix("table ") {
            Some(rest) => Template::parse(rest).map(Shape::Table),
            None if template.contains("{{") => Template::parse(template).map(Shape::Lines),
            None => Err("write text, json, table, or a template such as '{{.Name}}'".to_owned()),
        },
    }
}

impl ListArguments {
    /// The same without a heading, if there is to be none.
    pub(crate) fn without_legend_if(mut self, is_so: bool) -> Self {
        self.no_legend |= is_so;
        self
    }

    /// Shows a list: as JSON, as what a template makes of its rows, or as this table, which fits a terminal. `fields` are
    /// those that a row may have: a template that names another is refused, whether there are rows or not.
    ///
    /// # Errors
    /// If a template names what there is not, or nothing can be written.
    pub(crate) fn show<J: Serialize>(
        &self,
        json: &J,
        fields: &[&str],
        rows: impl FnOnce() -> Vec<Value>,
        table: impl FnOnce() -> Table,
    ) -> Result<(), Failure> {
        match &self.format {
            Shape::Json => output::json(json),
            Shape::Text => {
                let fit = Fit::of_output(self.full);
                output::text(&table().render(!self.no_legend, fit))
            }
            Shape::Lines(template) => {
                let mut text = String::new();
                for row in checked(template, fields, rows())? {
                    text.push_str(&rendered(template, &row)?);
                    text.push('\n');
                }
                output::text(&text)
            }
            Shape::Table(template) => {
                let heading = template.heading();
                let mut table = Table::new(&heading.split('\t').collect::<Vec<_>>());
                for row in checked(template, fields, rows())? {
                    let line = rendered(template, &row)?;
                    // A cell that holds a tab must not shift the others.
                    table.row(cells(&line, heading.split('\t').count()));
                }
                output::text(&table.render(!self.no_legend, Fit::Full))
            }
        }
    }
}

/// The rows, each with all fields, if a template names no others.
fn checked(
    template: &Template,
    fields: &[&str],
    mut rows: Vec<Value>,
) -> Result<Vec<Value>, Failure> {
    let named = |name: &&str| ((*name).to_owned(), Value::Null);
    let empty: Map<String, Value> = fields.iter().map(named).collect();
    for row in rows.iter_mut().filter_map(Value::as_object_mut) {
        let mut full = empty.clone();
        full.append(row);
        *row = full;
    }
    let first = rows.first().cloned().unwrap_or(Value::Object(empty));
    template.check(&first).map_err(of_format)?;
    Ok(rows)
}

/// The rows of a list whose members are shown as they are.
pub(crate) fn values<T: Serialize>(rows: &[T]) -> Vec<Value> {
    let values = rows.iter().map(serde_json::to_value);
    // What is shown as JSON can be made a value.
    values.filter_map(Result::ok).collect()
}

/// How to show one thing in full.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Inspected {
    /// All of it.
    Json,
    /// What a template makes of it.
    Lines(Template),
}

/// Parses how to show one thing.
///
/// # Errors
/// What is accepted, or what is wrong with the template.
pub(crate) fn inspected(text: &str) -> Result<Inspected, String> {
    match text {
        "json" => Ok(Inspected::Json),
        template if template.contains("{{") => Template::parse(template).map(Inspected::Lines),
        _ => Err("write json, or a template such as '{{.Id}}'".to_owned()),
    }
}

/// What a template makes of a value.
///
/// # Errors
/// If it names what the value doesn't have.
pub(crate) fn rendered(template: &Template, row: &Value) -> Result<String, Failure> {
    template.render(row).map_err(of_format)
}

fn of_format(error: String) -> Failure {
    Failure::Usage(format!("--format: {error}"))
}

/// So many cells, whatever a line holds.
fn cells(line: &str, count: usize) -> Vec<&str> {
    let mut cells: Vec<&str> = line.splitn(count, '\t').collect();
    cells.resize(count, "");
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_a_word_or_a_template() {
        assert_eq!(shape("table"), Ok(Shape::Text));
        assert_eq!(shape("json"), Ok(Shape::Json));
        assert!(matches!(shape("{{.ID}}"), Ok(Shape::Lines(_))));
        assert!(matches!(
            shape("table {{.ID}}\\t{{.Names}}"),
            Ok(Shape::Table(_))
        ));
        for bad in ["", "yaml", "{{.ID", "table {{x}}"] {
            assert!(shape(bad).is_err(), "{bad}");
        }
    }
}
