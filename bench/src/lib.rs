//! Market simulator, load generator, benchmarks.
//!
//! Owns the traffic that the rest is tried and measured with; no product code depends on it. Begin with [`simulator`].

pub mod client;
pub mod measure;
pub mod simulator;
