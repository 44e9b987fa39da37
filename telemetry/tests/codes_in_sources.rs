//! Every warning and error in the sources names a code, and every code is used: the list for operators is the whole truth.

use std::{fs, path::Path};

use billwatch_telemetry::codes;

/// All sources of the crates that log, with their names. Tests log nothing.
fn sources() -> Vec<(String, String)> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut open: Vec<_> = ["bench", "billwatch", "coordinator", "market", "telemetry", "workers"]
        .into_iter()
        .map(|crate_name| top.join(crate_name).join("src"))
        .collect();
    let mut sources = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
    assert!(sources.len() > 100);
    sources
}

#[test]
fn warnings_and_errors_name_a_code() {
    let mut seen = 0;
    for (file, text) in sources() {
        for macro_name in ["tracing::warn!(", "tracing::error!("] {
            for (at, _) in text.match_indices(macro_name) {
                let event = &text[at..];
                let event = &event[..event.find(");").unwrap_or(event.len())];
                assert!(event.contains("code = ") || event.contains("(code,"), "{file}: no code in\n{event}");
                seen += 1;
            }
        }
    }
    assert!(seen > 15);
}

#[test]
fn every_code_is_used() {
    let sources = sources();
    for code in codes::ALL {
        let used = format!("codes::{}", code.code);
        assert!(sources.iter().any(|(_, text)| text.contains(&used)), "{} is used nowhere", code.code);
    }
}
