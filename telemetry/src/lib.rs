//! What is seen of a process from outside: logs, metrics with the small HTTP endpoint that shows them, and spans for a collector.
//!
//! The lowest layer beside `proto`: it knows names, units and how to write them down, and nothing of bills, epochs or meshes.
//! So coordinator, workers and the binary use the same words without knowing each other.
//!
//! Invariants:
//! * A metric that is not in the [`table`] cannot be shown, and each one of a role is described at every scrape. The document
//!   `docs/metrics.md` is made from the same table, and a test keeps it so.
//! * Labels are bounded: their values are names from the catalogue or from this program, never what a client sent.
//! * Nothing here is called for each record, and no span is made for one. Counters are kept by their owners and read when somebody asks.
//! * A log line of a failure names a code of [`codes`], which never changes its meaning.
//!
//! Begin at [`table`] (which metrics there are), then [`page`] (one scrape) and [`endpoint`] (who is answered).

pub mod codes;
pub mod documents;
pub mod endpoint;
pub mod histogram;
pub mod logs;
pub mod machine;
pub mod otlp;
pub mod page;
pub mod table;
