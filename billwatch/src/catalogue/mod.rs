//! `billwatch catalogue`: what this build knows of the market, from its own tables; no cluster is asked.
//!
//! Owns the listing, the page of each thing (`show`) and the same pages as files (`write`). Begin with [`library`] for where
//! pages take their words from, [`pages`] for what stands on them.

mod example;
mod files;
mod indicators;
mod library;
mod market;
mod page;
mod pages;
mod patterns;
mod reports;

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use billwatch_market::catalogue::{Catalogue, listing};
use serde_json::Value;

use self::library::Library;
use crate::{
    cli::{CatalogueAction, CatalogueArgs, CatalogueFormat},
    failure::{Failure, Outcome},
    output::{print_json, print_line},
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
    match args.action {
        Some(CatalogueAction::Show { codes }) => return show(&Library::new(catalogue)?, &codes, args.format),
        Some(CatalogueAction::Write { directory }) => {
            let files = files::write(&Library::new(catalogue)?, &directory)?;
            return print_line(&format!("{files} pages in {}", directory.display()));
        }
        None => {}
    }
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

fn show(library: &Library, codes: &[String], format: Option<CatalogueFormat>) -> Outcome {
    let mut shown = Vec::new();
    for code in codes {
        let pages = pages::of_code(library, code);
        if pages.is_empty() {
            return Err(Failure::Usage(format!(
                "the catalogue has no `{code}`: write the code of a behaviour (END.SGN), theme (T04), dimension (D.bill_kind), \
                 enumeration (province), feature (drawn), pattern (P084), indicator (LQ1) or report (R01); `billwatch \
                 catalogue` lists them"
            )));
        }
        shown.extend(pages);
    }
    match format {
        Some(CatalogueFormat::Json) => print_json(&Value::Array(shown.iter().map(page::Page::json).collect())),
        _ => shown.iter().try_for_each(|page| print_line(&page.markdown())),
    }
}
