//! The coordinator: the one door of the cluster. Facts come in, become durable, get their epoch and go to the workers;
//! questions go to all workers at one epoch and come back as one answer; alerts are kept in a durable ledger.
//!
//! # The road of a record
//!
//! ```text
//! ingest::door ─► ingest::prepare ─► ingest::sequencer ─► log::writer ─► epochs ─► cluster ─► worker processes
//!  (gRPC stream)   (decode, check)    (dedupe, stamp,      (fsync, ack)   (ring)   (route, bound)
//!                                      epoch, clock)
//! ```
//!
//! # Invariants
//! - Acknowledged means on disk: the writer answers a batch only after the fsync behind its frames.
//! - The log alone decides everything: state of the sequencer, epochs, market clock and what each worker receives are
//!   functions of its frames. A restart gives the same.
//! - Epochs are successive from 1 and are delivered in order, each exactly once in a generation.
//! - All of one answer holds at one epoch.
//! - What waits is bounded, by a named limit of [`limits`].
//!
//! Begin at [`serve`], then `ingest/sequencer.rs` and `cluster/mod.rs`.

pub mod api;
mod clock;
mod cluster;
pub mod config;
mod counters;
mod crosses;
mod durable_file;
mod epochs;
mod failure;
mod handling;
mod ingest;
mod ledger;
pub mod limits;
mod log;
mod manifest;
mod metrics;
mod parameters;
mod reports;
mod rules;
mod server;
mod shards;

pub use config::CoordinatorConfig;
pub use server::{RunningCoordinator, ServeError, serve};
