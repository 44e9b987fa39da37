//! The page of a report: its figures, blocks and checks (勾稽关系) as tables, and one period of the small market as printed.
//!
//! Everything is read from the definition as written, with the words that the file has no column for beside it; so a new
//! report, block or check needs nothing here.

use std::{collections::BTreeSet, sync::OnceLock};

use billwatch_market::{
    catalogue::descriptions::ReportRow,
    observe::Meanings,
    report::{
        Book,
        definition::{Axis, BASE_FILE, ColumnForm, Place, Unit},
        exact::Exact,
        lines,
        print::print,
        result::{Report, Row},
    },
};
use serde_json::Value;

use super::{
    library::{Cells, Library, identifiers},
    market::{self, FACTS},
    page::{Body, Page, Sections},
    pages::entries,
};

/// Places of an axis that are listed; the others are in its enumeration.
const PLACES_SHOWN: usize = 40;
/// Members of a definition that are words for people.
const WORDS: [&str; 4] = ["en", "zh", "note", "notes"];
/// Rows and columns of the printed example.
const ROWS_SHOWN: usize = 10;
const COLUMNS_SHOWN: usize = 10;

/// `R06`.
pub fn page(library: &Library, row: &ReportRow) -> Page {
    let mut page = Page::new("report", &row.id, &row.english, &row.chinese);
    page.add("", frequency_and_basis(library, row));
    let Some(definition) = library.report_file(&row.id) else { return page };
    for (place, note) in list(definition, "notes").iter().enumerate() {
        page.add(if place == 0 { "Notes 说明" } else { "" }, Body::Text(plain(note)));
    }
    let book = book(library);
    page.add("Figures 指标口径", figures(library, definition));
    let defined = definition.get("define").and_then(Value::as_object);
    let rows = defined.into_iter().flatten().map(|(name, value)| vec![name.clone(), code(value)]);
    page.add("Names of formulas 公式", Body::table(&["name", "formula"], rows));
    for block in list(definition, "blocks") {
        add_block(block, &mut page);
    }
    page.add("Axes 分组", axes(definition, book));
    page.add("Checks 勾稽关系", checks(definition));
    page.sections.extend(book.map(|book| example(library, book, &row.id)).into_iter().flatten());
    page
}

fn frequency_and_basis(library: &Library, row: &ReportRow) -> Body {
    let periods = library.catalogue.enums.named("report_period");
    let period = periods.and_then(|table| table.item(&row.frequency));
    let frequency =
        period.map_or_else(String::new, |item| format!("{} {} {}", row.frequency, item.english, item.chinese));
    let mut cells: Cells = vec![("frequency".to_owned(), frequency)];
    cells.extend(library.row("reports.csv", &row.id).into_iter().filter(|(column, _)| column != "frequency"));
    entries(&cells, &["id", "english_name", "chinese_name"])
}

/// The compiled definitions. The first library that asks decides, as for the small market.
fn book(library: &Library) -> Option<&'static Book> {
    static BOOK: OnceLock<Option<Book>> = OnceLock::new();
    let make = || Book::read(&Meanings::new(library.catalogue.clone()).ok()?.into()).ok();
    BOOK.get_or_init(make).as_ref()
}

fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn member(of: &Value, name: &str) -> String {
    of.get(name).map(plain).unwrap_or_default()
}

/// A formula, so that Markdown leaves its signs alone.
fn code(formula: &Value) -> String {
    let formula = plain(formula);
    if formula.is_empty() { formula } else { format!("`{formula}`") }
}

/// `facts RDC.BST; sum settled; by (province: buyer.province)`, without the members that stand elsewhere.
fn words(of: &Value, without: &[&str]) -> String {
    let Some(map) = of.as_object() else { return plain(of) };
    let shown = map.iter().filter(|(name, _)| !without.contains(&name.as_str()));
    let one = |(name, value): (&String, &Value)| match value {
        Value::Object(inner) => {
            let inner: Vec<String> = inner.iter().map(|(name, value)| format!("{name}: {}", plain(value))).collect();
            format!("{name} ({})", inner.join("; "))
        }
        value => format!("{name} {}", plain(value)),
    };
    shown.map(one).collect::<Vec<_>>().join("; ")
}

/// What is counted: a base measure of all reports, or the report's own.
fn figures(library: &Library, definition: &Value) -> Body {
    let measures = library.document(BASE_FILE).and_then(|base| base.get("measures"));
    let figures = definition.get("figures").and_then(Value::as_object);
    let rows = figures.into_iter().flatten().map(|(name, figure)| {
        let base = measures.and_then(|measures| measures.get(member(figure, "use")));
        let measure = base.map_or_else(String::new, |base| {
            format!("{} {} {}", member(figure, "use"), member(base, "en"), member(base, "zh"))
        });
        let counted = [base.map(|base| words(base, &["en", "zh"])), Some(words(figure, &["use", "by"]))];
        let counted: Vec<String> = counted.into_iter().flatten().filter(|part| !part.is_empty()).collect();
        let by = figure.get("by").map(|by| words(by, &[])).unwrap_or_default();
        vec![name.clone(), measure, counted.join("; "), by]
    });
    Body::table(&["figure", "base measure", "what is counted", "by axis and name"], rows)
}

fn add_block(block: &Value, page: &mut Page) {
    let heading = format!("Block {}: {} {}", member(block, "id"), member(block, "en"), member(block, "zh"));
    let over = member(block, "over");
    let columns = list(block, "columns").iter().map(|column| {
        let unit: Option<Unit> = column.get("unit").and_then(|unit| serde_json::from_value(unit.clone()).ok());
        vec![
            member(column, "id"),
            member(column, "zh"),
            member(column, "en"),
            unit.map_or("", Unit::in_both).to_owned(),
            column.get("value").map(code).unwrap_or_default(),
            words(column, &["id", "zh", "en", "unit", "value", "note"]),
            member(column, "note"),
        ]
    });
    let columns = Body::table(&["column", "标题", "title", "unit", "formula", "over axis, at place", "note"], columns);
    let rows = list(block, "rows").iter().map(|row| {
        let total = row.get("total").and_then(Value::as_bool).unwrap_or(false);
        vec![
            member(row, "id"),
            // 　 is the indent of a printed title.
            member(row, "zh").trim_start_matches('　').to_owned(),
            member(row, "en"),
            words(row, &["id", "zh", "en", "total"]),
            if total { "no part of sums of rows".to_owned() } else { String::new() },
        ]
    });
    let rows = Body::table(&["row", "标题", "title", "rows over axis, formulas, at place", "total"], rows);
    if over.is_empty() {
        page.add(heading, rows);
    } else {
        page.add(heading, Body::Text(format!("One block for each place of axis {over}.")));
        page.add("", rows);
    }
    page.add("", columns);
}

/// The axes that the definition names, with their places in order.
fn axes(definition: &Value, book: Option<&Book>) -> Body {
    let mut named = BTreeSet::new();
    each_formula(definition, &mut |text| named.extend(identifiers(text).map(str::to_owned)));
    let axes = book.into_iter().flat_map(|book| &book.axes).filter(|(name, _)| named.contains(name.as_str()));
    let places = |axis: &Axis| {
        let one = |place: &Place| format!("{} {} {}", place.code, place.english, place.chinese);
        let shown: Vec<String> = axis.places.iter().take(PLACES_SHOWN).map(one).collect();
        let more = axis.places.len().saturating_sub(PLACES_SHOWN);
        let more = if more > 0 { format!("; {more} more") } else { String::new() };
        if shown.is_empty() { "what the facts name".to_owned() } else { format!("{}{more}", shown.join("; ")) }
    };
    Body::table(&["axis", "places"], axes.map(|(name, axis)| vec![name.clone(), places(axis)]))
}

/// Every text of a definition that names axes, figures and cells: not the words for people.
fn each_formula(value: &Value, take: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => take(text),
        Value::Array(values) => values.iter().for_each(|value| each_formula(value, take)),
        Value::Object(map) => {
            for (name, value) in map.iter().filter(|(name, _)| !WORDS.contains(&name.as_str())) {
                take(name);
                each_formula(value, take);
            }
        }
        _ => {}
    }
}

fn checks(definition: &Value) -> Body {
    let relation = |check: &Value| match member(check, "relation") {
        empty if empty.is_empty() => "=".to_owned(),
        other => other,
    };
    let known = ["id", "en", "zh", "left", "right", "relation"];
    let rows = list(definition, "checks").iter().map(|check| {
        vec![
            member(check, "id"),
            member(check, "zh"),
            member(check, "en"),
            check.get("left").map(code).unwrap_or_default(),
            relation(check),
            check.get("right").map(code).unwrap_or_default(),
            words(check, &known),
        ]
    });
    let columns = ["check", "勾稽关系", "relation", "left 左边", "", "right 右边", "made for"];
    Body::table(&columns, rows)
}

/// The first block of a period of the small market that has anything, as printed, and how the checks came out.
fn example(library: &Library, book: &Book, id: &str) -> Sections {
    let found = market::of(library).and_then(|market| market.report(library, book, id));
    let (Some(report), Some(form)) = (found, book.number(id).map(|number| &book.reports[number])) else {
        return Vec::new();
    };
    let is_filled = |row: &&Row| row.cells.iter().any(|cell| !matches!(cell, Exact::Null | Exact::Number(0)));
    let blocks = || form.blocks.iter().zip(&report.blocks);
    let full = blocks().find(|(_, block)| block.rows.iter().any(|row| is_filled(&row)));
    let Some((form, block)) = full.or_else(|| blocks().next()) else { return Vec::new() };
    // Rows without a figure say nothing to the reader of an example.
    let filled: Vec<&Row> = block.rows.iter().filter(is_filled).collect();
    let rows: Vec<&Row> = if filled.is_empty() { block.rows.iter().collect() } else { filled };
    let title = |column: &ColumnForm| match column.unit.words() {
        "" => format!("{} {}", column.chinese, column.english),
        unit => format!("{} {} ({unit})", column.chinese, column.english),
    };
    let titles: Vec<String> = form.columns.iter().take(COLUMNS_SHOWN).map(title).collect();
    let columns: Vec<&str> = std::iter::once("项目 item").chain(titles.iter().map(String::as_str)).collect();
    let (known, width) = (rows.len(), titles.len());
    let printed = rows.into_iter().take(ROWS_SHOWN).map(|row| {
        let title =
            if row.chinese == row.english { row.chinese.clone() } else { format!("{} {}", row.chinese, row.english) };
        let cells = row.cells.iter().zip(&form.columns).take(COLUMNS_SHOWN);
        std::iter::once(title).chain(cells.map(|(cell, column)| print(cell, column.unit))).collect()
    });
    let words = format!(
        "{id} of {} of a simulated market of about {FACTS} facts, status {}. Of block {} ({} {}): {} of {known} rows that have \
         figures, {width} of {} columns.",
        report.period.label(),
        report.status.name(),
        block.id,
        form.chinese,
        form.english,
        known.min(ROWS_SHOWN),
        form.columns.len()
    );
    vec![
        ("Example".into(), Body::Text(words)),
        ("".into(), Body::table(&columns, printed)),
        ("Checks of the example".into(), results(report)),
    ]
}

fn results(report: &Report) -> Body {
    let rows = report.checks.iter().map(|check| {
        let holds = if check.pass { "yes".to_owned() } else { format!("NO, at {}", check.place) };
        vec![check.id.clone(), lines::text(&check.left), lines::text(&check.right), check.instances.to_string(), holds]
    });
    Body::table(&["check", "left 左边", "right 右边", "times made", "holds"], rows)
}
