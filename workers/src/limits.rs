//! Limits of a worker process, with units in their names and the reason beside each.

use std::time::Duration;

/// Commands that may wait for one worker thread. Epochs in flight are bounded by the coordinator; this is the second bound,
/// so that a coordinator at fault cannot fill the memory of a worker.
pub const COMMANDS_IN_FLIGHT: usize = 64;

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

/// Facts of its history that a worker reads again for one question (distinct counts, rows of effects, some explanations):
/// some ten seconds of its loop, in which no epoch passes.
pub const QUESTION_FACTS_MAX: usize = 2_000_000;

/// Facts of one explanation: a person reads them.
pub const EXPLAIN_FACTS_MAX: usize = 10_000;

/// Checkpoints kept on disk: the last two committed ones (ARCHITECTURE.md).
pub const CHECKPOINTS_KEPT: usize = 2;

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
