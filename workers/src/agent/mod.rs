//! The agent: what a container platform sees of a worker, and what keeps its compute child running.

pub mod pulse;
