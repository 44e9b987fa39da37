//! One scrape: the values that the parts of a role gave, written down in the OpenMetrics text format.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text::encode},
    metrics::MetricType,
    registry::Registry,
};

use crate::{
    histogram::{BOUNDS_MS, Snapshot},
    table::{Kind, Metric, Role, Source},
};

/// Media type of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Values of one scrape. Parts put theirs on it, in any order; [`Page::text`] shows them in the order of the table.
#[derive(Debug)]
pub struct Page {
    role: Role,
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Sample {
    metric: &'static Metric,
    labels: Vec<String>,
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    Whole(i64),
    Number(f64),
    Histogram(Snapshot),
    Words,
}

impl Page {
    /// An empty page of a role.
    pub fn new(role: Role) -> Self {
        Page { role, samples: Vec::new() }
    }

    /// A whole number without labels.
    pub fn whole(&mut self, metric: &'static Metric, value: impl TryInto<i64>) {
        self.whole_of(metric, &[], value);
    }

    /// A whole number under labels. What no i64 can hold is shown as the largest.
    pub fn whole_of(&mut self, metric: &'static Metric, labels: &[&str], value: impl TryInto<i64>) {
        self.put(metric, labels, Value::Whole(value.try_into().unwrap_or(i64::MAX)));
    }

    /// A number without labels.
    pub fn number(&mut self, metric: &'static Metric, value: f64) {
        self.put(metric, &[], Value::Number(value));
    }

    /// A number under labels.
    pub fn number_of(&mut self, metric: &'static Metric, labels: &[&str], value: f64) {
        self.put(metric, labels, Value::Number(value));
    }

    /// A histogram under labels.
    pub fn histogram_of(&mut self, metric: &'static Metric, labels: &[&str], snapshot: Snapshot) {
        self.put(metric, labels, Value::Histogram(snapshot));
    }

    /// Words as the labels of a 1.
    pub fn words(&mut self, metric: &'static Metric, labels: &[&str]) {
        self.put(metric, labels, Value::Words);
    }

    /// All metrics of the role that come from counters. Those without labels are shown as 0 when they were never touched.
    /// Counters that the table does not name are left out.
    pub fn counters<'a>(&mut self, counters: impl Iterator<Item = (&'a str, &'a str, i64)> + Clone) {
        for metric in self.role.metrics() {
            match metric.source {
                Source::Counter(name) if metric.labels.is_empty() => {
                    let value =
                        counters.clone().filter(|(counter, ..)| *counter == name).map(|(.., value)| value).sum();
                    self.put(metric, &[], metric.scaled(value));
                }
                Source::Counter(name) => {
                    for (_, label, value) in counters.clone().filter(|(counter, ..)| *counter == name) {
                        self.put(metric, &[label], metric.scaled(value));
                    }
                }
                Source::Counters(names) => {
                    for (name, label) in names {
                        let of_name = counters.clone().filter(|(counter, ..)| counter == name);
                        let value = of_name.map(|(.., value)| value).sum();
                        self.put(metric, &[label], metric.scaled(value));
                    }
                }
                Source::Measured(_) => {}
            }
        }
    }

    fn put(&mut self, metric: &'static Metric, labels: &[&str], value: Value) {
        debug_assert_eq!(metric.labels.len(), labels.len(), "{}", metric.name);
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        self.samples.push(Sample { metric, labels, value });
    }

    /// The text. Every metric of the role is described; those that nobody put a value on have none.
    pub fn text(self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        // Writing to memory does not fail, and nothing here refuses a value.
        let written = encode(&mut text, &registry);
        debug_assert!(written.is_ok());
        text
    }
}

impl Metric {
    fn scaled(&self, value: i64) -> Value {
        if self.per == 1 { Value::Whole(value) } else { Value::Number(value as f64 / f64::from(self.per)) }
    }
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for metric in self.role.metrics() {
            let kind = match metric.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
                Kind::Info => MetricType::Info,
            };
            let mut family = encoder.encode_descriptor(metric.family(), metric.help, None, kind)?;
            for sample in self.samples.iter().filter(|sample| std::ptr::eq(sample.metric, metric)) {
                let labels: Vec<(&str, &str)> =
                    metric.labels.iter().copied().zip(sample.labels.iter().map(String::as_str)).collect();
                if metric.kind == Kind::Info {
                    family.encode_info(&labels)?;
                } else if labels.is_empty() {
                    value(&mut family, metric.kind, &sample.value)?;
                } else {
                    value(&mut family.encode_family(&labels)?, metric.kind, &sample.value)?;
                }
            }
        }
        Ok(())
    }
}

fn value(encoder: &mut MetricEncoder<'_>, kind: Kind, value: &Value) -> fmt::Result {
    match (value, kind) {
        (Value::Whole(value), Kind::Counter) => {
            encoder.encode_counter::<NoLabelSet, u64, f64>(&u64::try_from(*value).unwrap_or(0), None)
        }
        (Value::Number(value), Kind::Counter) => encoder.encode_counter::<NoLabelSet, f64, f64>(value, None),
        (Value::Whole(value), _) => encoder.encode_gauge(value),
        (Value::Number(value), _) => encoder.encode_gauge(value),
        (Value::Histogram(snapshot), _) => {
            let bounds = BOUNDS_MS.iter().map(|bound| *bound as f64 / 1_000.0).chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(snapshot.counts).collect();
            let sum = snapshot.sum_microseconds as f64 / 1_000_000.0;
            encoder.encode_histogram::<NoLabelSet>(sum, snapshot.count(), &buckets, None)
        }
        (Value::Words, _) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        histogram::Histogram,
        table::{coordinator, process},
    };

    #[test]
    fn a_page_shows_every_metric_of_its_role_and_the_values_it_was_given() {
        let histogram = Histogram::default();
        histogram.observe(Duration::from_millis(15), 7);
        let mut page = Page::new(Role::Coordinator);
        page.words(&process::BUILD, &["0.1.0", "coordinator"]);
        page.histogram_of(&coordinator::FRESHNESS, &[], histogram.snapshot());
        page.whole_of(&coordinator::ALERTS_OPEN, &["RED"], 3u64);
        page.number(&coordinator::LOG_FSYNC, 0.5);
        let counters = [
            ("records_refused_total", "NOT_JSON", 2),
            ("facts_accepted_total", "", 7),
            ("epochs_sealed_to_done_microseconds_total", "", 1_500_000),
            ("known_to_nobody", "", 1),
        ];
        page.counters(counters.into_iter());
        let text = page.text();
        for line in [
            "# TYPE billwatch_freshness_seconds histogram",
            "billwatch_freshness_seconds_count 7",
            "billwatch_freshness_seconds_bucket{le=\"0.01\"} 0",
            "billwatch_freshness_seconds_bucket{le=\"0.02\"} 7",
            "billwatch_freshness_seconds_bucket{le=\"+Inf\"} 7",
            "billwatch_build_info{version=\"0.1.0\",role=\"coordinator\"} 1",
            "billwatch_alerts_open{level=\"RED\"} 3",
            "billwatch_log_fsync_seconds_total 0.5",
            "billwatch_records_refused_total{code=\"NOT_JSON\"} 2",
            "billwatch_facts_accepted_total 7",
            "billwatch_facts_late_total 0",
            "billwatch_epochs_sealed_to_done_seconds_total 1.5",
            "# TYPE billwatch_checkpoint_age_seconds gauge",
            "# EOF",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
        }
        for metric in Role::Coordinator.metrics() {
            assert!(text.contains(&format!("# HELP {} {}\n", metric.family(), metric.help)), "{}", metric.name);
        }
        assert!(!text.contains("known_to_nobody"));
    }
}
