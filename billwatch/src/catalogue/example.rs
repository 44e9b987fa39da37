//! Worked examples: facts, and what the plain evaluators make of them.
//!
//! A pattern's example is the simulator's first labelled case, told alone and judged under the parameters of the catalogue.
//! Themes and dimensions are shown on the small market of [`super::market`].

use std::{collections::BTreeSet, sync::OnceLock};

use billwatch_bench::simulator::{Settings, alone::told_alone};
use billwatch_market::{
    aggregate::{Answer, Value},
    bill::Laws,
    books,
    catalogue::{descriptions::PatternRow, themes::Theme},
    fact::{Behaviour, Fact, Record},
    ids::Day,
    ndjson::print_record,
    observe::Meanings,
    pattern::{
        PlainWindows,
        plain::{self, Setting},
    },
};
use serde_json::{Map, Value as Json};

use super::{
    library::{Library, each_text, identifiers},
    market::{self, FACTS, facts_of},
    page::{Body, Sections},
};

/// Facts shown of a case: the first ones and the last ones.
const SHOWN: (usize, usize) = (6, 18);
/// Items shown of a theme, or of a dimension.
const ITEMS_SHOWN: usize = 5;
/// Fields that every row shows when the fact has them.
const ALWAYS: [&str; 7] =
    ["initiator_id", "counterparty_id", "uscc", "amount_fen", "answer_code", "settlement_result", "ref_event_id"];
/// Fields with a column of their own, and those of the envelope that say nothing here.
const APART: [&str; 10] = [
    "control",
    "event_id",
    "behaviour",
    "event_time",
    "biz_date",
    "source",
    "source_seq",
    "bill_id",
    "sub_start",
    "sub_end",
];

/// The labelled case of a pattern with its alert. Nothing when the simulator does not know one.
pub fn of_pattern(library: &Library, row: &PatternRow) -> Sections {
    let Some(rule) = library.patterns.find(&row.id) else { return Vec::new() };
    let Some(told) = told_alone(&row.id, true) else { return Vec::new() };
    let (Ok(meanings), Ok(laws)) = (Meanings::new(library.catalogue.clone()), Laws::new(&library.catalogue)) else {
        return Vec::new();
    };
    let setting = Setting { meanings: &meanings, laws: &laws, patterns: &library.patterns };
    let found = plain::evaluate(&told.facts, setting, told.clock, &PlainWindows::default());
    let mut words = Vec::new();
    let mut last = told.labels.first().map_or(Day(i32::MIN), |label| label.biz_date);
    for (pattern, key, date, hits) in found.alerts.iter().filter(|(pattern, ..)| *pattern == rule) {
        let level = hits.level().map_or("", |level| level.name());
        words.push((library.patterns.id(pattern).to_owned(), format!("{level}, about {key}, dated {date}")));
        last = last.max(date);
    }
    let mut sections: Sections = Vec::new();
    let note = told.labels.first().map_or("", |label| label.note);
    let (own, after): (Vec<&Fact>, Vec<&Fact>) = told
        .facts
        .iter()
        .filter(|fact| told.own.contains(&fact.event_id))
        .partition(|fact| fact.event_time < last.end_ms());
    let text = format!(
        "A case as the simulator plants it ({note}), told alone; {} facts after the alert's date are not shown. Event ids and \
         parties are simulated.",
        after.len()
    );
    sections.push(("Example".into(), Body::Text(text)));

    let mut wanted: BTreeSet<String> = ALWAYS.iter().map(|name| (*name).to_owned()).collect();
    wanted.extend(identifiers(&row.definition).map(str::to_owned));
    for definition in library.definitions(&row.id) {
        each_text(definition, &mut |text| wanted.extend(identifiers(text).map(str::to_owned)));
    }
    let hidden = own.len().saturating_sub(SHOWN.0 + SHOWN.1);
    let mut rows = Vec::new();
    for (place, fact) in own.iter().enumerate() {
        if hidden > 0 && place == SHOWN.0 {
            rows.push(vec!["…".into(), format!("{hidden} more facts"), String::new(), String::new()]);
        }
        if hidden == 0 || place < SHOWN.0 || place >= SHOWN.0 + hidden {
            rows.push(fact_row(library, fact, &wanted));
        }
    }
    sections.push(("".into(), Body::table(&["time", "behaviour", "bill", "fields"], rows)));
    if words.is_empty() {
        // Told alone: a rule that compares with the market, or with months before, needs them around it.
        words.push((row.id.to_string(), "no alert without the market around it".to_owned()));
    }
    sections.push(("Alerts of the example".into(), Body::Entries(words)));
    sections
}

fn fact_row(library: &Library, fact: &Fact, wanted: &BTreeSet<String>) -> Vec<String> {
    let is_of_book = books::is_of_book(fact);
    // A record of a book has the name of its kind, and no other; all that it says is shown.
    let what = if is_of_book {
        fact.behaviour.code().to_owned()
    } else {
        let row = library.catalogue.behaviour_row(fact.behaviour);
        format!("{} {} {}", row.code, row.english, row.chinese)
    };
    let line = print_record(&Record::Fact(fact.clone()));
    let fields: Map<String, Json> = serde_json::from_str(&line).unwrap_or_default();
    let is_shown = |name: &String| (is_of_book || wanted.contains(name)) && !APART.contains(&name.as_str());
    let shown = fields.iter().filter(|(name, _)| is_shown(name));
    let shown: Vec<String> = shown.map(|(name, value)| format!("{name}={}", plain_text(value))).collect();
    let bill = fact.bill_id.map_or_else(String::new, |bill| match (fields.get("sub_start"), fields.get("sub_end")) {
        (Some(start), Some(end)) => format!("{bill} {}-{}", plain_text(start), plain_text(end)),
        _ => bill.to_string(),
    });
    vec![time(fact.event_time), what, bill, shown.join(", ")]
}

fn plain_text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Local time of the market, UTC+8.
fn time(event_time: i64) -> String {
    let day = Day::of_time(event_time);
    let seconds = (event_time - day.start_ms()) / 1_000;
    format!("{day} {:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// What a theme says of a small market, for its first dimension that is not a date.
pub fn of_theme(library: &Library, theme: &Theme) -> Sections {
    let is_time = |source: &str| source.starts_with("event.biz_date");
    let dimension = theme.dimensions.iter().find(|dimension| !is_time(&dimension.source));
    dimension.map_or_else(Vec::new, |dimension| cells(library, theme, &dimension.id, &dimension.english))
}

/// What the first theme says that has something to say by a dimension: more than that the item is not known.
pub fn of_dimension(library: &Library, id: &str) -> Sections {
    let Some(market) = market::of(library) else { return Vec::new() };
    let says_nothing = |answer: &Answer| matches!(answer.item.as_str(), "" | "UNKNOWN" | "NA");
    let having = |theme: &&Theme| theme.dimensions.iter().any(|dimension| &*dimension.id == id);
    let mut themes = library.catalogue.themes.iter().filter(having);
    let theme = themes.find(|theme| !market.ask(library, &theme.id, id).iter().all(says_nothing));
    let Some((theme, dimension)) =
        theme.and_then(|theme| Some((theme, theme.dimensions.iter().find(|dimension| &*dimension.id == id)?)))
    else {
        // Some items come with misbehaviour alone, which the small market has none of.
        let words =
            format!("A simulated market of about {FACTS} facts, all of them of honest trade, has no item of it.");
        return vec![("Example".into(), Body::Text(words))];
    };
    cells(library, theme, id, &dimension.english)
}

fn cells(library: &Library, theme: &Theme, dimension: &str, english: &str) -> Sections {
    let Some(market) = market::of(library) else { return Vec::new() };
    let mut answers = market.ask(library, &theme.id, dimension);
    let all = answers.len();
    answers.truncate(ITEMS_SHOWN);
    let Some(first) = answers.first() else { return Vec::new() };
    let columns: Vec<&str> = std::iter::once("item").chain(first.values.iter().map(|(name, _)| &**name)).collect();
    let rows: Vec<Vec<String>> = answers.iter().map(answer_row).collect();
    let words = format!(
        "{} ({} {}) by {dimension} ({english}) in a simulated market of about {FACTS} facts, {} of {all} items. A ratio is written \
         as numerator / denominator.",
        theme.id,
        theme.english,
        theme.chinese,
        rows.len()
    );
    vec![("Example".into(), Body::Text(words)), ("".into(), Body::table(&columns, rows))]
}

fn answer_row(answer: &Answer) -> Vec<String> {
    let figure = |value: &Value| match value {
        Value::Number(number) => number.to_string(),
        Value::Ratio(over, under) => format!("{over} / {under}"),
        Value::Null => String::new(),
    };
    std::iter::once(answer.item.clone()).chain(answer.values.iter().map(|(_, value)| figure(value))).collect()
}

/// A fact of a behaviour as it may be sent. Nothing when no simulated market has one.
pub fn of_behaviour(library: &Library, behaviour: Behaviour) -> Sections {
    static CASES: OnceLock<Vec<Fact>> = OnceLock::new();
    let Some(market) = market::of(library) else { return Vec::new() };
    let is_one = |fact: &&Fact| fact.behaviour == behaviour;
    let found = market.facts.iter().find(is_one).or_else(|| {
        let settings = Settings { misbehaviour: true, ..Settings::new(FACTS, 1) };
        CASES.get_or_init(|| facts_of(settings)).iter().find(is_one)
    });
    let line = found.map(|fact| print_record(&Record::Fact(fact.clone())));
    line.map(|line| ("Example".into(), Body::Code("json", line))).into_iter().collect()
}
