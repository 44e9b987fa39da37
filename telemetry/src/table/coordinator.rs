//! Metrics of the coordinator: ingest, log, epochs, freshness, cluster, checkpoints, alerts, questions.

use super::{
    Kind::{Counter, Gauge, Histogram},
    Metric,
};

/// All of them.
pub static ALL: [&Metric; 51] = [
    &FRESHNESS,
    &Metric::counter(
        "billwatch_records_accepted_total",
        "records_accepted_total",
        "Records accepted, control records too, by source system.",
    )
    .by(&["source"]),
    &Metric::counter(
        "billwatch_facts_accepted_total",
        "facts_accepted_total",
        "Facts accepted: records without controls.",
    ),
    &Metric::counter(
        "billwatch_facts_late_total",
        "facts_late_total",
        "Accepted facts that are older than the watermark of their source.",
    ),
    &Metric::counter(
        "billwatch_records_duplicate_total",
        "records_duplicate_total",
        "Records that were known and were acknowledged again.",
    ),
    &Metric::counter(
        "billwatch_records_refused_total",
        "records_refused_total",
        "Records refused, by stable code; each is kept as a dead letter.",
    )
    .by(&["code"]),
    &Metric::counter(
        "billwatch_batches_refused_total",
        "batches_refused_total",
        "Batches that could not be taken as a whole, by stable reason.",
    )
    .by(&["reason"]),
    &Metric::gauge(
        "billwatch_sequence_gaps",
        "sequence_gaps",
        "Runs of numbers that are missing in the sequence of a source.",
    )
    .by(&["source"]),
    &Metric::gauge("billwatch_dead_letters", "dead_letters", "Refused records in the dead-letter store."),
    &Metric::counter(
        "billwatch_dead_letters_dropped_total",
        "dead_letters_dropped_total",
        "Refused records that were not kept because the dead-letter store is full.",
    ),
    &Metric::counter(
        "billwatch_variant_copies_total",
        "variant_copies_total",
        "Records sent to shards that hold another content under the same event id.",
    ),
    &INGEST_STREAMS_OPEN,
    &INGEST_STREAMS_LIMIT,
    &Metric::counter("billwatch_ingest_streams_total", "ingest_streams_total", "Ingest streams opened."),
    &Metric::counter(
        "billwatch_ingest_streams_broken_total",
        "ingest_streams_broken_total",
        "Ingest streams that broke off, by gRPC code.",
    )
    .by(&["code"]),
    &INGEST_BYTES,
    &INGEST_BYTES_LIMIT,
    &LOG_SIZE,
    &LOG_GROUP_COMMITS,
    &LOG_FSYNC,
    &EPOCH_SEALED,
    &EPOCH_COMPLETED,
    &EPOCH_LAG,
    &EPOCH_LAG_SECONDS,
    &Metric::counter(
        "billwatch_epochs_completed_total",
        "epochs_completed_total",
        "Epochs completed by all workers, replayed ones too.",
    ),
    &Metric::counter(
        "billwatch_epochs_sealed_to_done_seconds_total",
        "epochs_sealed_to_done_microseconds_total",
        "Time from seal (or reading back) to completion, summed over epochs; divide by completed epochs for the mean.",
    )
    .per(1_000_000),
    &MARKET_CLOCK,
    &SERVING,
    &GENERATION,
    &MEMBERS,
    &MEMBERS_EXPECTED,
    &Metric::counter(
        "billwatch_generations_ended_total",
        "generations_ended_total",
        "Generations of the mesh that ended: a member was lost, or the coordinator ends.",
    ),
    &Metric::counter(
        "billwatch_registrations_refused_total",
        "registrations_refused_total",
        "Worker processes whose registration was refused.",
    ),
    &CHECKPOINT_EPOCH,
    &CHECKPOINT_AGE,
    &CHECKPOINT_DURATION,
    &CHECKPOINT_SIZE,
    &Metric::counter("billwatch_checkpoints_committed_total", "checkpoints_committed_total", "Checkpoints committed."),
    &Metric::counter(
        "billwatch_checkpoints_failed_total",
        "checkpoints_failed_total",
        "Checkpoints that a worker failed to write, or wrote too late.",
    ),
    &ALERTS_OPEN,
    &ALERTS_BY_STATUS,
    &ALERTS_OPENED,
    &ALERTS_WITHDRAWN,
    &RULES,
    &RULES_DEAD,
    &REPORTS_CHECK_FAILED,
    &QUESTIONS,
    &QUESTIONS_FAILED,
    &QUESTION_SECONDS,
    &FRESHNESS_P50,
    &FRESHNESS_P99,
];

/// Accepted until visible.
pub static FRESHNESS: Metric = Metric::measured(
    Histogram,
    "billwatch_freshness_seconds",
    "sequencer and alert ledger",
    "Time from the moment a batch is taken for acceptance (before its fsync) until its epoch is complete on all workers and \
     in the alert ledger, one observation a record; records read back from the log at a start are not counted.",
);

/// Median of the last minute.
pub static FRESHNESS_P50: Metric = Metric::measured(
    Gauge,
    "billwatch_freshness_last_minute_median_seconds",
    "sequencer and alert ledger",
    "Median freshness of the records that became visible in the last minute; absent when there were none.",
);

/// 99 in 100 of the last minute.
pub static FRESHNESS_P99: Metric = Metric::measured(
    Gauge,
    "billwatch_freshness_last_minute_p99_seconds",
    "sequencer and alert ledger",
    "Freshness that 99 of 100 records kept that became visible in the last minute; absent when there were none.",
);

/// Streams now.
pub static INGEST_STREAMS_OPEN: Metric =
    Metric::measured(Gauge, "billwatch_ingest_streams_open", "ingest door", "Ingest streams that are open.");

/// Streams at most.
pub static INGEST_STREAMS_LIMIT: Metric =
    Metric::measured(Gauge, "billwatch_ingest_streams_limit", "limits", "Ingest streams that may be open at once.");

/// Bytes now.
pub static INGEST_BYTES: Metric = Metric::measured(
    Gauge,
    "billwatch_ingest_in_flight_bytes",
    "ingest door",
    "Bytes of batches that are read and not yet acknowledged.",
);

/// Bytes at most.
pub static INGEST_BYTES_LIMIT: Metric = Metric::measured(
    Gauge,
    "billwatch_ingest_in_flight_limit_bytes",
    "limits",
    "Bytes of unacknowledged batches beyond which streams are not read.",
);

/// Size of the log.
pub static LOG_SIZE: Metric =
    Metric::measured(Gauge, "billwatch_log_size_bytes", "log writer", "Bytes of the log that are on disk.");

/// Group commits.
pub static LOG_GROUP_COMMITS: Metric =
    Metric::measured(Counter, "billwatch_log_group_commits_total", "log writer", "Group commits: one fsync each.");

/// Time in fsync.
pub static LOG_FSYNC: Metric = Metric::measured(
    Counter,
    "billwatch_log_fsync_seconds_total",
    "log writer",
    "Time in fsync of the log; divide by group commits for the mean.",
);

/// The last sealed epoch.
pub static EPOCH_SEALED: Metric =
    Metric::measured(Gauge, "billwatch_epoch_sealed", "log writer", "Number of the last sealed epoch.");

/// The last complete epoch.
pub static EPOCH_COMPLETED: Metric = Metric::measured(
    Gauge,
    "billwatch_epoch_completed",
    "cluster",
    "Number of the last epoch that all workers of the generation have completed; 0 while none runs.",
);

/// Sealed and not complete.
pub static EPOCH_LAG: Metric =
    Metric::measured(Gauge, "billwatch_epoch_lag", "cluster", "Sealed epochs that are not complete.");

/// Age of the oldest that is not visible.
pub static EPOCH_LAG_SECONDS: Metric = Metric::measured(
    Gauge,
    "billwatch_epoch_lag_seconds",
    "sequencer and alert ledger",
    "Age of the oldest record that was accepted since the start and is not yet visible; 0 when all are.",
);

/// Market time.
pub static MARKET_CLOCK: Metric = Metric::measured(
    Gauge,
    "billwatch_market_clock_timestamp_seconds",
    "sequencer",
    "Market clock of the last sealed epoch, as Unix time; absent before the first watermark.",
);

/// Answers.
pub static SERVING: Metric = Metric::measured(
    Gauge,
    "billwatch_serving",
    "cluster",
    "1 while questions are answered and the workers have caught up.",
);

/// Generation.
pub static GENERATION: Metric =
    Metric::measured(Gauge, "billwatch_generation", "cluster", "Number of the running generation; 0 while none runs.");

/// Members here.
pub static MEMBERS: Metric =
    Metric::measured(Gauge, "billwatch_members", "cluster", "Worker processes that are registered.");

/// Members awaited.
pub static MEMBERS_EXPECTED: Metric =
    Metric::measured(Gauge, "billwatch_members_expected", "setting", "Worker processes that a generation needs.");

/// The last checkpoint.
pub static CHECKPOINT_EPOCH: Metric = Metric::measured(
    Gauge,
    "billwatch_checkpoint_epoch",
    "manifest",
    "Epoch of the last committed checkpoint; 0 before the first.",
);

/// Its age.
pub static CHECKPOINT_AGE: Metric = Metric::measured(
    Gauge,
    "billwatch_checkpoint_age_seconds",
    "manifest",
    "Time since the last checkpoint was committed; absent before the first.",
);

/// How long it took.
pub static CHECKPOINT_DURATION: Metric = Metric::measured(
    Gauge,
    "billwatch_checkpoint_duration_seconds",
    "manifest",
    "Time from the order to the commit of the last checkpoint.",
);

/// Its size.
pub static CHECKPOINT_SIZE: Metric = Metric::measured(
    Gauge,
    "billwatch_checkpoint_size_bytes",
    "manifest",
    "Bytes of the last checkpoint over all workers, as they reported them.",
);

/// Open alerts.
pub static ALERTS_OPEN: Metric =
    Metric::measured(Gauge, "billwatch_alerts_open", "alert ledger", "Alerts that hold now, by level.").by(&["level"]);

/// Open alerts by the work on them.
pub static ALERTS_BY_STATUS: Metric = Metric::measured(
    Gauge,
    "billwatch_alerts_by_status",
    "alert ledger",
    "Alerts that hold now, by where the work on them stands (`alert_status`): NEW are those that nobody has looked at.",
)
.by(&["status"]);

/// Alerts that began.
pub static ALERTS_OPENED: Metric = Metric::measured(
    Counter,
    "billwatch_alerts_opened_total",
    "alert ledger",
    "Alerts that appeared, or came back after they were withdrawn; since the ledger began.",
);

/// Alerts that went.
pub static ALERTS_WITHDRAWN: Metric = Metric::measured(
    Counter,
    "billwatch_alerts_withdrawn_total",
    "alert ledger",
    "Alerts whose last hit was taken back; since the ledger began.",
);

/// Rules by state.
pub static RULES: Metric = Metric::measured(
    Gauge,
    "billwatch_rules",
    "liveness of rules",
    "Rules (patterns) by how they stand: LIVE, QUIET, DEAD_INPUT, DEAD_REFERENCE, NEVER_FED; absent before the first watermark.",
)
.by(&["state"]);

/// Rules with an alarm.
pub static RULES_DEAD: Metric = Metric::measured(
    Gauge,
    "billwatch_rules_dead",
    "liveness of rules",
    "Rules that are dead: their inputs stopped or never came, or reference data is empty. `billwatch rules list --dead` names them.",
);

/// Closed periods that contradict themselves.
pub static REPORTS_CHECK_FAILED: Metric = Metric::measured(
    Gauge,
    "billwatch_reports_check_failed",
    "kept reports",
    "Closed periods whose newest version fails its cross-checks, by report. `billwatch report list` names them.",
)
.by(&["report"]);

/// Questions asked.
pub static QUESTIONS: Metric = Metric::measured(
    Counter,
    "billwatch_questions_total",
    "query, alert and admin services",
    "Questions to the workers that were asked and have ended, by kind.",
)
.by(&["kind"]);

/// Questions without an answer.
pub static QUESTIONS_FAILED: Metric = Metric::measured(
    Counter,
    "billwatch_questions_failed_total",
    "query, alert and admin services",
    "Questions to the workers that ended with an error, by kind.",
)
.by(&["kind"]);

/// Time of a question.
pub static QUESTION_SECONDS: Metric = Metric::measured(
    Histogram,
    "billwatch_question_seconds",
    "query, alert and admin services",
    "Time from a question to its answer (of subscriptions and dumps: to the first part), errors too, by kind.",
)
.by(&["kind"]);
