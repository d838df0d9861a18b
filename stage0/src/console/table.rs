//! Plain-text tables: columns as wide as they must be, no lines.

use std::time::Duration;

use pod::timestamp::Timestamp;

/// Rows of text below a heading.
#[derive(Debug)]
pub(crate) struct Table {
    /// The texts of all cells, row after row, that of the heading first: a long list is no more than two pieces of
    /// memory.
    text: String,
    /// Where each cell ends.
    ends: Vec<usize>,
    /// How wide the columns are without the heading.
    widths: Vec<usize>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(heading: &[&str]) -> Self {
        let mut table = Self {
            text: String::new(),
            ends: Vec::new(),
            widths: vec![0; heading.len()],
        };
        table.cells(heading);
        table
    }

    /// Adds a row of as many cells as the heading has.
    pub(crate) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        let first = self.ends.len();
        self.cells(cells);
        debug_assert_eq!(self.ends.len() - first, self.widths.len());
        for column in 0..self.widths.len() {
            let width = width_of(self.cell(first + column));
            if let Some(widest) = self.widths.get_mut(column) {
                *widest = width.max(*widest);
            }
        }
    }

    fn cells<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        for cell in cells {
            let cell = cell.as_ref();
            // What others wrote must not break the table or speak to the terminal.
            match cell.bytes().all(|b| matches!(b, b' '..=b'~')) {
                true => self.text.push_str(cell),
                false => self
                    .text
                    .extend(cell.chars().map(|c| if c.is_control() { ' ' } else { c })),
            }
            self.ends.push(self.text.len());
        }
    }

    fn cell(&self, number: usize) -> &str {
        let begin = number
            .checked_sub(1)
            .and_then(|n| self.ends.get(n))
            .copied();
        let end = self.ends.get(number).copied().unwrap_or_default();
        self.text
            .get(begin.unwrap_or_default()..end)
            .unwrap_or_default()
    }

    /// The table as text, with its heading unless there is to be no legend.
    pub(crate) fn render(&self, legend: bool) -> String {
        const BLANKS: &str = "                                ";
        let columns = self.widths.len();
        let mut widths = self.widths.clone();
        if legend {
            for (column, width) in widths.iter_mut().enumerate() {
                *width = width_of(self.cell(column)).max(*width);
            }
        }
        let rows = self.ends.len() / columns.max(1);
        let mut text =
            String::with_capacity(rows * widths.iter().map(|width| width + 2).sum::<usize>());
        for row in usize::from(!legend)..rows {
            let begin = text.len();
            for (column, width) in widths.iter().enumerate() {
                let cell = self.cell(row * columns + column);
                text.push_str(cell);
                let mut padding = width.saturating_sub(width_of(cell)) + 2;
                while let Some(blanks) = BLANKS
                    .get(..padding.min(BLANKS.len()))
                    .filter(|b| !b.is_empty())
                {
                    text.push_str(blanks);
                    padding -= blanks.len();
                }
            }
            let end = text.trim_end().len();
            text.truncate(end.max(begin));
            text.push('\n');
        }
        text
    }
}

fn width_of(cell: &str) -> usize {
    match cell.is_ascii() {
        true => cell.len(),
        false => cell.chars().count(),
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
        table.row(["wide cell", "\x1b[2Jx"]);
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
