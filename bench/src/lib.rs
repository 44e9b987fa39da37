//! Market simulator, load generator, benchmarks.

pub mod client;
