//! Turns the tables whose rows the code must name (fields, behaviours, and which behaviours read a bill) into Rust
//! constants.
//!
//! The index of a row is its stable number: the log and the history write it. Rows are only ever appended. What is wrong in a
//! table is told with its file, line and column.

use std::{
    collections::HashSet,
    env,
    fmt::{self, Write as _},
    fs,
    path::Path,
};

const FIELDS: &str = "catalogue/fields.csv";
const BEHAVIOURS: &str = "catalogue/behaviours.csv";
const PAYLOADS: &str = "catalogue/payloads.csv";

/// A field number is one byte in the record format.
const MOST_FIELDS: usize = 255;

fn main() -> Result<(), Failure> {
    for table in [FIELDS, BEHAVIOURS, PAYLOADS] {
        println!("cargo:rerun-if-changed={table}");
    }
    let out = env::var_os("OUT_DIR").ok_or_else(|| Failure("OUT_DIR is not set: run this with cargo".into()))?;
    let out = Path::new(&out).join("vocabulary.rs");
    let mut code = String::new();
    fields(&mut code)?;
    behaviours(&mut code)?;
    fs::write(&out, code).map_err(|error| Failure(format!("{}: {error}", out.display())))
}

/// What cargo shows when `main` fails.
struct Failure(String);

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<fmt::Error> for Failure {
    fn from(error: fmt::Error) -> Self {
        Failure(format!("the code cannot be written: {error}"))
    }
}

/// A row of a table, and where it stands.
struct Row<const N: usize> {
    line: u64,
    cells: [String; N],
}

/// The named columns of a table.
struct Table<const N: usize> {
    path: &'static str,
    columns: [&'static str; N],
    rows: Vec<Row<N>>,
}

impl<const N: usize> Table<N> {
    fn read(path: &'static str, columns: [&'static str; N]) -> Result<Self, Failure> {
        let unreadable = |error: csv::Error| Failure(format!("{path}: {error}"));
        let mut reader = csv::Reader::from_path(path).map_err(unreadable)?;
        let header = reader.headers().map_err(unreadable)?.clone();
        let mut places = [0; N];
        for (place, column) in places.iter_mut().zip(columns) {
            let found = header.iter().position(|name| name == column);
            *place = found.ok_or_else(|| Failure(format!("{path}, line 1: there is no column `{column}`")))?;
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(unreadable)?;
            let line = record.position().map_or(0, csv::Position::line);
            // The reader refuses records that are shorter than the header.
            rows.push(Row { line, cells: places.map(|place| record.get(place).unwrap_or_default().to_owned()) });
        }
        Ok(Table { path, columns, rows })
    }

    fn wrong(&self, row: &Row<N>, column: usize, what: &str) -> Failure {
        let (path, line, column, cell) = (self.path, row.line, self.columns[column], &row.cells[column]);
        Failure(format!("{path}, line {line}, column `{column}`: `{cell}`: {what}"))
    }

    /// The first column names its rows: each once, and in a form that gives a Rust name.
    fn check_names(&self, what: &str, is_name: impl Fn(&str) -> bool) -> Result<(), Failure> {
        let mut known = HashSet::new();
        for row in &self.rows {
            if !is_name(&row.cells[0]) {
                return Err(self.wrong(row, 0, what));
            }
            if !known.insert(&row.cells[0]) {
                return Err(self.wrong(row, 0, "stands in an earlier row: take the name away or give another"));
            }
        }
        Ok(())
    }
}

fn camel(snake: &str) -> String {
    let mut camel = String::with_capacity(snake.len());
    for part in snake.split('_') {
        let mut letters = part.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.extend(letters);
    }
    camel
}

fn fields(code: &mut String) -> Result<(), Failure> {
    let table = Table::read(FIELDS, ["field", "type", "meaning_en"])?;
    let is_name = |name: &str| {
        let is_part = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        name.starts_with(|first: char| first.is_ascii_lowercase()) && name.split('_').all(is_part)
    };
    table.check_names("a field is lower case words, joined by `_`", is_name)?;
    if let Some(row) = table.rows.get(MOST_FIELDS) {
        return Err(table.wrong(row, 0, "is one field too many: its number is one byte in the record format"));
    }
    let count = table.rows.len();
    code.push_str("/// A field of a fact or control record; its number is its row in `catalogue/fields.csv`.\n");
    code.push_str(
        "#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]\n#[repr(u8)]\npub enum Field {\n",
    );
    for Row { cells: [name, _, meaning], .. } in &table.rows {
        let meaning = meaning.replace('[', "(").replace(']', ")");
        writeln!(code, "    /// {name}: {meaning}.\n    {},", camel(name))?;
    }
    writeln!(code, "}}\n/// Every field, by number.\npub const FIELDS: [Field; {count}] = [")?;
    for Row { cells: [name, ..], .. } in &table.rows {
        writeln!(code, "    Field::{},", camel(name))?;
    }
    writeln!(code, "];\n/// Names as written in NDJSON, by number.\npub const FIELD_NAMES: [&str; {count}] = [")?;
    for Row { cells: [name, ..], .. } in &table.rows {
        writeln!(code, "    {name:?},")?;
    }
    writeln!(code, "];\n/// Types as written in the table, by number.\npub const FIELD_TYPES: [&str; {count}] = [")?;
    for Row { cells: [_, kind, _], .. } in &table.rows {
        writeln!(code, "    {kind:?},")?;
    }
    code.push_str("];\n");
    Ok(())
}

fn behaviours(code: &mut String) -> Result<(), Failure> {
    let table = Table::read(BEHAVIOURS, ["code", "english_name", "chinese_name"])?;
    let is_code = |code: &str| {
        let is_part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_uppercase());
        code.contains('.') && code.split('.').all(is_part)
    };
    table.check_names("a code is capitals, such as END.SGN", is_code)?;
    let count = table.rows.len();
    writeln!(code, "/// Codes of all behaviours, by number.\npub const BEHAVIOUR_CODES: [&str; {count}] = [")?;
    for Row { cells: [name, ..], .. } in &table.rows {
        writeln!(code, "    {name:?},")?;
    }
    code.push_str("];\n");
    let payloads = Table::read(PAYLOADS, ["behaviour", "field"])?;
    let of_bills = payloads.rows.iter().filter(|row| row.cells[1] == "bill_id");
    let about_a_bill: HashSet<&str> = of_bills.map(|row| row.cells[0].as_str()).collect();
    code.push_str("/// Whether `payloads.csv` lists `bill_id` for the behaviour, by number: else a bill_id that is sent is read by\n");
    writeln!(code, "/// nobody.\npub const BEHAVIOUR_READS_BILL: [bool; {count}] = [")?;
    for Row { cells: [name, ..], .. } in &table.rows {
        writeln!(code, "    {},", about_a_bill.contains(name.as_str()))?;
    }
    code.push_str("];\n/// One constant a behaviour (票据行为), named by its code with `_` for `.`.\n");
    code.push_str("pub mod behaviour {\n    use super::Behaviour;\n");
    for (number, Row { cells: [name, english, chinese], .. }) in table.rows.iter().enumerate() {
        let constant = name.replace('.', "_");
        writeln!(code, "    /// {english} ({chinese}).\n    pub const {constant}: Behaviour = Behaviour({number});")?;
    }
    code.push_str("}\n");
    Ok(())
}
