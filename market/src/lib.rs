//! The bill market's vocabulary and laws, with no I/O.
//!
//! Begin with [`fact`] (what goes in), [`bill`] (what a fact does to a bill) and [`evaluator`] (the plain evaluator that
//! says what every view must be). See `ARCHITECTURE.md` for the road between them.

pub mod aggregate;
#[cfg(test)]
mod arbitrary;
pub mod bill;
pub mod books;
pub mod buckets;
mod bytes;
pub mod catalogue;
pub mod codec;
pub mod columns;
pub mod company_names;
pub mod corrections;
mod defaults;
mod draft;
pub mod evaluator;
pub mod fact;
pub mod fact_scope;
pub mod field_set;
pub mod handling;
pub mod ids;
pub mod indicator;
pub mod items;
pub mod key_group;
pub mod names;
pub mod ndjson;
pub mod observe;
pub mod packed;
pub mod pattern;
mod raw_value;
pub mod record_fields;
pub mod reference_data;
pub mod refusal;
pub mod report;
pub mod validate;
pub mod variants;
pub mod view;
