//! Measurements of the product inside one process: what `billwatch bench` prints beside the load generator's figures.
//!
//! - [`engine`]: facts a second of the engine alone, and where its time goes;
//! - [`plain_loop`]: what one thread needs for the same work without an engine, as the yardstick;
//! - [`memory`]: bytes for each live lot;
//! - [`patterns`]: planted cases found, near misses alerted, alerts on clean trade;
//! - [`cases`]: the published fraud cases, each alerted by the moment that its story names;
//! - [`epochs`]: the simulated facts, encoded in memory, that all of them are fed.
//!
//! End-to-end throughput and freshness are measured from outside, on a cluster of processes: [`crate::load`].

pub mod cases;
pub mod engine;
pub mod epochs;
pub mod memory;
pub mod patterns;
pub mod plain_loop;
