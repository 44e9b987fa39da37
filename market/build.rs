//! Turns the tables whose rows the code must name (fields, behaviours, and which behaviours read a bill) into Rust
//! constants.
//!
//! The index of a row is its stable number: the log and the history write it. Rows are only ever appended.

use std::{collections::HashSet, env, fmt::Write as _, fs, path::Path};

fn main() {
    println!("cargo:rerun-if-changed=catalogue/fields.csv");
    println!("cargo:rerun-if-changed=catalogue/behaviours.csv");
    println!("cargo:rerun-if-changed=catalogue/payloads.csv");
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join("vocabulary.rs");
    let mut code = String::new();
    fields(&mut code);
    behaviours(&mut code);
    fs::write(out, code).expect("OUT_DIR is writable");
}

fn rows(path: &str) -> Vec<csv::StringRecord> {
    let mut reader = csv::Reader::from_path(path).expect("the table is in the crate");
    reader.records().map(|row| row.expect("the table is valid CSV")).collect()
}

fn camel(snake: &str) -> String {
    snake.split('_').map(|part| part[..1].to_uppercase() + &part[1..]).collect()
}

fn fields(code: &mut String) {
    let rows = rows("catalogue/fields.csv");
    assert!(rows.len() < 256, "a field number is one byte in the record format");
    code.push_str("/// A field of a fact or control record; its number is its row in `catalogue/fields.csv`.\n");
    code.push_str(
        "#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]\n#[repr(u8)]\npub enum Field {\n",
    );
    for row in &rows {
        let meaning = row[3].replace('[', "(").replace(']', ")");
        writeln!(code, "    /// {}: {}.\n    {},", &row[0], meaning, camel(&row[0])).unwrap();
    }
    code.push_str("}\n");
    writeln!(code, "/// Every field, by number.\npub const FIELDS: [Field; {}] = [", rows.len()).unwrap();
    for row in &rows {
        writeln!(code, "    Field::{},", camel(&row[0])).unwrap();
    }
    writeln!(code, "];\n/// Names as written in NDJSON, by number.\npub const FIELD_NAMES: [&str; {}] = [", rows.len())
        .unwrap();
    for row in &rows {
        writeln!(code, "    {:?},", &row[0]).unwrap();
    }
    writeln!(
        code,
        "];\n/// Types as written in the table, by number.\npub const FIELD_TYPES: [&str; {}] = [",
        rows.len()
    )
    .unwrap();
    for row in &rows {
        writeln!(code, "    {:?},", &row[1]).unwrap();
    }
    code.push_str("];\n");
}

fn behaviours(code: &mut String) {
    let rows = rows("catalogue/behaviours.csv");
    writeln!(code, "/// Codes of all behaviours, by number.\npub const BEHAVIOUR_CODES: [&str; {}] = [", rows.len())
        .unwrap();
    for row in &rows {
        writeln!(code, "    {:?},", &row[0]).unwrap();
    }
    code.push_str("];\n");
    let about_a_bill: HashSet<String> = self::rows("catalogue/payloads.csv")
        .iter()
        .filter(|row| &row[1] == "bill_id")
        .map(|row| row[0].to_owned())
        .collect();
    writeln!(
        code,
        "/// Whether `payloads.csv` lists `bill_id` for the behaviour, by number: else a bill_id that is sent is read by nobody.\n\
         pub const BEHAVIOUR_READS_BILL: [bool; {}] = [",
        rows.len()
    )
    .unwrap();
    for row in &rows {
        writeln!(code, "    {},", about_a_bill.contains(&row[0])).unwrap();
    }
    code.push_str("];\n/// One constant a behaviour (票据行为), named by its code with `_` for `.`.\n");
    code.push_str("pub mod behaviour {\n    use super::Behaviour;\n");
    for (number, row) in rows.iter().enumerate() {
        let name = row[0].replace('.', "_");
        writeln!(
            code,
            "    /// {} ({}).\n    pub const {}: Behaviour = Behaviour({});",
            &row[1], &row[2], name, number
        )
        .unwrap();
    }
    code.push_str("}\n");
}
