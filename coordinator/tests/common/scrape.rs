//! Asks a live endpoint over TCP and reads the text of metrics back, strictly: for the tests of coordinator and binary.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use billwatch_telemetry::table::{Kind, Metric};

/// Samples by name with labels, as the text writes them.
pub type Samples = BTreeMap<String, f64>;

/// Asks over a connection of its own; `None` while nobody listens.
pub fn try_scrape(address: SocketAddr) -> Option<Samples> {
    let mut stream = TcpStream::connect(address).ok()?;
    let ask = "GET /metrics HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";
    stream.write_all(ask.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    assert!(text.ends_with("# EOF\n"), "the text is whole");
    Some(read(text))
}

/// Asks over a connection of its own.
pub fn scrape(address: SocketAddr) -> Samples {
    try_scrape(address).expect("it listens")
}

/// True when the metric has a value.
pub fn has_value(samples: &Samples, metric: &Metric) -> bool {
    let histogram = format!("{}_count", metric.name);
    let name = if metric.kind == Kind::Histogram { &histogram } else { metric.name };
    samples.keys().any(|series| series.split('{').next() == Some(name))
}

/// Sum over all labels.
pub fn sum(samples: &Samples, name: &str) -> f64 {
    samples.iter().filter(|(series, _)| series.split('{').next() == Some(name)).map(|(_, value)| value).sum()
}

/// Strict where we are: a family is described before its samples, and nothing stands twice.
fn read(text: &str) -> Samples {
    let mut samples = Samples::new();
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let mut family = "";
    for line in text.lines() {
        if let Some(described) = line.strip_prefix("# ") {
            let mut words = described.splitn(3, ' ');
            match (words.next(), words.next(), words.next()) {
                (Some("HELP"), Some(name), Some(help)) => {
                    assert!(!help.is_empty(), "{line}");
                    family = name;
                }
                (Some("TYPE"), Some(name), Some(kind)) => {
                    assert_eq!(name, family, "{line}");
                    assert!(kinds.insert(name, kind).is_none(), "{name} is described twice");
                }
                (Some("EOF"), None, None) => {}
                _ => panic!("not a line of the format: {line}"),
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
        let name = series.split('{').next().unwrap();
        assert!(name.starts_with(family), "{line} stands under {family}");
        let suffixes: &[&str] = match kinds[family] {
            "counter" => &["_total"],
            "gauge" => &[""],
            "info" => &["_info"],
            "histogram" => &["_sum", "_count", "_bucket"],
            kind => panic!("{kind} is no kind of ours"),
        };
        assert!(suffixes.contains(&&name[family.len()..]), "{line}");
        let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        assert!(samples.insert(series.to_owned(), value).is_none(), "{series} stands twice");
    }
    samples
}
