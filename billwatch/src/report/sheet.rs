//! A report as a workbook, laid out as a person would print it: a sheet a block, then the checks and notes.
//!
//! Cells hold the printed numbers, rounded once, with the number format of their unit; exact values are in the CSV and JSON
//! exports.

use billwatch_proto::v1::{Report, ReportBlock, ReportColumn, ReportRow};

use super::xlsx::{self, Sheet, Style};

/// Longest name of a sheet that spreadsheet programs take.
const NAME_CHARS: usize = 31;
/// More columns than this do not fit A4 at a size that can be read.
const A4_COLUMNS: usize = 14;
/// Widest column, in characters.
const WIDEST: f64 = 40.0;
/// Rows above the table: title, block, period.
const HEAD_ROWS: u32 = 3;
/// Columns of the checks, with their widths.
const CHECKS: [(&str, f64); 7] =
    [("编号", 10.0), ("关系", 44.0), ("左边", 26.0), ("右边", 26.0), ("差额", 20.0), ("结果", 8.0), ("位置", 26.0)];

/// The bytes of the workbook.
pub fn workbook(report: &Report) -> Vec<u8> {
    let blocks = report.blocks.iter().enumerate();
    let mut sheets: Vec<Sheet> = blocks.map(|(number, block)| block_sheet(report, number + 1, block)).collect();
    sheets.push(checks_sheet(report));
    xlsx::workbook(&sheets)
}

/// Distinct by its number; without the signs that no sheet name may have.
fn sheet_name(number: usize, title: &str) -> String {
    let plain = title.chars().filter(|letter| !r"[]:*?/\：".contains(*letter));
    format!("{number} ").chars().chain(plain).take(NAME_CHARS).collect()
}

/// Title, what and when; the table begins below.
fn begin(report: &Report, name: String, what: &str, last_column: u16) -> Sheet {
    let mut sheet = Sheet::new(name);
    sheet.span((0, 0), (0, last_column), &format!("{} {}", report.report, report.name_zh), Style::Title);
    sheet.heights.push((0, 24.0));
    sheet.text(1, 0, what, Style::Line);
    let version = if report.version > 0 { format!("　第{}版", report.version) } else { String::new() };
    let Report { period, from_date, to_date, status, .. } = report;
    sheet.text(2, 0, &format!("期间：{period}（{from_date} 至 {to_date}）　状态：{status}{version}"), Style::Line);
    sheet.foot = (format!("{} {period}", report.report), status.clone());
    sheet
}

fn block_sheet(report: &Report, number: usize, block: &ReportBlock) -> Sheet {
    let last = block.columns.len() as u16;
    let what = format!("{} {}", block.title_zh, block.title_en);
    let mut sheet = begin(report, sheet_name(number, &block.title_zh), &what, last);
    // `金额：银票` and its neighbours stand under one head `金额`.
    let titles: Vec<(&str, Option<&str>)> = block
        .columns
        .iter()
        .map(|column| match column.title_zh.split_once('：') {
            Some((group, title)) => (group, Some(title)),
            None => (&*column.title_zh, None),
        })
        .collect();
    let top = HEAD_ROWS;
    let bottom = top + u32::from(titles.iter().any(|(_, title)| title.is_some()));
    sheet.span((top, 0), (bottom, 0), "项目", Style::Head);
    let mut at = 0;
    while at < titles.len() {
        let (group, title) = titles[at];
        let head = with_unit(group, &block.columns[at]);
        let first = at as u16 + 1;
        if title.is_none() {
            sheet.span((top, first), (bottom, first), &head, Style::Head);
            at += 1;
            continue;
        }
        let end = at + titles[at..].iter().take_while(|(other, title)| *other == group && title.is_some()).count();
        sheet.span((top, first), (top, end as u16), &head, Style::Head);
        for (place, (_, title)) in titles.iter().enumerate().take(end).skip(at) {
            sheet.text(bottom, place as u16 + 1, title.unwrap_or_default(), Style::Head);
        }
        at = end;
    }
    // Two lines a row: titles of parties are long.
    for row in top..=bottom {
        sheet.heights.push((row, 28.0));
    }
    sheet.widths = vec![12.0; block.columns.len() + 1];
    sheet.widths[0] = 18.0;
    for (number, row) in block.rows.iter().enumerate() {
        put_row(&mut sheet, bottom + 1 + number as u32, row, &block.columns);
    }
    let below = bottom + 2 + block.rows.len() as u32;
    for (below, column) in (below..).zip(block.columns.iter().filter(|column| !column.note.is_empty())) {
        sheet.text(below, 0, &format!("注：{}：{}", column.title_zh, column.note), Style::Line);
    }
    sheet.head_rows = bottom + 1;
    sheet.paper = if block.columns.len() > A4_COLUMNS { 8 } else { 9 };
    sheet
}

fn with_unit(title: &str, column: &ReportColumn) -> String {
    if column.unit.is_empty() { title.to_owned() } else { format!("{title}\n（{}）", column.unit) }
}

fn put_row(sheet: &mut Sheet, at: u32, row: &ReportRow, columns: &[ReportColumn]) {
    sheet.text(at, 0, &row.title_zh, if row.total { Style::NameTotal } else { Style::Name });
    sheet.widths[0] = sheet.widths[0].max(width_of(&row.title_zh));
    for (number, (cell, column)) in row.cells.iter().zip(columns).enumerate() {
        let place = number as u16 + 1;
        if cell.text.is_empty() {
            sheet.printed(at, place, &cell.printed, Style::Number(column.decimals, row.total));
        } else {
            sheet.text(at, place, &cell.printed, Style::Text);
        }
        sheet.widths[number + 1] = sheet.widths[number + 1].max(width_of(&cell.printed));
    }
}

/// Columns that a text takes: a Chinese character takes two.
fn width_of(text: &str) -> f64 {
    let columns: u32 = text.chars().map(|letter| if letter.is_ascii() { 1 } else { 2 }).sum();
    (f64::from(columns) * 0.95 + 2.0).min(WIDEST)
}

fn checks_sheet(report: &Report) -> Sheet {
    let mut sheet = begin(report, "勾稽关系".to_owned(), "勾稽关系 Checks（金额单位：分）", CHECKS.len() as u16 - 1);
    for (column, (title, width)) in CHECKS.into_iter().enumerate() {
        sheet.text(HEAD_ROWS, column as u16, title, Style::Head);
        sheet.widths.push(width);
    }
    for (number, check) in report.checks.iter().enumerate() {
        let row = HEAD_ROWS + 1 + number as u32;
        let style = if check.pass { Style::Name } else { Style::NameTotal };
        sheet.text(row, 0, &check.check, style);
        sheet.text(row, 1, &check.title_zh, Style::Text);
        for (column, value) in [(2, &check.left), (3, &check.right), (4, &check.difference)] {
            sheet.text(row, column, &super::exact(value.as_ref()), Style::Text);
        }
        sheet.text(row, 5, if check.pass { "通过" } else { "不符" }, style);
        sheet.text(row, 6, &check.place, Style::Text);
    }
    let below = HEAD_ROWS + 2 + report.checks.len() as u32;
    for (below, note) in (below..).zip(&report.notes) {
        sheet.text(below, 0, &format!("注：{note}"), Style::Line);
    }
    sheet.head_rows = HEAD_ROWS + 1;
    sheet
}
