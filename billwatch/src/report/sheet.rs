//! A report as a workbook, laid out as a person would print it: a sheet a block, then the checks and notes.
//!
//! Cells hold the printed numbers, rounded once, with the number format of their unit; exact values are in the CSV and JSON
//! exports.

use billwatch_proto::v1::{AsOf, Report, ReportBlock, ReportColumn, ReportRow};
use rust_xlsxwriter::{Workbook, XlsxError};

use super::xlsx::{self, Sheet, Style};
use crate::query::as_of_text;

/// Longest name of a sheet that spreadsheet programs take.
const NAME_CHARS: usize = 31;
/// Wider than this, in characters, a sheet goes on A3: on A4 it could not be read.
const A4_WIDTH: f64 = 190.0;
/// Widest column, and narrowest of numbers, in characters.
const WIDEST: f64 = 40.0;
const NARROWEST: f64 = 12.0;
/// Height of a line of a head, in points.
const LINE_HEIGHT: f64 = 13.0;
/// Rows above the table: title, block, period.
const HEAD_ROWS: u32 = 3;
/// Columns of the checks, with their widths.
const CHECKS: [(&str, f64); 7] = [
    ("编号 Check", 11.0),
    ("关系 Relation", 48.0),
    ("左边 Left", 26.0),
    ("右边 Right", 26.0),
    ("差额 Difference", 20.0),
    ("结果 Result", 11.0),
    ("位置 Where", 26.0),
];

/// The bytes of the workbook.
pub fn workbook(report: &Report, as_of: Option<AsOf>) -> Result<Vec<u8>, XlsxError> {
    let when = format!("截至 {}", as_of_text(as_of));
    let mut workbook = xlsx::begin()?;
    for (number, block) in (1..).zip(&report.blocks) {
        block_sheet(&mut workbook, report, &when, number, block)?;
    }
    checks_sheet(&mut workbook, report, &when)?;
    workbook.save_to_buffer()
}

/// Distinct by its number; without the signs that no sheet name may have.
fn sheet_name(number: usize, title: &str) -> String {
    let plain = title.chars().filter(|letter| !r"[]:*?/\：".contains(*letter));
    format!("{number} ").chars().chain(plain).take(NAME_CHARS).collect()
}

/// Title, what and when; the table begins below.
fn begin<'a>(
    workbook: &'a mut Workbook,
    report: &Report,
    when: &str,
    name: &str,
    what: &str,
    last_column: u16,
) -> Result<Sheet<'a>, XlsxError> {
    let mut sheet = Sheet::new(workbook, name)?;
    let Report { report: id, name_zh, name_en, period, from_date, to_date, status, version, .. } = report;
    sheet.span((0, 0), (0, last_column), &format!("{id} {name_zh}　{name_en}"), Style::Title)?;
    sheet.height(0, 24.0)?;
    sheet.text(1, 0, what, Style::Line)?;
    let version = if *version > 0 { format!("　第{version}版 version {version}") } else { String::new() };
    let line = format!("期间 Period：{period}（{from_date} 至 {to_date}）　状态 Status：{status}{version}　{when}");
    sheet.text(2, 0, &line, Style::Line)?;
    sheet.foot = (format!("{id} {period}"), status.clone());
    Ok(sheet)
}

/// A title in both languages, in front of the colon and behind it: `金额：银票` and its neighbours stand under one head `金额`.
struct Head {
    group: String,
    own: Option<String>,
}

impl Head {
    fn of(column: &ReportColumn) -> Self {
        let (zh, en) = (column.title_zh.split_once('：'), column.title_en.split_once(": "));
        match (zh, en) {
            (Some((group, own)), Some((group_en, own_en))) => {
                Head { group: both(group, group_en), own: Some(both(own, own_en)) }
            }
            _ => Head { group: both(&column.title_zh, &column.title_en), own: None },
        }
    }
}

fn both(chinese: &str, english: &str) -> String {
    if chinese == english { chinese.to_owned() } else { format!("{chinese}\n{english}") }
}

fn block_sheet(
    workbook: &mut Workbook,
    report: &Report,
    when: &str,
    number: usize,
    block: &ReportBlock,
) -> Result<(), XlsxError> {
    // Parties have one name; titles have two.
    let bilingual = block.rows.iter().any(|row| row.title_zh != row.title_en);
    let names: u16 = if bilingual { 2 } else { 1 };
    let last = names + block.columns.len() as u16 - 1;
    let what = format!("{} {}", block.title_zh, block.title_en);
    let mut sheet = begin(workbook, report, when, &sheet_name(number, &block.title_zh), &what, last)?;
    sheet.frozen_columns = names;
    sheet.widths = vec![NARROWEST; usize::from(last) + 1];
    sheet.widths[0] = 18.0;
    let heads: Vec<Head> = block.columns.iter().map(Head::of).collect();
    let top = HEAD_ROWS;
    let bottom = top + u32::from(heads.iter().any(|head| head.own.is_some()));
    for (number, row) in block.rows.iter().enumerate() {
        put_row(&mut sheet, bottom + 1 + number as u32, row, &block.columns, names)?;
    }
    sheet.span((top, 0), (bottom, names - 1), "项目 Item", Style::Head)?;
    let mut lines = [1.0_f64; 2];
    let mut at = 0;
    while at < heads.len() {
        let Head { group, own } = &heads[at];
        let head = with_unit(group, &block.columns[at]);
        let first = at as u16 + names;
        if own.is_none() {
            sheet.span((top, first), (bottom, first), &head, Style::Head)?;
            let high = lines_of(&head, sheet.widths[usize::from(first)]);
            // Over both rows of the head.
            let share = f64::from(bottom - top + 1);
            lines.iter_mut().for_each(|line| *line = line.max((high / share).ceil()));
            at += 1;
            continue;
        }
        let end = at + heads[at..].iter().take_while(|other| other.group == *group && other.own.is_some()).count();
        let last = end as u16 + names - 1;
        sheet.span((top, first), (top, last), &head, Style::Head)?;
        let wide: f64 = sheet.widths[usize::from(first)..=usize::from(last)].iter().sum();
        lines[0] = lines[0].max(lines_of(&head, wide));
        for (place, head) in (first..).zip(&heads[at..end]) {
            let own = head.own.as_deref().unwrap_or_default();
            sheet.text(bottom, place, own, Style::Head)?;
            lines[1] = lines[1].max(lines_of(own, sheet.widths[usize::from(place)]));
        }
        at = end;
    }
    for (row, lines) in (top..=bottom).zip(lines) {
        sheet.height(row, lines * LINE_HEIGHT + 2.0)?;
    }
    let below = bottom + 2 + block.rows.len() as u32;
    for (below, column) in (below..).zip(block.columns.iter().filter(|column| !column.note.is_empty())) {
        let line = format!("注 Note：{} {}: {}", column.title_zh, column.title_en, column.note);
        sheet.text(below, 0, &line, Style::Line)?;
    }
    sheet.head_rows = bottom + 1;
    sheet.paper = if sheet.widths.iter().sum::<f64>() > A4_WIDTH { 8 } else { 9 };
    sheet.finish()
}

fn with_unit(title: &str, column: &ReportColumn) -> String {
    if column.unit.is_empty() { title.to_owned() } else { format!("{title}\n（{}）", column.unit) }
}

/// Lines that a wrapped text takes in a column so wide.
fn lines_of(text: &str, width: f64) -> f64 {
    text.lines().map(|line| (columns_of(line) * 1.05 / (width - 1.0)).ceil().max(1.0)).sum()
}

fn put_row(sheet: &mut Sheet, at: u32, row: &ReportRow, columns: &[ReportColumn], names: u16) -> Result<(), XlsxError> {
    let style = if row.total { Style::NameTotal } else { Style::Name };
    // English titles hang in as the Chinese ones do.
    let indent: String = row.title_zh.chars().take_while(|letter| *letter == '　').map(|_| "  ").collect();
    // A party among titles has one name.
    let english = if row.title_zh == row.title_en { String::new() } else { format!("{indent}{}", row.title_en) };
    let titles = [row.title_zh.clone(), english];
    for (place, title) in (0..names).zip(titles) {
        sheet.text(at, place, &title, style)?;
        let width = &mut sheet.widths[usize::from(place)];
        *width = width.max(width_of(&title));
    }
    for (place, (cell, column)) in (names..).zip(row.cells.iter().zip(columns)) {
        if cell.text.is_empty() {
            sheet.printed(at, place, &cell.printed, Style::Number(column.decimals, row.total))?;
        } else {
            sheet.text(at, place, &cell.printed, Style::Text)?;
        }
        let width = &mut sheet.widths[usize::from(place)];
        *width = width.max(width_of(&cell.printed));
    }
    Ok(())
}

/// Columns that a text takes: a Chinese character takes two.
fn columns_of(text: &str) -> f64 {
    text.chars().map(|letter| if letter.is_ascii() { 1.0 } else { 2.0 }).sum()
}

fn width_of(text: &str) -> f64 {
    (columns_of(text) * 0.95 + 2.0).min(WIDEST)
}

fn checks_sheet(workbook: &mut Workbook, report: &Report, when: &str) -> Result<(), XlsxError> {
    let what = "勾稽关系 Checks（金额单位：分 amounts in fen）";
    let mut sheet = begin(workbook, report, when, "勾稽关系 Checks", what, CHECKS.len() as u16 - 1)?;
    for (column, (title, width)) in CHECKS.into_iter().enumerate() {
        sheet.text(HEAD_ROWS, column as u16, title, Style::Head)?;
        sheet.widths.push(width);
    }
    for (number, check) in report.checks.iter().enumerate() {
        let row = HEAD_ROWS + 1 + number as u32;
        let style = if check.pass { Style::Name } else { Style::NameTotal };
        sheet.text(row, 0, &check.check, style)?;
        let title = both(&check.title_zh, &check.title_en);
        sheet.text(row, 1, &title, Style::Text)?;
        let mut lines = lines_of(&title, CHECKS[1].1).max(lines_of(&check.place, CHECKS[6].1));
        for (column, value) in [(2_u16, &check.left), (3, &check.right), (4, &check.difference)] {
            let exact = super::exact(value.as_ref());
            lines = lines.max(lines_of(&exact, CHECKS[usize::from(column)].1));
            sheet.text(row, column, &exact, Style::Text)?;
        }
        sheet.height(row, lines * LINE_HEIGHT + 2.0)?;
        sheet.text(row, 5, if check.pass { "通过 pass" } else { "不符 FAIL" }, style)?;
        sheet.text(row, 6, &check.place, Style::Text)?;
    }
    let below = HEAD_ROWS + 2 + report.checks.len() as u32;
    for (below, note) in (below..).zip(&report.notes) {
        sheet.text(below, 0, &format!("注 Note：{note}"), Style::Line)?;
    }
    sheet.head_rows = HEAD_ROWS + 1;
    sheet.frozen_columns = 1;
    sheet.finish()
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read as _};

    use billwatch_proto::v1::{MeasureValue, ReportCell, ReportCheck};

    use super::*;

    fn report() -> Report {
        let column = |id: &str, zh: &str, en: &str, decimals| ReportColumn {
            column: id.into(),
            title_en: en.into(),
            title_zh: zh.into(),
            unit: if decimals == 2 { "亿元".into() } else { String::new() },
            decimals,
            note: if decimals == 0 { "of bills, not of lots".into() } else { String::new() },
        };
        let cell = |printed: &str| ReportCell { value: None, text: String::new(), printed: printed.into() };
        let row = |id: &str, zh: &str, en: &str, total, cells: [&str; 3]| ReportRow {
            row: id.into(),
            title_en: en.into(),
            title_zh: zh.into(),
            total,
            cells: cells.map(cell).to_vec(),
        };
        let block = ReportBlock {
            block: "B1".into(),
            title_en: "By kind".into(),
            title_zh: "按：种类".into(),
            columns: vec![
                column("n", "笔数", "Number", 0),
                column("a.BAB", "金额：银票", "Amount: BAB", 2),
                column("a.CAB", "金额：商票", "Amount: CAB", 2),
            ],
            rows: vec![
                row("R1", "甲 & <乙>", "A", false, ["7", "1234.50", "-"]),
                row("TOTAL", "合计", "Total", true, ["1200", "1234.50", "0.00"]),
            ],
        };
        let check = ReportCheck {
            check: "C1".into(),
            title_en: "Sums".into(),
            title_zh: "合计相等".into(),
            left: Some(MeasureValue { value: "123450".into(), denominator: String::new() }),
            pass: false,
            place: "B1/R1/a.BAB".into(),
            ..ReportCheck::default()
        };
        Report {
            report: "R99".into(),
            name_en: "Bills".into(),
            name_zh: "票据".into(),
            period: "2025-04".into(),
            from_date: "2025-04-01".into(),
            to_date: "2025-04-30".into(),
            status: "FINAL".into(),
            version: 2,
            notes: vec!["a note".into()],
            blocks: vec![block],
            checks: vec![check],
        }
    }

    /// The parts of a workbook, each as text.
    fn part(bytes: &[u8], name: &str) -> String {
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let mut text = String::new();
        archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// What stands in a cell: its number, or its text from the table of texts.
    fn content(bytes: &[u8], sheet: &str, place: &str) -> String {
        let cell = sheet.split(&format!("<c r=\"{place}\"")).nth(1).unwrap_or_else(|| panic!("no {place} in {sheet}"));
        let (attributes, rest) = cell.split_once('>').unwrap();
        if attributes.ends_with('/') {
            return String::new();
        }
        let value = rest.split("</v>").next().unwrap().trim_start_matches("<v>").to_owned();
        if !attributes.contains("t=\"s\"") {
            return value;
        }
        let texts = part(bytes, "xl/sharedStrings.xml");
        let text = texts.split("<si>").nth(value.parse::<usize>().unwrap() + 1).unwrap();
        text.split_once('>').unwrap().1.split("</t>").next().unwrap().to_owned()
    }

    #[test]
    fn a_workbook_holds_the_report_and_its_page() {
        let as_of = Some(AsOf { epoch: 7, market_clock_ms: None });
        let bytes = workbook(&report(), as_of).unwrap();
        let sheet = part(&bytes, "xl/worksheets/sheet1.xml");
        for (place, expected) in [
            ("A1", "R99 票据　Bills"),
            ("A2", "按：种类 By kind"),
            ("A4", "项目 Item"),
            ("C4", "笔数\nNumber"),
            ("D4", "金额\nAmount\n（亿元）"),
            ("D5", "银票\nBAB"),
            ("A6", "甲 &amp; &lt;乙&gt;"),
            ("B6", "A"),
            ("C6", "7"),
            ("D6", "1234.5"),
            ("E6", "-"),
            ("C7", "1200"),
            ("E7", "0"),
            ("A9", "注 Note：笔数 Number: of bills, not of lots"),
        ] {
            assert_eq!(content(&bytes, &sheet, place), expected, "{place}");
        }
        let when = content(&bytes, &sheet, "A3");
        assert!(when.contains("第2版 version 2") && when.contains("epoch 7"), "{when}");
        for expected in [
            "<mergeCell ref=\"A1:E1\"/>",
            "<mergeCell ref=\"A4:B5\"/>",
            "<mergeCell ref=\"C4:C5\"/>",
            "<mergeCell ref=\"D4:E4\"/>",
            "xSplit=\"2\" ySplit=\"5\" topLeftCell=\"C6\"",
            "<col min=\"1\" max=\"1\" width=\"18\"",
            "ht=\"24\" customHeight=\"1\"",
            "<pageSetUpPr fitToPage=\"1\"/>",
            "paperSize=\"9\"",
            "fitToHeight=\"0\"",
            "orientation=\"landscape\"",
            "<printOptions horizontalCentered=\"1\"/>",
            "<oddFooter>&amp;LR99 2025-04&amp;C&amp;P / &amp;N&amp;RFINAL</oddFooter>",
        ] {
            assert!(sheet.contains(expected), "{expected} is not in {sheet}");
        }
        let book = part(&bytes, "xl/workbook.xml");
        assert!(book.contains("name=\"1 按种类\"") && book.contains("'1 按种类'!$1:$5"), "{book}");
        let styles = part(&bytes, "xl/styles.xml");
        for expected in ["#,##0.00\"", "SimSun", "charset val=\"134\"", "DDE6F0", "style=\"thin\""] {
            assert!(styles.contains(expected), "{expected} is not in {styles}");
        }
        let checks = part(&bytes, "xl/worksheets/sheet2.xml");
        for (place, expected) in
            [("B5", "合计相等\nSums"), ("C5", "123450"), ("F5", "不符 FAIL"), ("A7", "注 Note：a note")]
        {
            assert_eq!(content(&bytes, &checks, place), expected, "{place}");
        }
    }

    #[test]
    fn equal_reports_are_equal_files() {
        let first = workbook(&report(), None).unwrap();
        // A file that says when it was made would differ a second later.
        std::thread::sleep(std::time::Duration::from_millis(1_100));
        assert_eq!(first, workbook(&report(), None).unwrap());
    }
}
