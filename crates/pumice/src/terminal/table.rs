//! Tables of lists.

use super::{print, print_error};

/// Rows of columns, each as wide as its widest cell.
pub(crate) struct Table<const COLUMNS: usize> {
    heads: [&'static str; COLUMNS],
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// An empty one.
    pub(crate) fn new(heads: [&'static str; COLUMNS]) -> Self {
        Self { heads, rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: [String; COLUMNS]) {
        self.rows.push(cells);
    }

    /// Prints it with its heads, or where it has no rows, `none` to standard error.
    pub(crate) fn print(&self, none: &str) {
        if self.rows.is_empty() {
            print_error(none);
        } else {
            self.lines().iter().for_each(|line| print(line));
        }
    }

    fn lines(&self) -> Vec<String> {
        let heads = self.heads.map(str::to_uppercase);
        let width = |column: usize| {
            let cells = self.rows.iter().chain([&heads]).map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: [usize; COLUMNS] = std::array::from_fn(width);
        let line = |row: &[String; COLUMNS]| {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        [&heads].into_iter().chain(&self.rows).map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be_and_nothing_follows_the_last() {
        let mut table = Table::new(["job", "name"]);
        table.row(["1".to_owned(), "größer".to_owned()]);
        table.row(["12345".to_owned(), String::new()]);
        assert_eq!(table.lines(), ["JOB    NAME", "1      größer", "12345"]);
    }
}
