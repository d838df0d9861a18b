//! Plain-text tables: columns as wide as they must be, no lines.

use std::time::Duration;

use pod::timestamp::Timestamp;

/// Rows of text below a heading.
#[derive(Debug)]
pub(crate) struct Table {
    heading: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(heading: &[&str]) -> Self {
        Self {
            heading: heading.iter().map(|word| (*word).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The table as text, with its heading unless there is to be no legend.
    pub(crate) fn render(&self, legend: bool) -> String {
        let shown: Vec<&Vec<String>> = std::iter::once(&self.heading)
            .filter(|_| legend)
            .chain(&self.rows)
            .collect();
        let mut widths = vec![0; self.heading.len()];
        for row in &shown {
            for (width, cell) in widths.iter_mut().zip(row.iter()) {
                *width = cell.chars().count().max(*width);
            }
        }
        let mut text = String::with_capacity(shown.len() * (widths.iter().sum::<usize>() + 16));
        for row in shown {
            let begin = text.len();
            for (width, cell) in widths.iter().zip(row) {
                // What others wrote must not break the table or speak to the terminal.
                text.extend(cell.chars().map(|c| if c.is_control() { ' ' } else { c }));
                let padding = width.saturating_sub(cell.chars().count()) + 2;
                text.extend(std::iter::repeat_n(' ', padding));
            }
            let end = text.trim_end().len();
            text.truncate(end.max(begin));
            text.push('\n');
        }
        text
    }
}

/// Bytes, for people.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] = [
        ("TiB", 1 << 40),
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
    ];
    match UNITS.iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => {
            let tenths = u128::from(bytes) * 10 / u128::from(*unit);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

/// How long ago something was, for people.
pub(crate) fn ago(time: &Timestamp) -> String {
    format!("{} ago", rough(time.elapsed()))
}

fn rough(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_control_characters_are_gone() {
        let mut table = Table::new(&["A", "LONG"]);
        table.row(vec!["wide cell".into(), "\x1b[2Jx".into()]);
        assert_eq!(table.render(true), "A          LONG\nwide cell   [2Jx\n");
        assert_eq!(table.render(false), "wide cell   [2Jx\n");
    }

    #[test]
    fn sizes_are_rounded_down_to_tenths() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(u64::MAX), "16777215.9 TiB");
    }

    #[test]
    fn ages_are_rough() {
        assert_eq!(rough(Duration::from_secs(5)), "5s");
        assert_eq!(rough(Duration::from_secs(300)), "5m");
        assert_eq!(rough(Duration::from_secs(86_400 * 3)), "3d");
    }
}
