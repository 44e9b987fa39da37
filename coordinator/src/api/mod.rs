//! The services that clients call: one file a service, and what they share ([`errors`], pages, spans, watches).
//!
//! Ingest has its own room ([`crate::ingest`]), and so have the workers' streams ([`crate::cluster`]).

pub mod admin;
pub mod alerts;
pub mod catalogue;
pub mod cells;
pub mod custom_reports;
mod dead_letters;
pub mod errors;
mod handling;
pub mod indicators;
mod known;
mod looks;
mod pages;
pub mod parameters;
pub mod query;
pub mod reports;
pub mod rules;
pub mod spans;
pub mod turns;
pub mod watches;
