//! Plain-text tables: columns as wide as they must be, no lines.

use std::io::{self, IsTerminal};
use std::time::Duration;

use pod::timestamp::Timestamp;

use crate::sys;

/// How wide a table is where it goes to no terminal.
const WIDTH: usize = 80;
/// No terminal is taken to be narrower.
const NARROWEST: usize = 40;
/// No column is cut to less; in a table that is too wide all the same, the second.
const LEAST: [usize; 2] = [8, 5];

/// What is left out of the cells of a column where a table is too wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Nothing.
    Never,
    /// Their beginning: of images' names, the end tells more.
    Start,
    /// Their end.
    End,
    /// Nothing: on a terminal, the last column goes on in further lines.
    Fold,
}

/// How wide a table may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// As wide as it is.
    Full,
    /// As far as its columns can be cut.
    Columns(usize),
    /// No wider: this is a terminal's width, and lines that go beyond it break the table.
    Terminal(usize),
}

impl Fit {
    /// As standard output takes it.
    pub(crate) fn of_output(full: bool) -> Self {
        match (full, io::stdout().is_terminal()) {
            (true, _) => Self::Full,
            (false, false) => Self::Columns(WIDTH),
            (false, true) => Self::Terminal(match sys::window_size(io::stdout()) {
                // One that doesn't know its size.
                Ok((_, 0)) | Err(_) => WIDTH,
                Ok((_, columns)) => usize::from(columns).max(NARROWEST),
            }),
        }
    }
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
    fn fitting(&self, mut widths: Vec<usize>, most: usize) -> Vec<usize> {
        let gaps = 2 * widths.len().saturating_sub(1);
        let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(most);
        let [least, in_need] = LEAST;
        excess = self.shrink(&mut widths, excess, least);
        let mut narrow = widths.clone();
        // Where it would be too wide all the same, nothing is gained.
        match self.shrink(&mut narrow, excess, in_need) {
            0 => narrow,
            _ => widths,
        }
    }

    /// Makes columns narrower, the widest first; what is too much then.
    fn shrink(&self, widths: &mut [usize], mut excess: usize, least: usize) -> usize {
        while excess > 0 {
            let cuts = self.cuts.iter();
            let widest = widths
                .iter_mut()
                .zip(cuts)
                .filter(|(width, cut)| matches!(cut, Cut::Start | Cut::End) && **width > least)
                .max_by_key(|(width, _)| **width);
            let Some((width, _)) = widest else {
                break;
            };
            *width -= 1;
            excess -= 1;
        }
        excess
    }

    /// The table as text, with its heading unless there is to be no legend, and cut to fit if it is to.
    pub(crate) fn render(&self, legend: bool, fit: Fit) -> String {
        const BLANKS: &str = "                                ";
        let columns = self.widths.len();
        let mut widths = self.widths.clone();
        if legend {
            for (column, width) in widths.iter_mut().enumerate() {
                *width = width_of(self.cell(column)).max(*width);
            }
        }
        if let Fit::Columns(most) | Fit::Terminal(most) = fit {
            widths = self.fitting(widths, most);
        }
        let rows = self.ends.len() / columns.max(1);
        let mut text = String::with_capacity(self.text.len());
        for row in usize::from(!legend)..rows {
            let begin = text.len();
            for (column, width) in widths.iter().enumerate() {
                let cell = self.cell(row * columns + column);
                let length = width_of(cell);
                match (self.cuts.get(column), fit) {
                    (Some(Cut::Fold), Fit::Terminal(most)) => {
                        let before: usize = widths.iter().take(column).map(|w| w + 2).sum();
                        push_folded(&mut text, cell, before, most);
                    }
                    (cut, _) if length > *width => push_cut(&mut text, cell, *width, cut),
                    _ => text.push_str(cell),
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
            if let Fit::Terminal(most) = fit {
                cut_line(&mut text, begin, most);
            }
            text.push('\n');
        }
        text
    }
}

/// Appends a cell whose column begins at `before`, in as many lines as it takes.
fn push_folded(text: &mut String, cell: &str, before: usize, most: usize) {
    let room = most.saturating_sub(before).max(LEAST[0]);
    let mut length = 0;
    for word in cell.split(' ') {
        let width = width_of(word);
        if length > 0 && length + 1 + width > room {
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', before));
            length = 0;
        } else if length > 0 {
            text.push(' ');
            length += 1;
        }
        text.push_str(word);
        length += width;
    }
}

/// Cuts what has been appended since `begin`, if it is one line that is too long.
fn cut_line(text: &mut String, begin: usize, most: usize) {
    let line = text.get(begin..).unwrap_or_default();
    if line.contains('\n') || width_of(line) <= most {
        return;
    }
    let kept: String = line.chars().take(most.saturating_sub(1)).collect();
    text.truncate(begin);
    text.push_str(&kept);
    text.push('…');
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
        let text = table.render(true, Fit::Columns(80));
        assert_eq!(text, "A          LONG\nwide cell   [2Jx\n");
        assert_eq!(table.render(false, Fit::Columns(80)), "wide cell   [2Jx\n");
    }

    #[test]
    fn a_table_that_is_too_wide_is_cut_where_it_may_be() {
        let heading = ["NAME", "IMAGE", "COMMAND"];
        let mut table = Table::new(&heading).cut(&[Cut::Never, Cut::Start, Cut::End]);
        let (name, image) = ("n".repeat(30), format!("{}/é:1", "i".repeat(40)));
        let command = "c".repeat(40);
        table.row([&name, &image, &command]);
        let text = table.render(true, Fit::Columns(80));
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        let row = text.lines().nth(1).unwrap();
        assert!(row.starts_with(&format!("{name}  …iii")), "{row}");
        assert!(row.contains("i/é:1  ccc") && row.ends_with("ccc…"), "{row}");
        let full = table.render(false, Fit::Full);
        assert_eq!(full, format!("{name}  {image}  {command}\n"));
        // What can't be cut is wide, and what is cut keeps something.
        let mut wide = Table::new(&["A", "B"]).cut(&[Cut::Never, Cut::End]);
        wide.row(["a".repeat(100), "b".repeat(30)]);
        let text = wide.render(false, Fit::Columns(80));
        assert!(text.ends_with("bbbbbbb…\n"), "{text}");
        // Where a longer line would break the table, there is none.
        let text = wide.render(true, Fit::Terminal(60));
        assert!(
            text.lines().all(|line| line.chars().count() <= 60),
            "{text}"
        );
        assert!(text.ends_with("aaa…\n"), "{text}");
    }

    #[test]
    fn what_can_not_be_cut_goes_on_in_the_next_line_of_a_terminal() {
        let mut table = Table::new(&["STATE", "FOUND"]).cut(&[Cut::Never, Cut::Fold]);
        table.row(["warning", "no: one two three four five six seven"]);
        assert_eq!(
            table.render(true, Fit::Terminal(40)),
            "STATE    FOUND\nwarning  no: one two three four five six\n         seven\n"
        );
        let text = table.render(false, Fit::Columns(20));
        assert_eq!(text, "warning  no: one two three four five six seven\n");
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
