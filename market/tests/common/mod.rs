//! Reads the worked examples: facts from their NDJSON, what is expected from their JSON.

use std::{fs, path::Path};

use billwatch_market::{
    catalogue::Catalogue,
    fact::{Fact, Record},
    ndjson::parse_line,
};
use serde_json::Value as Json;

/// One line of an example: a fact, or `None` for a control record.
pub fn facts(example: &str) -> Vec<Option<Fact>> {
    let catalogue = Catalogue::embedded();
    let fact = |line: &str| match parse_line(line.as_bytes(), &catalogue).unwrap() {
        Record::Fact(fact) => Some(fact),
        Record::Control(_) => None,
    };
    read(&format!("{example}.facts.ndjson")).lines().map(fact).collect()
}

/// `NAME.expected.json`.
pub fn expected(example: &str) -> Json {
    serde_json::from_str(&read(&format!("{example}.expected.json"))).unwrap()
}

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(file)).unwrap()
}
