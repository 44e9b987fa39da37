//! Worker processes: the timely mesh, the dataflow that keeps every view, history and checkpoints, answers.
//!
//! Owns everything between an epoch of accepted facts and the views at that epoch. Invariants:
//! * The epoch is the one timestamp. A worker injects epoch e+1 only after its probe has passed e; between the two, all of
//!   its state is exactly the state of epoch e. Questions and checkpoints are dealt with in that gap.
//! * Views are functions of the set of accepted facts, the catalogue and the market clock (ARCHITECTURE.md).
//!
//! Begin at [`engine`] (a worker thread and its life), then [`dataflow`] (what happens in an epoch), [`store`] (what is on
//! disk) and [`client`] (the stream from the coordinator). [`harness`] runs all of it in one process, for tests and benches.

pub mod agent;
pub mod answers;
pub mod client;
pub mod command;
pub mod counters;
pub mod dataflow;
pub mod engine;
pub mod handling;
pub mod harness;
pub mod limits;
pub mod mesh;
pub mod ownership;
pub mod parcel;
mod restoring;
pub mod rule_change;
pub mod saving;
pub mod shard;
pub mod store;
