//! From a client's batch to records in the log.
//!
//! [`door`] reads the streams, [`prepare`] reads and checks records in parallel, [`sequencer`] gives them their order. What
//! is refused is told to the client and kept as a dead letter; the rest of the batch goes on.

mod acceptance;
mod columns;
pub mod dead_letters;
pub mod door;
mod events;
mod prepare;
mod queue;
pub mod rebuild;
mod refused;
pub mod sequencer;
mod sequences;
mod variants;
