//! Every limit of the coordinator in one place: the value, its unit in the name or type, and the reason.

use std::time::Duration;

/// Longest time an epoch stays open (design: closed by time or size). 20 ms keeps answers fresh and amortises the cost of
/// an epoch on the workers (3-12 us empty).
pub const EPOCH_INTERVAL: Duration = Duration::from_millis(20);
/// The same while a custom report is filled: each epoch costs a worker milliseconds however few records it has, and a quarter of
/// its time at 50 a second. Answers stay fresher than 500 ms.
pub const EPOCH_INTERVAL_FILLING: Duration = Duration::from_millis(100);
/// Records after which an epoch is sealed early: the knee of throughput against epoch size in the prototype.
pub const EPOCH_RECORDS: u32 = 20_000;
/// Epochs sent to the workers and not done. 4 gave all of the throughput in the prototype; 8 leaves room for jitter.
pub const EPOCHS_IN_FLIGHT: u32 = 8;
/// Most that may be chosen for it: more only fills memory.
pub const EPOCHS_IN_FLIGHT_MOST: u32 = 64;
/// Bytes of sealed epochs kept in memory for delivery. Workers further behind are fed from the log.
pub const EPOCHS_RETAINED_BYTES: usize = 128 << 20;
/// Bytes read from the log at a time while workers catch up.
pub const CATCH_UP_BYTES: usize = 8 << 20;

/// Records in one ingest batch. Larger batches gain nothing and delay the acknowledgements behind them.
pub const BATCH_RECORDS: usize = 100_000;
/// Bytes of one message at the client's door: a batch of 100,000 rich records in columns is near 30 MB.
pub const MESSAGE_BYTES: usize = 32 << 20;
/// Bytes of one record in row form (facts.md 1).
pub const RECORD_BYTES: usize = 64 << 10;
/// Bytes of batches that are decoded and not yet acknowledged, over all streams. Clients wait beyond it.
pub const INGEST_BYTES_IN_FLIGHT: usize = 256 << 20;
/// Bytes of that room that each record takes at least: a batch of empty rows is some bytes on the wire, and each row becomes a
/// refusal.
pub const RECORD_ROOM: usize = 256;
/// A client that does not read an answer for so long is taken for gone: what it sent is still accepted, and its batches must
/// not hold the room of others.
pub const ANSWER_READ_WITHIN: Duration = Duration::from_secs(30);
/// Batches of one stream that are not yet acknowledged; then the stream is not read.
pub const BATCHES_IN_FLIGHT: usize = 32;
/// Ingest streams at once: each may hold a decoded batch.
pub const INGEST_STREAMS: usize = 256;
/// Batches waiting for the sequencer, over all streams.
pub const SEQUENCER_QUEUE: usize = 64;
/// Contents accepted under one event id; more are refused. Honest sources reach a handful. Who gives all facts one id is told so,
/// and what one epoch must bring to the home of the fact that counts (`market::variants`) stays below
/// [`WORKER_MESSAGE_BYTES`].
pub const VARIANTS_MOST: usize = 8_192;
/// Sequence gaps listed in one answer, of the sources of its batch; the first ones. All are counted (`sequence_gaps`).
pub const GAPS_LISTED: usize = 100;
/// Longest value shown in a refusal, in characters.
pub const REFUSED_VALUE_CHARS: usize = 200;

/// Bytes at which a frame of records or copies is ended and the next begun: who reads a frame has it in memory.
pub const FRAME_BYTES: usize = 16 << 20;
/// Bytes of a log segment before the next is begun: small enough to copy and check, large enough to be few.
pub const SEGMENT_BYTES: u64 = 64 << 20;
/// Bytes that one group commit gathers at most: bounds the time to the fsync.
pub const GROUP_COMMIT_BYTES: usize = 16 << 20;
/// Frames waiting for the log writer.
pub const LOG_QUEUE: usize = 256;
/// Bytes in one answer of `ReadLog`.
pub const READ_LOG_BYTES: usize = 1 << 20;

/// Size of the dead-letter file; further letters are counted and dropped. A source that sends garbage must not fill the disk.
pub const DEAD_LETTERS_BYTES: u64 = 1 << 30;
/// Letters or alerts in a page when the client does not say.
pub const PAGE_DEFAULT: usize = 100;
/// Letters or alerts in a page at most.
pub const PAGE_MOST: usize = 1_000;

/// Worker processes of a cluster.
pub const PROCESSES_MOST: u32 = 64;
/// Worker threads of one process.
pub const THREADS_MOST: u32 = 256;
/// Bytes of one message between coordinator and workers: an epoch of reference data at the most, with room.
pub const WORKER_MESSAGE_BYTES: usize = 256 << 20;
/// Messages waiting for one worker process. Epochs are bounded by [`EPOCHS_IN_FLIGHT`]; the rest are questions.
pub const WORKER_QUEUE: usize = 1_024;
/// A worker that registered must build its mesh and restore its checkpoint within this time.
pub const READY_WITHIN: Duration = Duration::from_secs(600);
/// An agent that is silent this long is lost, and its generation with it. It beats once a second and does nothing else: ten
/// beats are not missed by chance. A process that dies is noticed at once, by its closed stream; this is for lost machines.
pub const LEASE: Duration = Duration::from_secs(10);
/// Pause between two words to the agents: they take a silent coordinator for lost (`billwatch_workers::limits`).
pub const PACE_EVERY: Duration = Duration::from_secs(1);
/// Messages waiting for one agent: a minute of pace. More wait only for an agent that hangs.
pub const AGENT_QUEUE: usize = 64;
/// Answers are fresh when every epoch sealed this long ago is in them. Some hundred times the usual age, and several times the
/// pause of a large checkpoint: who is later than this is late for a reason that an operator wants to see.
pub const FRESH_WITHIN: Duration = Duration::from_secs(10);
/// The task of the cluster looks around five times a second. Silent for this long it hangs: it waits for its disk at most a
/// few seconds.
pub const LIVE_WITHIN: Duration = Duration::from_secs(30);
/// Time between checkpoints: bounds the log that a restart replays.
pub const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(30);
/// Committed checkpoints that are kept.
pub const CHECKPOINTS_KEPT: usize = 2;

/// Least time between two passes that close periods of reports: a pass folds the history of every shard on its own loop, some
/// ten seconds for two million facts, so it must be rare.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(60);
/// Reports of one pass: their figures are counted together, and their members wait in memory together.
pub const REPORTS_AT_ONCE: usize = 32;
/// Reports of one question, and their members, wait in memory together: every report of 23 periods.
pub const REPORTS_ASKED: usize = 512;
/// Pauses between passes are so many times as long as the last pass: shards spend a twentieth of their time on them at most.
pub const REPORTS_REST: u32 = 20;
/// Between two looks at the market clock: cheap.
pub const REPORTS_LOOK: Duration = Duration::from_secs(1);

/// Questions in flight to the workers; beyond it clients are told to come back.
pub const QUESTIONS_IN_FLIGHT: usize = 64;
/// Bytes of one answer that wait for the asker: a whole dump of a large market, for a client that reads slowly.
pub const ANSWER_BYTES: usize = 1 << 30;
/// A question without answer after this time is given up.
pub const QUESTION_WITHIN: Duration = Duration::from_secs(30);
/// Dumps and checkpoints of a large state take longer, and so does what is read between epochs: reports, distinct counts.
pub const LONG_QUESTION_WITHIN: Duration = Duration::from_secs(600);
/// Subscriptions of one service at once.
pub const WATCHES: usize = 256;
/// Answers waiting for one subscriber; a slower one is cut off and may subscribe again.
pub const WATCH_QUEUE: usize = 1_024;

/// Sealed epochs whose records are not yet visible, each with the times at which they came: some 60 bytes an epoch, five
/// hours of them. Later ones are counted together.
pub const EPOCHS_AWAITED: usize = 1 << 20;

/// Custom reports at once. Each costs every fact that it reads, about as much as one dimension does.
pub const CROSSES_MOST: usize = 64;
/// Cells of one custom report, (date, items), over all workers: about 1 GiB. Beyond it the report is given up.
pub const CROSS_CELLS_MOST: u64 = 8_000_000;
/// Rows in the answer of a custom report.
pub const REPORT_ROWS_MOST: usize = 200_000;
/// Characters of the title of a custom report.
pub const REPORT_TITLE_CHARS: usize = 200;
/// While custom reports are filled there is an epoch at least this often: what is counted leaves with epochs.
pub const CROSS_EPOCH_EVERY: Duration = Duration::from_millis(50);

/// Epochs waiting for the alert ledger's disk; then completion of epochs waits.
pub const LEDGER_QUEUE: usize = 1_024;
/// Epochs read ahead of the workers.
pub const FEED_AHEAD: usize = 4;

/// HTTP/2 keepalive: a silent peer is noticed within the sum of the two.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// Time within which a keepalive must be answered.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// HTTP/2 window of one stream. 1 MiB gave the full rate on loopback; more did not help.
pub const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// HTTP/2 window of one connection.
pub const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// Time that open calls have to end at shutdown.
pub const SHUTDOWN_WITHIN: Duration = Duration::from_secs(2);

/// Lines of one explained indicator: a person reads them, and their windows' sums are told in any case.
pub const INDICATOR_LINES_MOST: usize = 10_000;

/// Pause between two looks of a subscription to a custom report: each look reads its table, unless no epoch came.
pub const CUSTOM_REPORT_EVERY: Duration = Duration::from_millis(500);

/// Pause between two looks of a subscription to the features of a key: each asks all shards once, unless no epoch came, and is
/// as dear as one query.
pub const FEATURES_EVERY: Duration = Duration::from_millis(500);
/// The same of a subscription to a bill: each look reads its history and folds it again.
pub const BILL_EVERY: Duration = Duration::from_millis(500);

/// Pause between two looks of a subscription to indicators: each look works out the values of the day again.
pub const INDICATORS_EVERY: Duration = Duration::from_secs(1);
/// Changes of parameters whose alerts are kept by id (16 bytes each), so that they can be listed; counts are kept for ever.
pub const PARAMETER_DIFFS_KEPT: usize = 256;
/// Alerts on which somebody may have acted: each start of a generation brings them to every worker, some 70 bytes each, in one
/// message ([`WORKER_MESSAGE_BYTES`]). Two hundred alerts a day reach it after fifteen years.
pub const ALERTS_HANDLED_MOST: usize = 1_000_000;
/// Characters of who set a parameter or handled an alert, and of why: people read them.
pub const WORDS_CHARS: usize = 500;
/// Pause between two looks at a change of parameters that is awaited: whether the workers still serve.
pub const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Pause between two looks at which rules are dead, for alarms and metrics: a look without figures takes each worker some
/// milliseconds, and a rule dies at the end of a day.
pub const RULES_EVERY: Duration = Duration::from_secs(5);
/// Dead rules named in one line of the log: people read it, and `billwatch rules list --dead` has all.
pub const DEAD_RULES_LOGGED: usize = 20;
