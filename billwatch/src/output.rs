//! Printing: one listing, three forms. Tables go to people, JSON and CSV to programs; values are the same in all.

use std::io::{self, Write as _};

use billwatch_proto::v1::AsOf;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle, presets};
use serde_json::{Map, Value, json};

use crate::{cli::Format, failure::Outcome};

/// Rules above, below and under the header; none between rows.
const STYLE: TableStyle = presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none());

/// Rows with named columns.
pub struct Listing {
    /// Column names: stable, `snake_case`, the keys of the JSON objects.
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl Listing {
    /// A listing without rows.
    pub fn new<C: Into<String>>(columns: impl IntoIterator<Item = C>) -> Self {
        Listing { columns: columns.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Appends a row; one value a column.
    pub fn push(&mut self, row: impl IntoIterator<Item = Value>) {
        let row: Vec<_> = row.into_iter().collect();
        debug_assert_eq!(row.len(), self.columns.len());
        self.rows.push(row);
    }

    /// The same with one more column that says the same in every row.
    pub fn with(mut self, column: &str, value: &Value) -> Self {
        self.columns.push(column.to_owned());
        self.rows.iter_mut().for_each(|row| row.push(value.clone()));
        self
    }

    /// The same with when it holds in every row: CSV has no other place for what holds for the whole of an answer.
    pub fn stamped(self, as_of: Option<AsOf>) -> Self {
        let epoch = as_of.map(|as_of| as_of.epoch);
        let clock = as_of.and_then(|as_of| as_of.market_clock_ms);
        self.with("as_of_epoch", &json!(epoch)).with("as_of_market_clock_ms", &json!(clock))
    }

    /// Prints as asked. JSON is an array of objects.
    pub fn print(&self, format: Format) -> Outcome {
        match format {
            Format::Table => print_line(&self.table()),
            Format::Json => print_json(&self.json()),
            Format::Csv => {
                self.write_csv(io::stdout().lock(), true)?;
                Ok(())
            }
        }
    }

    /// Prints without brackets or header: for the later parts of a stream.
    pub fn print_more(&self, format: Format) -> Outcome {
        match format {
            Format::Table => print_line(&self.table()),
            Format::Json => self.objects().try_for_each(|object| print_line(&object.to_string())),
            Format::Csv => {
                self.write_csv(io::stdout().lock(), false)?;
                Ok(())
            }
        }
    }

    /// As CSV with a header line, in memory.
    pub fn csv(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.write_csv(&mut bytes, true)?;
        Ok(bytes)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// An array of objects.
    pub fn json(&self) -> Value {
        Value::Array(self.objects().collect())
    }

    fn objects(&self) -> impl Iterator<Item = Value> + '_ {
        self.rows.iter().map(|row| {
            let pairs = self.columns.iter().cloned().zip(row.iter().cloned());
            Value::Object(Map::from_iter(pairs))
        })
    }

    /// The listing as a table with frames.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(self.columns.iter().map(|column| column.replace('_', " ")));
        for row in &self.rows {
            table.add_row(row.iter().map(cell_text));
        }
        for at in 0..self.columns.len() {
            // Numbers line up on the right.
            let numeric = !self.rows.is_empty() && self.rows.iter().all(|row| is_numeric(&row[at]));
            if let (true, Some(column)) = (numeric, table.column_mut(at)) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.trim_fmt()
    }

    fn write_csv(&self, out: impl io::Write, header: bool) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(out);
        if header {
            writer.write_record(&self.columns)?;
        }
        for row in &self.rows {
            writer.write_record(row.iter().map(cell_text))?;
        }
        writer.flush()
    }
}

fn is_numeric(value: &Value) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || b"-.,".contains(&byte));
    match value {
        Value::Number(_) | Value::Null => true,
        Value::String(text) => digits(text) && text.len() < 28,
        _ => false,
    }
}

fn cell_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Prints one JSON document with indentation.
pub fn print_json(value: &Value) -> Outcome {
    print_line(&serde_json::to_string_pretty(value).expect("a JSON value prints"))
}

/// Prints a line to standard output. A closed pipe (`| head`) is an error that ends the command, not a panic.
pub fn print_line(text: &str) -> Outcome {
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(())
}

/// An integer with `,` between thousands, for people.
pub fn grouped(number: impl Into<i128>) -> String {
    let number = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes for people, decimal: `93.1 MB`.
pub fn bytes(bytes: u64) -> String {
    scaled(bytes as f64, 1_000.0, &["B", "kB", "MB", "GB", "TB", "PB"])
}

/// A time span for people: `800 us`, `21.5 ms`, `12 s`; from two minutes on `3 min`, `5.2 h`.
pub fn duration(duration: std::time::Duration) -> String {
    match duration.as_secs() {
        0..120 => scaled(duration.as_micros() as f64, 1_000.0, &["us", "ms", "s"]),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{:.1} h", seconds as f64 / 3_600.0),
    }
}

/// With one decimal where the number is not whole, in the largest unit in which it is at least 1.
fn scaled(mut number: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while number >= step && unit + 1 < units.len() {
        number /= step;
        unit += 1;
    }
    let text = format!("{number:.1}");
    format!("{} {}", text.strip_suffix(".0").unwrap_or(&text), units[unit])
}

/// An instant (ms since 1970) as market time: `2025-04-08 09:30:00.000 +08:00`.
pub fn market_time(time_ms: i64) -> String {
    use billwatch_market::ids::{DAY_MS, Day, UTC8_MS};
    let of_day = (time_ms + UTC8_MS).rem_euclid(DAY_MS);
    let (seconds, ms) = (of_day / 1000, of_day % 1000);
    format!(
        "{} {:02}:{:02}:{:02}.{ms:03} +08:00",
        Day::of_time(time_ms),
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_parted() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(-1_234_567), "-1,234,567");
        assert_eq!(grouped(i64::MAX), "9,223,372,036,854,775,807");
    }

    #[test]
    fn sizes_and_spans_are_short() {
        assert_eq!((bytes(0), bytes(999), bytes(93_100_000)), ("0 B".into(), "999 B".into(), "93.1 MB".into()));
        let ms = std::time::Duration::from_millis;
        assert_eq!(
            (duration(ms(0)), duration(ms(21)), duration(ms(1_365))),
            ("0 us".into(), "21 ms".into(), "1.4 s".into())
        );
        assert_eq!((duration(ms(119_000)), duration(ms(180_000))), ("119 s".into(), "3 min".into()));
        assert_eq!(duration(ms(18_720_000)), "5.2 h");
    }

    #[test]
    fn market_time_is_eight_hours_east() {
        assert_eq!(market_time(1_759_852_800_000), "2025-10-08 00:00:00.000 +08:00");
        assert_eq!(market_time(1_759_852_799_999), "2025-10-07 23:59:59.999 +08:00");
    }

    #[test]
    fn the_three_forms_show_the_same_values() {
        let mut listing = Listing::new(["item", "amt_fen"]);
        listing.push([json!("广东省"), json!("120")]);
        assert_eq!(listing.json(), json!([{"item": "广东省", "amt_fen": "120"}]));
        let mut csv = Vec::new();
        listing.write_csv(&mut csv, true).unwrap();
        assert_eq!(String::from_utf8(csv).unwrap(), "item,amt_fen\n广东省,120\n");
        assert!(listing.table().contains("广东省"));
    }

    #[test]
    fn a_stamp_stands_in_every_row() {
        let mut listing = Listing::new(["item"]);
        listing.push([json!("a")]);
        listing.push([json!("b")]);
        let stamped = listing.stamped(Some(AsOf { epoch: 7, market_clock_ms: None }));
        let csv = String::from_utf8(stamped.csv().unwrap()).unwrap();
        assert_eq!(csv, "item,as_of_epoch,as_of_market_clock_ms\na,7,\nb,7,\n");
    }
}
