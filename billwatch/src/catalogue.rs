//! `billwatch catalogue`: what this build knows of the market, from its own tables; no cluster is asked.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use billwatch_market::catalogue::{Catalogue, listing};

use crate::{
    cli::CatalogueArgs,
    failure::{Failure, Outcome},
    output::print_json,
};

/// The built-in tables, or those of a directory.
pub fn load(directory: Option<&Path>) -> Result<Arc<Catalogue>, Failure> {
    match directory {
        None => Ok(Catalogue::embedded()),
        Some(path) => Ok(Catalogue::load(path).with_context(|| path.display().to_string())?),
    }
}

/// Runs the command.
pub fn run(args: CatalogueArgs) -> Outcome {
    let catalogue = load(args.catalogue.as_deref())?;
    let listing =
        serde_json::to_value(listing::of_engine(&catalogue).context("catalogue")?).context("the listing as JSON")?;
    let Some(part) = args.part else { return print_json(&listing) };
    match listing.get(&part) {
        Some(value) => print_json(value),
        None => {
            let parts = listing.as_object().map(|parts| parts.keys().cloned().collect::<Vec<_>>().join(", "));
            Err(Failure::Usage(format!(
                "`{part}` is no part of the catalogue: choose one of {}",
                parts.unwrap_or_default()
            )))
        }
    }
}
