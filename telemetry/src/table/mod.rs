//! The table of metrics: the one place where a name, its unit and its meaning are decided.
//!
//! Names are stable. Units are base units and stand in the name (`_seconds`, `_bytes`); what only grows ends in `_total`. Most
//! values are counters that a part keeps anyway, for `GetStatus`: the table says which, and what to divide by. The others
//! are measured when somebody asks; the owner of the number puts it on the [`Page`](crate::page::Page).

pub mod coordinator;
pub mod process;
pub mod worker;

/// Which processes show a metric.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The coordinator.
    Coordinator,
    /// A worker's agent, which speaks for its compute child too.
    Worker,
}

impl Role {
    /// As the label `role` says it.
    pub fn name(self) -> &'static str {
        match self {
            Role::Coordinator => "coordinator",
            Role::Worker => "worker",
        }
    }

    /// The metrics of this role, in the order in which they are shown.
    pub fn metrics(self) -> impl Iterator<Item = &'static Metric> {
        let own: &[&Metric] = match self {
            Role::Coordinator => &coordinator::ALL,
            Role::Worker => &worker::ALL,
        };
        process::ALL.iter().chain(own).copied()
    }
}

/// What kind of number it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Grows while the process lives; begins at 0 again when it is started again.
    Counter,
    /// A value now.
    Gauge,
    /// Durations by upper bound ([`crate::histogram`]).
    Histogram,
    /// Words, as labels of a 1.
    Info,
}

impl Kind {
    /// As in the document and in `# TYPE`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Info => "info",
        }
    }
}

/// Where the value comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// The counter of this name. Its own label, if the metric has one, is the label's value.
    Counter(&'static str),
    /// Several counters: (name, value of the metric's label).
    Counters(&'static [(&'static str, &'static str)]),
    /// Measured when somebody asks: where, in words.
    Measured(&'static str),
}

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// The name that is exposed, with unit and `_total`. Of a histogram: without `_bucket`, `_sum` and `_count`.
    pub name: &'static str,
    /// What kind of number.
    pub kind: Kind,
    /// Names of the labels; their values are bounded.
    pub labels: &'static [&'static str],
    /// What it says, in a sentence.
    pub help: &'static str,
    /// Where it comes from.
    pub source: Source,
    /// The counter counts in units of which so many make one of the metric's: 1,000,000 for microseconds.
    pub per: u32,
}

impl Metric {
    const fn new(kind: Kind, name: &'static str, source: Source, help: &'static str) -> Self {
        Metric { name, kind, labels: &[], help, source, per: 1 }
    }

    const fn counter(name: &'static str, counter: &'static str, help: &'static str) -> Self {
        Metric::new(Kind::Counter, name, Source::Counter(counter), help)
    }

    const fn gauge(name: &'static str, counter: &'static str, help: &'static str) -> Self {
        Metric::new(Kind::Gauge, name, Source::Counter(counter), help)
    }

    const fn measured(kind: Kind, name: &'static str, place: &'static str, help: &'static str) -> Self {
        Metric::new(kind, name, Source::Measured(place), help)
    }

    const fn by(self, labels: &'static [&'static str]) -> Self {
        Metric { labels, ..self }
    }

    const fn per(self, per: u32) -> Self {
        Metric { per, ..self }
    }

    /// The unit that the name carries; empty for plain numbers.
    pub fn unit(&self) -> &'static str {
        let name = self.name.strip_suffix("_total").unwrap_or(self.name);
        ["seconds", "bytes"].into_iter().find(|unit| name.ends_with(&format!("_{unit}"))).unwrap_or("")
    }

    /// The name of the family: what stands behind `# TYPE`.
    pub fn family(&self) -> &'static str {
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        self.name.strip_suffix(suffix).unwrap_or(self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn all() -> impl Iterator<Item = &'static Metric> {
        process::ALL.iter().chain(&coordinator::ALL).chain(&worker::ALL).copied()
    }

    #[test]
    fn names_keep_the_conventions() {
        let mut names = BTreeSet::new();
        let mut families = BTreeSet::new();
        for metric in all() {
            let name = metric.name;
            assert!(name.starts_with("billwatch_"), "{name}");
            assert!(
                name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
                "{name}"
            );
            assert_eq!(metric.kind == Kind::Counter, name.ends_with("_total"), "{name}: what grows ends in _total");
            assert_eq!(metric.kind == Kind::Info, name.ends_with("_info"), "{name}");
            for suffix in ["_count", "_sum", "_bucket", "_created"] {
                assert!(!name.ends_with(suffix), "{name}: the text format uses {suffix}");
            }
            for word in name.split('_') {
                let odd = ["ms", "us", "ns", "milliseconds", "microseconds", "kb", "mb"];
                assert!(!odd.contains(&word), "{name}: base units only");
            }
            assert!(metric.help.ends_with('.') && metric.help.len() > 10, "{name}: help is a sentence");
            assert!(!metric.help.contains('\n'), "{name}: help is one line");
            assert!(names.insert(name), "{name} stands twice");
            assert!(families.insert(metric.family()), "{name}: another metric has this family");
        }
        assert!(names.len() > 60);
    }

    #[test]
    fn labels_are_few_and_their_sources_fit() {
        for metric in all() {
            match metric.source {
                Source::Counter(counter) => assert!(metric.labels.len() <= 1 && !counter.is_empty(), "{}", metric.name),
                Source::Counters(counters) => {
                    assert_eq!(metric.labels.len(), 1, "{}", metric.name);
                    assert!(!counters.is_empty(), "{}", metric.name);
                }
                Source::Measured(place) => assert!(!place.is_empty(), "{}", metric.name),
            }
            assert!(metric.labels.len() <= 2, "{}", metric.name);
        }
    }
}
