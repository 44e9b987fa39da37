//! Market simulator, load generator, benchmarks.
//!
//! Owns the traffic that the rest is tried and measured with; no product code depends on it. Begin with [`simulator`].

pub mod batches;
pub mod client;
pub mod load;
pub mod measure;
pub mod simulator;
pub mod spool;
