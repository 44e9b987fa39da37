//! The documents that are made from the tables: `docs/metrics.md` and `docs/log-codes.md`.
//!
//! A test compares the files with what is made here, and writes them when `BILLWATCH_WRITE_DOCS=1` is set.

use std::fmt::Write as _;

use crate::{
    codes,
    table::{Metric, Role, Source, coordinator, process, worker},
};

/// All metrics, by role.
pub fn metrics() -> String {
    let mut text = String::from(
        "# Metrics\n\nMade from the table in `telemetry/src/table`; do not edit. `BILLWATCH_WRITE_DOCS=1 cargo test --release -p \
         billwatch-telemetry documents` writes it.\n\nEvery role shows its metrics at `GET /metrics` on the address of `--metrics`, \
         in the OpenMetrics text format. A metric is described (`# HELP`, `# TYPE`) at every scrape; one with labels has no \
         sample before it has a value. Counters begin at 0 when their process starts, unless the text says otherwise; those of \
         a worker's compute child begin at 0 with every generation.\n",
    );
    for (title, metrics) in
        [("Every role", &process::ALL[..]), ("Coordinator", &coordinator::ALL[..]), ("Worker", &worker::ALL[..])]
    {
        // Writing to a String does not fail.
        let _ = write!(
            text,
            "\n## {title}\n\n| name | kind | unit | labels | what it says | from |\n|---|---|---|---|---|---|\n"
        );
        for metric in metrics {
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} | {} | {} |",
                metric.name,
                metric.kind.name(),
                metric.unit(),
                metric.labels.join(", "),
                metric.help,
                source(metric)
            );
        }
    }
    text
}

fn source(metric: &Metric) -> String {
    let per = if metric.per == 1 { String::new() } else { format!(" / {}", metric.per) };
    match metric.source {
        Source::Counter(name) => format!("counter `{name}`{per}"),
        Source::Counters(names) => {
            let names: Vec<String> = names.iter().map(|(name, _)| format!("`{name}`")).collect();
            format!("counters {}{per}", names.join(", "))
        }
        Source::Measured(place) => place.to_owned(),
    }
}

/// All codes of log lines.
pub fn log_codes() -> String {
    let mut text = String::from(
        "# Codes of log lines\n\nMade from the table in `telemetry/src/codes.rs`; do not edit. `BILLWATCH_WRITE_DOCS=1 cargo test \
         --release -p billwatch-telemetry documents` writes it.\n\nEvery warning and error carries one of these in its field `code`. \
         A code never changes its meaning.\n\n| code | what happened | what to do |\n|---|---|---|\n",
    );
    for code in codes::ALL {
        let _ = writeln!(text, "| `{}` | {} | {} |", code.code, code.meaning, code.remedy);
    }
    text
}

/// Names of all metrics of all roles: what dashboards and alert rules may use.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> =
        [Role::Coordinator, Role::Worker].into_iter().flat_map(Role::metrics).map(|metric| metric.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn the_documents_say_what_the_tables_say() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        for (file, made) in [("metrics.md", metrics()), ("log-codes.md", log_codes())] {
            let path = docs.join(file);
            if std::env::var_os("BILLWATCH_WRITE_DOCS").is_some() {
                fs::write(&path, &made).unwrap();
            }
            let kept = fs::read_to_string(&path).unwrap_or_default();
            assert!(kept == made, "docs/{file} is not what the table says: run this test with BILLWATCH_WRITE_DOCS=1");
        }
    }
}
