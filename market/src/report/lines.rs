//! Reports as lines of text, one a figure, for comparing two of them: the view `reports`.
//!
//! Exact values, in the order in which they are printed. Equal lines are equal reports; the first line that differs says in
//! words where two reports differ.

use super::{definition::Book, exact::Exact, result::Report};
use crate::view::ViewHash;

/// The lines of a report: its status, its cells, its checks.
pub fn lines(book: &Book, report: &Report) -> Vec<String> {
    let Some(form) = book.number(&report.id).map(|number| &book.reports[number]) else { return Vec::new() };
    let head = format!("{} {} {}", report.id, form.chinese, report.period.label());
    let mut lines = vec![format!("{head}: {}", report.status.name())];
    for (block, of_block) in report.blocks.iter().zip(&form.blocks) {
        for (place, row) in block.rows.iter().enumerate() {
            let total = if row.total { " (total)" } else { "" };
            let head = format!("{head}, {}, row {} {} {}{total}", block.id, place + 1, row.id, row.chinese);
            lines.extend(
                row.cells
                    .iter()
                    .zip(&of_block.columns)
                    .map(|(cell, column)| format!("{head}, {}: {}", column.id, text(cell))),
            );
        }
    }
    for check in &report.checks {
        let (left, right, difference) = (text(&check.left), text(&check.right), text(&check.difference));
        let result = if check.pass { "holds".to_owned() } else { format!("fails at {}", check.place) };
        let sides = format!("{left} and {right}, {difference} apart, made {} times", check.instances);
        lines.push(format!("{head}, check {}: {result}, {sides}", check.id));
    }
    lines
}

/// Hash and number of the lines of reports.
pub fn hash<'a>(lines: impl IntoIterator<Item = &'a String>) -> (ViewHash, u64) {
    let mut sum = (ViewHash::default(), 0);
    for line in lines {
        sum.0 += ViewHash::of_row(line.as_bytes());
        sum.1 += 1;
    }
    sum
}

/// The first lines that differ.
pub fn difference<'a>(left: &'a [String], right: &'a [String]) -> Option<(Option<&'a str>, Option<&'a str>)> {
    let at = left.iter().zip(right).take_while(|(left, right)| left == right).count();
    let (left, right) = (left.get(at), right.get(at));
    (left.is_some() || right.is_some()).then(|| (left.map(String::as_str), right.map(String::as_str)))
}

/// A value as it is, not rounded. Nothing and no text look the same to a reader.
pub fn text(value: &Exact) -> String {
    match value {
        Exact::Null => "-".to_owned(),
        Exact::Number(number) => number.to_string(),
        Exact::Ratio(over, under) => format!("{over}/{under}"),
        Exact::Text(text) if text.is_empty() => "-".to_owned(),
        Exact::Text(text) => text.clone(),
    }
}
