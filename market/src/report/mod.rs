//! The 22 fixed reports (22张固定报表): definitions as data, and one interpreter for all of them.
//!
//! A report is a file of the catalogue (`R01.json` ...): figures, blocks of rows and columns whose cells are expressions over
//! figures, and checks (勾稽关系) between printed cells. What reports share (axes, base measures of reports.md 0.2) is in
//! `report_base.json`.
//!
//! The road: [`definition::Book::read`] compiles all definitions; [`evaluate::questions`] says which figures a report of a
//! period reads; a [`tally::Tally`] counts them over lives (each worker its own, [`tally::Tables`] add up);
//! [`evaluate::evaluate`] makes the [`result::Report`]; [`print`] rounds.
//!
//! Invariants: a report is a pure function of the facts, the catalogue and the market clock (R22: of what was done with alerts
//! and of the alert ledger besides); values are integers and ratios until they are printed; what facts do not say is nothing (`-`), with a note.
//!
//! Why figures are tallied from the history when a report is asked for, and are no cells: nearly every report counts distinct
//! bills and parties, which needs the history anyway; together the reports would be several hundred crosses, and each would
//! cost every fact that it reads, all day, for figures that are read once a period.

pub mod alerts;
mod checks;
mod compile;
pub mod definition;
pub mod evaluate;
pub mod exact;
pub mod expression;
pub mod figure;
pub mod indicators;
pub mod lines;
pub mod names;
pub mod period;
pub mod plain;
pub mod print;
mod reading;
pub mod result;
mod sets;
pub mod slot;
mod source;
pub mod tally;
mod text;

pub use definition::{Book, DefinitionError};
pub use evaluate::{evaluate, questions};
pub use period::{Frequency, Period};
pub use result::{Report, Status};
pub use source::Figures;
pub use tally::{Asked, Tables, Tally};

use std::sync::Arc;

use crate::{catalogue::Catalogue, observe::Meanings};

/// Checks the definitions of a catalogue.
pub fn check(catalogue: &Arc<Catalogue>) -> Result<(), DefinitionError> {
    let meanings = Meanings::new(catalogue.clone()).map_err(|error| DefinitionError {
        file: "enums.csv".to_owned(),
        entry: String::new(),
        fault: error.to_string(),
    })?;
    Book::read(&Arc::new(meanings)).map(drop)
}

#[cfg(test)]
mod tests;
