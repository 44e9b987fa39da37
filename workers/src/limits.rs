//! Limits of a worker process, with units in their names and the reason beside each.

use std::time::Duration;

/// Commands that may wait for one worker thread. The coordinator bounds them: epochs in flight, questions, whose places are
/// kept until they are answered, the ends of as many subscriptions as may be open, a checkpoint. This is the second bound, so
/// that a coordinator at fault cannot fill the memory of a worker: a thread that has more waiting ends the generation, so it
/// lies well above the sum of the others (a test of `billwatch` compares them).
pub const COMMANDS_IN_FLIGHT: usize = 1_024;

/// Longest time that mates are waited for while the mesh is built: they start within seconds of each other, and the
/// coordinator begins another generation when one is missing.
pub const MESH_BUILD_TIMEOUT: Duration = Duration::from_secs(60);

/// Longest time that a mate may take to say its hello once the socket is open.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// Pause between two attempts to reach a mate that does not listen yet.
pub const CONNECT_RETRY: Duration = Duration::from_millis(50);

/// Most bytes of a hello: two names and some numbers. More is not a mate.
pub const HELLO_BYTES_MAX: u32 = 4_096;

/// Longest sleep of a worker thread. It is woken by its mates and by the feeder; this only bounds a lost wake-up.
pub const PARK_MAX: Duration = Duration::from_millis(50);

/// Rows in one exchanged container: large enough that a message costs nothing a row, small enough to stay in cache.
pub const PARCEL_ROWS: usize = 16_384;

/// Rows of a dump in one part of an answer: about 1 MiB of text, far below gRPC's 4 MiB.
pub const DUMP_ROWS_PER_PART: usize = 8_192;

/// Cells or members in one part of an answer: some MiB at the most, far below the limit of a message.
pub const CELLS_PER_PART: usize = 16_384;

/// Bills of one worker that may be unpacked at a time, whatever their number: what a burst of facts touches, about 1 MiB.
pub const AWAKE_BILLS_MIN: usize = 512;

/// One bill of so many may be unpacked: enough to catch requests and their answers, too few to weigh.
pub const AWAKE_BILLS_SHARE: usize = 24;

/// Facts of its history that a worker reads again for one question on its loop (distinct counts of custom
/// reports, alerts by the hour, rows of effects, some explanations): some ten
/// seconds, in which no epoch passes.
pub const QUESTION_FACTS_MAX: usize = 2_000_000;

/// Facts of one explanation that a worker gives: a person reads them, and they fit a message with room (some 8 MB of rows).
pub const EXPLAIN_FACTS_MAX: usize = 20_000;

/// Checkpoints kept on disk: the last two committed ones (ARCHITECTURE.md).
pub const CHECKPOINTS_KEPT: usize = 2;

/// Jobs that may wait for the writer of a process: some tens of MiB of rows and history. A disk that is slower than the facts
/// then slows the loop down, not the memory up.
pub const WRITER_QUEUE: usize = 64;

/// Bytes of rows that the writer gathers of one state table before it writes a table file: large files need little
/// compaction, and of rows that change often only the last is written.
pub const TABLE_GATHERED_BYTES: usize = 32 << 20;

/// Bytes of rows that a thread gathers of one state table before it sends them: some thousand rows, so that sending costs
/// nothing a row.
pub const ROWS_SENT_BYTES: usize = 256 << 10;

/// Bytes of history that a thread gathers before it sends them: large files, and a look-up scans at most a few of these.
pub const HISTORY_PART_BYTES: usize = 8 << 20;

/// Facts whose memory a walk through the history keeps for the next ones: a turn of it has some thousands, of half a KiB each.
pub const SPARE_FACTS: usize = 8_192;

/// The same for lists of facts of one life.
pub const SPARE_PASTS: usize = 1_024;

/// Bytes of history of one thread that may wait for the disk: as much as comes in a second at full speed. Then the loop waits.
pub const HISTORY_WAITING_BYTES: usize = 64 << 20;

/// From the beginning of a sweep of early saves to that of the next: a tenth of what changed between two checkpoints is left
/// for the loop to encode at the second, and rows that change all the time are encoded ten times as often, not a hundred.
pub const SAVE_EVERY: Duration = Duration::from_secs(3);

/// Early saves may take one part in so many of the loop's time.
pub const SAVE_SHARE: u32 = 16;

/// Shortest step of early saves, taken after an epoch: what an epoch of 20 ms does not feel.
pub const SAVE_STEP: Duration = Duration::from_millis(1);

/// Longest step of early saves, however long the epoch took: nobody who waits for an answer feels it.
pub const SAVE_STEP_MAX: Duration = Duration::from_millis(20);

/// Pause between two reports of counters: they are for people.
pub const COUNTERS_EVERY: Duration = Duration::from_secs(1);

/// Longest time that the coordinator is waited for at start; whoever supervises the process starts it again.
pub const COORDINATOR_WITHIN: Duration = Duration::from_secs(60);

/// Pause between two attempts to reach the coordinator.
pub const COORDINATOR_RETRY: Duration = Duration::from_millis(100);

/// Silence on the stream after which the coordinator is asked whether it lives.
pub const KEEPALIVE: Duration = Duration::from_secs(5);

/// Messages to the coordinator that may wait; more than all answers and epochs in flight make.
pub const SAYINGS_QUEUE: usize = 256;

/// Largest message of the stream: an epoch with a large load of reference data.
pub const WORKER_MESSAGE_BYTES: usize = 256 << 20;

/// Pause between two pulses of a compute child: often enough for a probe, cheap enough to forget.
pub const PULSE_EVERY: Duration = Duration::from_secs(1);

/// Silence after which a compute child is dead. Its pulses come from a thread that does nothing else, so ten missed ones mean
/// that the process hangs, not that it is busy.
pub const CHILD_SILENT_MOST: Duration = Duration::from_secs(10);

/// Time that a compute child has to end when it is asked. There is nothing to save: it closes nothing that a restart misses.
pub const CHILD_ENDS_WITHIN: Duration = Duration::from_millis(500);

/// A compute child that fails within this time has failed quickly: it did not get as far as to work.
pub const CHILD_SHORT_LIFE: Duration = Duration::from_secs(10);

/// Pause before the third compute child in a row when two have failed quickly; it doubles with each further one.
pub const CHILD_PAUSE: Duration = Duration::from_millis(100);

/// Longest such pause: a full disk that is mended, or a mate that comes back, is noticed within this time.
pub const CHILD_PAUSE_MOST: Duration = Duration::from_secs(5);

/// Pause between two looks of an agent at its child, its probes and its deadlines.
pub const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// An agent whose loop has not turned for this long hangs: it waits for nothing but messages.
pub const AGENT_LIVE_WITHIN: Duration = Duration::from_secs(10);

/// Pause between two beats of an agent. The coordinator gives an agent up after ten (`billwatch_coordinator::limits::LEASE`).
pub const BEAT_EVERY: Duration = Duration::from_secs(1);

/// Silence after which the coordinator is lost. It speaks once a second, but its disk may hold it up for a while.
pub const COORDINATOR_SILENT_MOST: Duration = Duration::from_secs(20);

/// Longest time for one attempt to connect: a machine that is gone does not answer at all.
pub const COORDINATOR_CONNECTS_WITHIN: Duration = Duration::from_secs(5);

/// Longest pause between two attempts of an agent to reach the coordinator; the first is [`COORDINATOR_RETRY`].
pub const COORDINATOR_RETRY_MOST: Duration = Duration::from_secs(1);

/// Longest stay of an agent that was asked to end, unless it is told otherwise: some checkpoints of a large state.
pub const DRAIN_WITHIN: Duration = Duration::from_secs(20);

/// Rows whose places in memory are looked up together before any is changed: more than a processor has loads under way.
pub const ROWS_AT_ONCE: usize = 32;

/// Values (key and day) that one question about indicators may work out at one worker: some 2 us each, so it holds its shard up
/// for less than a second. A year of days of a thousand institutions.
pub const INDICATOR_VALUES_MAX: usize = 300_000;

/// Bills, or facts without a bill, that are counted for a new cross before the clock is looked at: one or two milliseconds.
pub const CROSS_LIVES_AT_ONCE: usize = 256;

/// Rest behind a turn at filling crosses while records come, in percent of that turn: three quarters of the thread fill, as a first
/// answer is waited for.
pub const CROSS_REST_PERCENT: u32 = 30;

/// Rows of filled crosses that leave with one epoch: their owners take some tens of milliseconds for them.
pub const CROSS_ROWS_AN_EPOCH: usize = 65_536;

/// Rows of filled crosses that may wait to leave; then the filling waits for an epoch.
pub const CROSS_ROWS_WAITING: usize = 131_072;

/// Lives that a reading takes before the clock is looked at: one or two milliseconds.
pub const LIVES_AT_ONCE: usize = 32;

/// Facts of its history that a worker reads for one question that is worked on between epochs (reports, distinct counts of cells):
/// what a busy worker manages within the ten minutes that such a question may take.
pub const READING_FACTS_MAX: usize = 10_000_000;

/// Rest behind a turn at reading while records come, in percent of that turn: a fifth of the thread reads.
pub const READING_REST_PERCENT: u32 = 400;

/// So long after the last epoch with records a thread counts as busy.
pub const BUSY_FOR: Duration = Duration::from_millis(500);

/// Longest turn at filling crosses: what comes meanwhile waits no longer.
pub const CROSS_TURN: Duration = Duration::from_millis(20);

/// Longest turn at filling crosses behind an epoch when more wait: they are filled while the cluster catches up, too.
pub const CROSS_TURN_BUSY: Duration = Duration::from_millis(10);

/// Longest turn at reading for reports: what comes meanwhile waits no longer.
pub const READING_TURN: Duration = Duration::from_millis(5);

/// Longest turn at reading for reports behind an epoch when more wait.
pub const READING_TURN_BUSY: Duration = Duration::from_millis(2);

/// Places (rule, key, bucket) that one question about the liveness of rules may judge again at one worker, each as it is and
/// with thresholds eased. Measured: 20 to 40 us a place on a busy machine, so it holds its shard up for some seconds at the
/// worst. A fact makes some four places.
pub const LIVENESS_PLACES_MAX: usize = 100_000;
