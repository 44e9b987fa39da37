//! Questions to the workers, counted by kind: how many, how many failed, how long they took.

use std::{
    future::Future,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use billwatch_telemetry::{
    histogram::Histogram,
    page::Page,
    table::coordinator::{QUESTION_SECONDS, QUESTIONS, QUESTIONS_FAILED},
};

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum QuestionKind {
    /// Cells of a theme.
    Cells,
    /// Features of a key.
    Features,
    /// A bill.
    Bill,
    /// The evidence of an alert.
    Explain,
    /// A subscription to cells, until it stands.
    Watch,
    /// Views, until their first part.
    Dump,
    /// Values of indicators.
    Indicators,
    /// A report as it stands.
    Report,
    /// Liveness of rules.
    Rules,
}

/// All kinds, with their labels.
const KINDS: [(QuestionKind, &str); 9] = [
    (QuestionKind::Cells, "cells"),
    (QuestionKind::Features, "features"),
    (QuestionKind::Bill, "bill"),
    (QuestionKind::Explain, "explain"),
    (QuestionKind::Watch, "watch"),
    (QuestionKind::Dump, "dump"),
    (QuestionKind::Indicators, "indicators"),
    (QuestionKind::Report, "report"),
    (QuestionKind::Rules, "rules"),
];

/// Counts since the start.
#[derive(Debug, Default)]
pub struct QuestionTimes([Times; KINDS.len()]);

#[derive(Debug, Default)]
struct Times {
    took: Histogram,
    failed: AtomicU64,
}

impl QuestionTimes {
    /// Waits for the answer and counts it. A question that its asker gave up is not counted.
    pub async fn timed<T, E>(&self, kind: QuestionKind, answer: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let asked = Instant::now();
        let answer = answer.await;
        let times = &self.0[kind as usize];
        times.took.observe(asked.elapsed(), 1);
        times.failed.fetch_add(answer.is_err().into(), Ordering::Relaxed);
        answer
    }

    /// Puts them on a page.
    pub fn put(&self, page: &mut Page) {
        for ((_, label), times) in KINDS.iter().zip(&self.0) {
            let took = times.took.snapshot();
            page.whole_of(&QUESTIONS, &[label], took.count());
            page.whole_of(&QUESTIONS_FAILED, &[label], times.failed.load(Ordering::Relaxed));
            page.histogram_of(&QUESTION_SECONDS, &[label], took);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_and_errors_are_counted_by_kind() {
        assert!(KINDS.iter().enumerate().all(|(place, (kind, _))| *kind as usize == place));
        let times = QuestionTimes::default();
        let _ = times.timed(QuestionKind::Bill, async { Ok::<_, ()>(()) }).await;
        let _ = times.timed(QuestionKind::Bill, async { Err::<(), _>(()) }).await;
        let bill = &times.0[QuestionKind::Bill as usize];
        assert_eq!((bill.took.snapshot().count(), bill.failed.load(Ordering::Relaxed)), (2, 1));
    }
}
