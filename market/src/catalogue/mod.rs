//! The catalogue: what the product knows of the market, as typed tables read from data files.
//!
//! Owns the tables of `market/catalogue/`, which are embedded in the build and may be replaced one by one by files of a
//! directory. Invariants: a [`Catalogue`] that exists is whole and consistent (every code that a table refers to is known,
//! nothing is listed twice, the state machine has no way back); it never changes; equal tables have an equal
//! [`Catalogue::fingerprint`], so that processes of one cluster can compare what they run. A fault is a [`CatalogueError`]
//! that names file, row, column, value and remedy. Begin at [`Catalogue::embedded`].

use std::{
    borrow::Cow,
    fs,
    path::Path,
    sync::{Arc, OnceLock},
};

use crate::{
    fact::{BEHAVIOUR_CODES, Behaviour},
    key_group::stable_hash64,
};

pub mod behaviours;
pub mod calendar;
pub mod descriptions;
pub mod enums;
pub mod fields;
pub mod listing;
pub mod payloads;
mod table;
pub mod themes;
pub mod trade;

pub use table::{CatalogueError, Distinct, Row, read_rows};

/// Every file of the catalogue with its embedded text.
const FILES: [(&str, &str); 36 + crate::pattern::RULE_FILES.len()] = [
    (behaviours::FILE, include_str!("../../catalogue/behaviours.csv")),
    (behaviours::TRANSITIONS_FILE, include_str!("../../catalogue/transitions.csv")),
    (calendar::FILE, include_str!("../../catalogue/calendar.csv")),
    (descriptions::INDICATORS_FILE, include_str!("../../catalogue/indicators.csv")),
    (descriptions::PATTERNS_FILE, include_str!("../../catalogue/patterns.csv")),
    (descriptions::REPORTS_FILE, include_str!("../../catalogue/reports.csv")),
    (enums::FILE, include_str!("../../catalogue/enums.csv")),
    (fields::FILE, include_str!("../../catalogue/fields.csv")),
    (payloads::FILE, include_str!("../../catalogue/payloads.csv")),
    (themes::FILE, include_str!("../../catalogue/dimensions.csv")),
    (themes::DERIVED_FILE, include_str!("../../catalogue/derived.csv")),
    (trade::FILE, include_str!("../../catalogue/trade_matrix.csv")),
    // Read by `pattern`; here so that a directory may replace them and the fingerprint covers them.
    crate::pattern::RULE_FILES[0],
    crate::pattern::RULE_FILES[1],
    crate::pattern::RULE_FILES[2],
    crate::pattern::RULE_FILES[3],
    crate::pattern::RULE_FILES[4],
    crate::pattern::RULE_FILES[5],
    crate::pattern::RULE_FILES[6],
    crate::pattern::RULE_FILES[7],
    crate::pattern::RULE_FILES[8],
    crate::pattern::RULE_FILES[9],
    crate::pattern::RULE_FILES[10],
    crate::pattern::RULE_FILES[11],
    crate::pattern::RULE_FILES[12],
    crate::pattern::RULE_FILES[13],
    (crate::indicator::RULES_FILE, crate::indicator::RULES_JSON),
    // Read by `report`.
    (crate::report::definition::BASE_FILE, include_str!("../../catalogue/reports/report_base.json")),
    ("R01.json", include_str!("../../catalogue/reports/R01.json")),
    ("R02.json", include_str!("../../catalogue/reports/R02.json")),
    ("R03.json", include_str!("../../catalogue/reports/R03.json")),
    ("R04.json", include_str!("../../catalogue/reports/R04.json")),
    ("R05.json", include_str!("../../catalogue/reports/R05.json")),
    ("R06.json", include_str!("../../catalogue/reports/R06.json")),
    ("R07.json", include_str!("../../catalogue/reports/R07.json")),
    ("R08.json", include_str!("../../catalogue/reports/R08.json")),
    ("R09.json", include_str!("../../catalogue/reports/R09.json")),
    ("R10.json", include_str!("../../catalogue/reports/R10.json")),
    ("R11.json", include_str!("../../catalogue/reports/R11.json")),
    ("R12.json", include_str!("../../catalogue/reports/R12.json")),
    ("R13.json", include_str!("../../catalogue/reports/R13.json")),
    ("R14.json", include_str!("../../catalogue/reports/R14.json")),
    ("R15.json", include_str!("../../catalogue/reports/R15.json")),
    ("R16.json", include_str!("../../catalogue/reports/R16.json")),
    ("R17.json", include_str!("../../catalogue/reports/R17.json")),
    ("R18.json", include_str!("../../catalogue/reports/R18.json")),
    ("R19.json", include_str!("../../catalogue/reports/R19.json")),
    ("R20.json", include_str!("../../catalogue/reports/R20.json")),
    ("R21.json", include_str!("../../catalogue/reports/R21.json")),
    ("R22.json", include_str!("../../catalogue/reports/R22.json")),
];

/// All tables.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// Behaviours, by the number of [`Behaviour`].
    pub behaviours: Vec<behaviours::BehaviourRow>,
    /// The state machine, in the order of the table.
    pub transitions: Vec<behaviours::Transition>,
    /// Business days.
    pub calendar: calendar::Calendar,
    /// Indicators.
    pub indicators: Vec<descriptions::IndicatorRow>,
    /// Patterns as described to people.
    pub patterns: Vec<descriptions::PatternRow>,
    /// Reports.
    pub reports: Vec<descriptions::ReportRow>,
    /// Code tables.
    pub enums: enums::Enums,
    /// Fields and their bounds.
    pub fields: fields::Fields,
    /// Which behaviour carries which field.
    pub payloads: payloads::Payloads,
    /// Themes and dimensions.
    pub themes: Vec<themes::Theme>,
    /// Derived names in words.
    pub derived: Vec<themes::DerivedName>,
    /// Which sector buys from which.
    pub trade: trade::TradeMatrix,
    behaviour_by_code: hashbrown::HashMap<&'static str, Behaviour>,
    texts: Vec<Cow<'static, str>>,
    fingerprint: u64,
}

impl Catalogue {
    /// The tables of the build.
    pub fn embedded() -> Arc<Catalogue> {
        static EMBEDDED: OnceLock<Arc<Catalogue>> = OnceLock::new();
        let read = || Arc::new(Self::read(Vec::new()).expect("the embedded tables are tested"));
        EMBEDDED.get_or_init(read).clone()
    }

    /// The tables of the build, replaced by the files of the same name in `dir`. A `.csv` or
    /// `.json` file of another name is an error: it would be read by nobody.
    pub fn load(dir: &Path) -> Result<Arc<Catalogue>, CatalogueError> {
        let unreadable = |file: &Path, error: std::io::Error| CatalogueError {
            file: file.display().to_string(),
            row: 0,
            column: String::new(),
            value: error.to_string(),
            remedy: "make it a readable UTF-8 file or directory".to_owned(),
        };
        let mut replaced = Vec::new();
        // Reports may lie in a folder of their own, as in the source tree.
        let reports = dir.join("reports");
        let mut entries: Vec<_> = fs::read_dir(dir).map_err(|error| unreadable(dir, error))?.collect();
        if reports.is_dir() {
            entries.extend(fs::read_dir(&reports).map_err(|error| unreadable(&reports, error))?);
        }
        for entry in entries {
            let path = entry.map_err(|error| unreadable(dir, error))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            match FILES.iter().find(|(known, _)| *known == name) {
                Some((known, _)) => {
                    replaced.push((*known, fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?));
                }
                None if name.ends_with(".csv") || name.ends_with(".json") => {
                    return Err(CatalogueError {
                        file: name.to_owned(),
                        row: 0,
                        column: String::new(),
                        value: String::new(),
                        remedy: format!("no table has this name: rename the file to one of {}", file_names()),
                    });
                }
                None => {}
            }
        }
        let catalogue = Self::read(replaced).map(Arc::new)?;
        crate::report::check(&catalogue).map_err(|error| CatalogueError {
            file: error.file,
            row: 0,
            column: error.entry,
            value: String::new(),
            remedy: error.fault,
        })?;
        Ok(catalogue)
    }

    fn read(mut replaced: Vec<(&str, String)>) -> Result<Catalogue, CatalogueError> {
        let mut text =
            |(file, embedded): (&str, &'static str)| match replaced.iter().position(|(name, _)| *name == file) {
                Some(at) => Cow::Owned(replaced.swap_remove(at).1),
                None => Cow::Borrowed(embedded),
            };
        let texts: Vec<Cow<'static, str>> = FILES.into_iter().map(&mut text).collect();
        let of = |file: &str| &*texts[FILES.iter().position(|(name, _)| *name == file).expect("a file of FILES")];

        let enums = enums::Enums::read(of(enums::FILE))?;
        let fields = fields::Fields::read(of(fields::FILE), &enums)?;
        let behaviours = behaviours::read(of(behaviours::FILE), &enums, &fields)?;
        let derived = themes::read_derived(of(themes::DERIVED_FILE))?;
        let patterns = descriptions::read_patterns(of(descriptions::PATTERNS_FILE), &enums)?;
        let rules = crate::pattern::RULE_FILES.map(|(file, _)| (file, of(file)));
        crate::pattern::check_rules(of(descriptions::PATTERNS_FILE), &rules).map_err(|error| CatalogueError {
            file: error.file().unwrap_or("features.json and rules_*.json").to_owned(),
            row: 0,
            column: String::new(),
            value: String::new(),
            remedy: error.to_string(),
        })?;
        let indicators = descriptions::read_indicators(of(descriptions::INDICATORS_FILE))?;
        crate::indicator::Indicators::check(
            &indicators,
            of(crate::indicator::RULES_FILE),
            of(descriptions::PATTERNS_FILE),
            &rules,
        )
        .map_err(|remedy| CatalogueError {
            file: crate::indicator::RULES_FILE.to_owned(),
            row: 0,
            column: String::new(),
            value: String::new(),
            remedy,
        })?;
        Ok(Catalogue {
            transitions: behaviours::read_transitions(of(behaviours::TRANSITIONS_FILE), &enums, &behaviours)?,
            calendar: calendar::Calendar::read(of(calendar::FILE))?,
            indicators,
            patterns,
            reports: descriptions::read_reports(of(descriptions::REPORTS_FILE), &enums)?,
            payloads: payloads::Payloads::read(of(payloads::FILE), &fields)?,
            themes: themes::read(of(themes::FILE), &enums, &fields, &derived)?,
            trade: trade::TradeMatrix::read(of(trade::FILE), &enums)?,
            behaviour_by_code: (0..).map(Behaviour).zip(BEHAVIOUR_CODES).map(|(number, code)| (code, number)).collect(),
            fingerprint: fingerprint(&texts),
            behaviours,
            derived,
            enums,
            fields,
            texts,
        })
    }

    /// Hash of all tables, names and texts: stable over builds and machines.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The text of a file of the catalogue, embedded or replaced; `None` when no file has this name.
    pub fn text(&self, file: &str) -> Option<&str> {
        Some(&self.texts[FILES.iter().position(|(name, _)| *name == file)?])
    }

    /// Every file with its text, embedded or replaced.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &str)> {
        FILES.iter().zip(&self.texts).map(|((name, _), text)| (*name, &**text))
    }

    /// The behaviour of a code.
    pub fn behaviour(&self, code: &str) -> Option<Behaviour> {
        self.behaviour_by_code.get(code).copied()
    }

    /// The row of a behaviour.
    pub fn behaviour_row(&self, behaviour: Behaviour) -> &behaviours::BehaviourRow {
        &self.behaviours[usize::from(behaviour.0)]
    }

    /// The theme of an id.
    pub fn theme(&self, id: &str) -> Option<&themes::Theme> {
        self.themes.iter().find(|theme| &*theme.id == id)
    }

    /// What `patterns.csv` says about a pattern.
    pub fn pattern(&self, id: &str) -> Option<&descriptions::PatternRow> {
        self.patterns.iter().find(|pattern| &*pattern.id == id)
    }
}

fn file_names() -> String {
    FILES.map(|(name, _)| name).join(", ")
}

fn fingerprint(texts: &[Cow<'static, str>]) -> u64 {
    let mut all = Vec::new();
    for ((name, _), text) in FILES.iter().zip(texts) {
        // Lengths keep the end of one text apart from the start of the next.
        all.extend_from_slice(name.as_bytes());
        all.extend_from_slice(&(text.len() as u64).to_le_bytes());
        all.extend_from_slice(text.as_bytes());
    }
    stable_hash64(&all)
}

#[cfg(test)]
mod tests;
