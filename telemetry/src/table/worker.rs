//! Metrics of a worker: its agent, and what the compute child last said of itself.
//!
//! Counters of the child begin at 0 with every generation, as Prometheus expects of a process that was started again. They are
//! shown as 0 while no child speaks.

use super::{
    Kind::{Counter, Gauge},
    Metric, Source,
};

/// Counters of the stages of a worker's loop, with the stage.
pub const STAGES: [(&str, &str); 10] = [
    ("stage_decode_ns_total", "decode"),
    ("stage_lives_ns_total", "lives"),
    ("stage_exchange_ns_total", "exchange"),
    ("stage_cells_ns_total", "cells"),
    ("stage_windows_ns_total", "windows"),
    ("stage_judges_ns_total", "judges"),
    ("stage_alerts_ns_total", "alerts"),
    ("stage_answers_ns_total", "answers"),
    ("stage_filling_ns_total", "filling"),
    ("stage_checkpoint_ns_total", "checkpoint"),
];

/// Gauges of memory, with the view.
pub const VIEWS: [(&str, &str); 6] = [
    ("bytes_bills", "bills"),
    ("bytes_index", "index"),
    ("bytes_cells", "cells"),
    ("bytes_windows", "windows"),
    ("bytes_alerts", "alerts"),
    ("bytes_history", "history"),
];

/// All of them.
pub static ALL: [&Metric; 24] = [
    &COMPUTING,
    &READY,
    &LEASED,
    &RESTARTS,
    &CHILDREN_FAILED,
    &PULSE_AGE,
    &GENERATION,
    &EPOCH,
    &Metric::new(
        Counter,
        "billwatch_worker_stage_seconds_total",
        Source::Counters(&STAGES),
        "Time of the worker threads by stage of their loop, summed over threads.",
    )
    .by(&["stage"])
    .per(1_000_000_000),
    &Metric::new(
        Gauge,
        "billwatch_worker_memory_bytes",
        Source::Counters(&VIEWS),
        "Memory by view, as the views count it themselves.",
    )
    .by(&["view"]),
    &Metric::counter(
        "billwatch_worker_facts_total",
        "facts_total",
        "Facts of bills and facts without a bill taken in.",
    ),
    &Metric::counter(
        "billwatch_worker_reference_records_total",
        "reference_records_total",
        "Reference records taken in; every worker takes all.",
    ),
    &Metric::counter(
        "billwatch_worker_facts_in_order_total",
        "facts_in_order_total",
        "Facts that came in order and were applied to their bill at once.",
    ),
    &Metric::counter(
        "billwatch_worker_refolds_total",
        "refolds_total",
        "Bills folded again from their history: a late fact, a correction, or late master data.",
    ),
    &Metric::counter(
        "billwatch_worker_refolded_facts_total",
        "refolded_facts_total",
        "Facts read from the history for that.",
    ),
    &Metric::counter("billwatch_worker_cell_rows_total", "cell_rows_total", "Changed cells sent to their owners."),
    &Metric::counter(
        "billwatch_worker_feature_rows_total",
        "feature_rows_total",
        "Feature deltas sent to their owners.",
    ),
    &Metric::counter("billwatch_worker_hit_rows_total", "hit_rows_total", "Hits of patterns, found and taken back."),
    &Metric::counter(
        "billwatch_worker_hits_withdrawn_total",
        "hits_withdrawn_total",
        "Hits of patterns that were taken back.",
    ),
    &Metric::counter("billwatch_worker_judgements_total", "judgements_total", "Judgements on windows."),
    &Metric::counter(
        "billwatch_worker_judgements_skipped_total",
        "skipped_no_ref",
        "Judgements left out for want of reference data.",
    ),
    &Metric::gauge(
        "billwatch_worker_longest_save_seconds",
        "longest_save_ns",
        "Longest time that the loop was held up by saving, in this generation, summed over threads.",
    )
    .per(1_000_000_000),
    &Metric::gauge("billwatch_worker_bills", "bills", "Bills known to this worker."),
    &Metric::gauge("billwatch_worker_live_lots", "live_lots", "Lots of this worker that have not ended."),
];

/// A child lives.
pub static COMPUTING: Metric = Metric::measured(
    Gauge,
    "billwatch_worker_computing",
    "agent",
    "1 while a compute child runs in a generation whose mesh is built.",
);

/// Children started again.
pub static RESTARTS: Metric =
    Metric::measured(Counter, "billwatch_worker_restarts_total", "agent", "Compute children started after the first.");

/// Compute children that ended badly.
pub static CHILDREN_FAILED: Metric = Metric::measured(
    Counter,
    "billwatch_worker_children_failed_total",
    "agent",
    "Compute children that failed, or had to be killed.",
);

/// Age of what is shown.
pub static PULSE_AGE: Metric = Metric::measured(
    Gauge,
    "billwatch_worker_pulse_age_seconds",
    "agent",
    "Time since a compute child last spoke: it does so once a second. Absent before the first word.",
);

/// It keeps up.
pub static READY: Metric = Metric::measured(
    Gauge,
    "billwatch_worker_ready",
    "agent",
    "1 while the compute child is in a running generation and keeps up with the log.",
);

/// The coordinator knows it.
pub static LEASED: Metric =
    Metric::measured(Gauge, "billwatch_worker_leased", "agent", "1 while the agent holds a lease of the coordinator.");

/// Generation of the child.
pub static GENERATION: Metric = Metric::measured(
    Gauge,
    "billwatch_worker_generation",
    "compute child",
    "Generation of the compute child; 0 while it has none.",
);

/// Epoch of the child.
pub static EPOCH: Metric = Metric::measured(
    Gauge,
    "billwatch_worker_epoch",
    "compute child",
    "Last epoch that all threads of this worker have completed; 0 while no compute child speaks.",
);
