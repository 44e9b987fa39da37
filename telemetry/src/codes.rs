//! Codes of log lines: what went wrong, in a word that never changes its meaning. Every warning and error carries one, as
//! the field `code`; alerts on logs and runbooks hang on it.

/// A code with its meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Code {
    /// As it stands in the field `code`.
    pub code: &'static str,
    /// What happened.
    pub meaning: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

macro_rules! codes {
    ($($name:ident: $meaning:literal, $remedy:literal;)*) => {
        $(
            #[doc = $meaning]
            pub const $name: &str = stringify!($name);
        )*

        /// All of them, sorted.
        pub const ALL: &[Code] = &[$(Code { code: $name, meaning: $meaning, remedy: $remedy }),*];
    };
}

codes! {
    BATCH_NOT_PREPARED: "A batch could not be prepared: a fault of this build. Its stream was ended, other streams go on.",
        "Report it with the batch; the client may send it again.";
    CATCH_UP_FAILED: "The coordinator ends: its log could not be read back for the workers, or its manifest not be written.",
        "Look at the coordinator's disk. Started again, it loses nothing acknowledged.";
    CHECKPOINTS_NOT_REMOVED: "A worker could not remove checkpoints that nobody needs any more.",
        "Look at the worker's disk; they take room and do no other harm.";
    CHECKPOINT_FAILED: "A checkpoint was given up: a worker could not write its part, or was too late. The last one stays.",
        "Look at the disks of the workers. Restarts take longer while no checkpoint succeeds.";
    CLUSTER_MOVED_ON: "`billwatch verify` shows rows of a later epoch than the hashes that it compared.",
        "Verify again while nothing is ingested.";
    COMPUTE_ENDED: "The compute child of a worker ended; the agent starts the next one.",
        "Nothing, when it happens once: it follows every end of a generation. Its own last lines say why.";
    COMPUTE_FAILED: "A compute child gave up its generation.",
        "The text says why. The agent starts the next one.";
    COMPUTE_KILLED: "A compute child was silent, or did not end when it was asked; its agent killed it.",
        "Nothing, when it happens once. Else look whether the machine is overloaded; report it with the log.";
    COORDINATOR_AWAITED: "An agent has no coordinator: it cannot be reached, or does not give the lease. It goes on asking.",
        "The text says why. Look whether the coordinator runs, and whether the address is right.";
    COORDINATOR_PANICKED: "A part of the coordinator panicked: a fault of this build. The coordinator ends.",
        "Report it with the log. Started again, it loses nothing acknowledged.";
    CROSS_OVERFLOWN: "A custom report has more cells than it may have (limit CROSS_CELLS_MOST). It is given up, and refused when asked.",
        "Delete it, and create one with fewer dimensions or with filters.";
    CROSS_REFUSED: "A custom report that the log ordered is none under this catalogue. It is not kept.",
        "Start with the catalogue under which it was created, or create it anew.";
    DEAD_LETTERS_CUT: "The torn end of the dead letters was cut off at start.",
        "Nothing: it follows a crash. The records were not acknowledged, the client sends them again.";
    DEAD_LETTERS_FAILED: "The coordinator ends: dead letters could not be written.",
        "Look at the coordinator's disk.";
    DEAD_LETTERS_FULL: "The dead-letter store has reached its size (1 GiB): refused records are counted and told to clients, but no longer kept.",
        "Mend the source that sends garbage. The store is `dead-letters.bin` in the coordinator's data directory: stop the coordinator, keep the file elsewhere, start it again.";
    GENERATION_ENDED: "A generation of the mesh ended. Questions wait until the next one has restored its checkpoint.",
        "Nothing, when it happens once: the reason names the process that was lost. Its log says more.";
    INGEST_STREAM_BROKEN: "An ingest stream broke off. What was acknowledged stays.",
        "Nothing: the client sends the rest again.";
    LEASE_LOST: "An agent lost its coordinator. Its compute child ends; the next one starts with the next lease.",
        "Nothing, when the coordinator was started again. Else look at the network between the two.";
    LEDGER_CUT: "The torn end of the alert ledger was cut off at start.",
        "Nothing: it follows a crash. Replay makes it again.";
    LEDGER_FAILED: "The coordinator ends: the alert ledger could not be written.",
        "Look at the coordinator's disk. Started again, it loses nothing acknowledged.";
    LOG_FAILED: "The coordinator ends: the log could not be written. Nothing was acknowledged that is not on disk.",
        "Look at the coordinator's disk. Clients send again what was not acknowledged.";
    MESH_CALLER_REFUSED: "Somebody called the mesh port who is no mate of this generation.",
        "Nothing, when it follows the end of a generation. Else look who calls: the port is for workers only.";
    METRICS_UNREACHABLE: "The system did not accept a connection to the metrics endpoint.",
        "Look at the limit of open files.";
    OTLP_FAILED: "Spans did not reach the collector of `--otlp` and are lost. Told once a minute at most; all else goes on.",
        "The text says why. Look whether the collector runs, and whether the address is right.";
    PROBES_FAILED: "The agent does not answer its probes any more.",
        "The platform will start it again; report it with the log.";
    PROCESS_REVIVED: "A process of `billwatch up` ended and was started again.",
        "Its own log says why it ended.";
    REGISTRATION_REFUSED: "A worker process was not taken in: its number, build, catalogue or threads do not fit.",
        "The text says which; start it with what the others have.";
    REPORT_CHECK_FAILED: "A kept version of a report of a closed period fails its cross-checks: facts contradict each other, or some are missing.",
        "Look at `billwatch report show REPORT --period PERIOD`: each check that fails names both sides and the first place. Once the source has corrected its facts, a new version is made.";
    RULES_DEAD: "Rules (patterns) died: their inputs stopped or never came, or reference data is empty, so that they can find nothing.",
        "Look at `billwatch rules list --dead`: it names the rule, since when, and what is missing. Bring the source or the data back.";
    SEQUENCER_FAILED: "The coordinator ends: the sequencer could not read back the log.",
        "Look at the coordinator's disk.";
    SIGNAL_UNHEARD: "SIGTERM cannot be heard; the process ends only with SIGINT or SIGKILL.",
        "Report it with the system's version.";
    STORE_FAILED: "A worker could not write its store. Its process ends, and the generation with it.",
        "Look at the worker's disk. The coordinator's log has everything.";
    UNKNOWN_MESSAGE: "A message of a kind that this build does not know was passed over.",
        "Run the same build everywhere.";
    WORKER_THREAD_FAILED: "A worker thread ended badly; its process ends with it.",
        "The text says why. The agent starts the next process.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_words_with_a_remedy() {
        assert!(ALL.is_sorted_by(|left, right| left.code < right.code));
        for Code { code, meaning, remedy } in ALL {
            assert!(code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{code}");
            assert!(meaning.ends_with('.') && remedy.ends_with('.'), "{code}: sentences");
            assert!(!meaning.contains('|') && !remedy.contains('|'), "{code}: stands in a table");
        }
    }
}
