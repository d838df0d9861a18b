//! Plain-text tables: columns as wide as they must be, no lines.

use std::time::Duration;

use pod::timestamp::Timestamp;

/// How wide a table is where it is not shown in full.
const WIDTH: usize = 80;
/// No column is cut to less.
const LEAST: usize = 8;

/// What is left out of the cells of a column where a table is too wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Nothing.
    Never,
    /// Their beginning: of images' names, the end tells more.
    Start,
    /// Their end.
    End,
}

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
    /// What may be left out of each column; nothing if it isn't told.
    cuts: Vec<Cut>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(heading: &[&str]) -> Self {
        let mut table = Self {
            text: String::new(),
            ends: Vec::new(),
            widths: vec![0; heading.len()],
            cuts: Vec::new(),
        };
        table.cells(heading);
        table
    }

    /// Tells what may be left out of each column.
    pub(crate) fn cut(mut self, cuts: &[Cut]) -> Self {
        self.cuts = cuts.to_vec();
        self
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

    /// Leaves out the last rows if with its heading it has more lines than this.
    pub(crate) fn at_most(mut self, lines: Option<usize>) -> Self {
        if let Some(lines) = lines {
            self.ends.truncate(lines.max(1) * self.widths.len());
        }
        self
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

    /// The widths at which the table fits, as far as it can.
    fn fitting(&self, mut widths: Vec<usize>) -> Vec<usize> {
        let gaps = 2 * widths.len().saturating_sub(1);
        let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(WIDTH);
        while excess > 0 {
            let cuts = self.cuts.iter();
            let widest = widths
                .iter_mut()
                .zip(cuts)
                .filter(|(width, cut)| **cut != Cut::Never && **width > LEAST)
                .max_by_key(|(width, _)| **width);
            let Some((width, _)) = widest else {
                break;
            };
            *width -= 1;
            excess -= 1;
        }
        widths
    }

    /// The table as text, with its heading unless there is to be no legend, and cut to fit if it is to.
    pub(crate) fn render(&self, legend: bool, fits: bool) -> String {
        const BLANKS: &str = "                                ";
        let columns = self.widths.len();
        let mut widths = self.widths.clone();
        if legend {
            for (column, width) in widths.iter_mut().enumerate() {
                *width = width_of(self.cell(column)).max(*width);
            }
        }
        if fits {
            widths = self.fitting(widths);
        }
        let rows = self.ends.len() / columns.max(1);
        let mut text = String::with_capacity(self.text.len());
        for row in usize::from(!legend)..rows {
            let begin = text.len();
            for (column, width) in widths.iter().enumerate() {
                let cell = self.cell(row * columns + column);
                let length = width_of(cell);
                match length > *width {
                    false => text.push_str(cell),
                    true => push_cut(&mut text, cell, *width, self.cuts.get(column)),
                }
                // Behind the last column there is nothing to line up.
                let mut padding = match column + 1 < columns {
                    true => width.saturating_sub(length) + 2,
                    false => 0,
                };
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

/// Appends as much of a cell as there is room for.
fn push_cut(text: &mut String, cell: &str, width: usize, cut: Option<&Cut>) {
    let left = width.saturating_sub(1);
    match cut {
        Some(Cut::Start) => {
            text.push('…');
            text.extend(cell.chars().skip(width_of(cell) - left));
        }
        _ => {
            text.extend(cell.chars().take(left));
            text.push('…');
        }
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

/// How long something lasts already, for people.
pub(crate) fn passed(since: &Timestamp) -> String {
    rough(since.elapsed())
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
        let text = table.render(true, true);
        assert_eq!(text, "A          LONG\nwide cell   [2Jx\n");
        assert_eq!(table.render(false, true), "wide cell   [2Jx\n");
    }

    #[test]
    fn a_table_that_is_too_wide_is_cut_where_it_may_be() {
        let heading = ["NAME", "IMAGE", "COMMAND"];
        let mut table = Table::new(&heading).cut(&[Cut::Never, Cut::Start, Cut::End]);
        let (name, image) = ("n".repeat(30), format!("{}/é:1", "i".repeat(40)));
        let command = "c".repeat(40);
        table.row([&name, &image, &command]);
        let text = table.render(true, true);
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        let row = text.lines().nth(1).unwrap();
        assert!(row.starts_with(&format!("{name}  …iii")), "{row}");
        assert!(row.contains("i/é:1  ccc") && row.ends_with("ccc…"), "{row}");
        let full = table.render(false, false);
        assert_eq!(full, format!("{name}  {image}  {command}\n"));
        // What can't be cut is wide, and what is cut keeps something.
        let mut wide = Table::new(&["A", "B"]).cut(&[Cut::Never, Cut::End]);
        wide.row(["a".repeat(100), "b".repeat(30)]);
        assert!(wide.render(false, true).ends_with("bbbbbbb…\n"));
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
