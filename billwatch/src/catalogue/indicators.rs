//! The page of an indicator: its row, its rule as data, and a value of the small market with what it is made of.

use billwatch_market::{
    catalogue::descriptions::IndicatorRow,
    indicator::{IndicatorIndex, IndicatorValue, Subject},
    pattern::{Key, Level, Number},
};

use super::{
    library::Library,
    market::{self, FACTS, Market},
    page::{Body, Page, Sections},
    pages::{as_data, entries},
};
use crate::query::decimal;

/// Facts shown behind a value.
const LINES_SHOWN: usize = 12;
/// Keys shown of a group.
const KEYS_SHOWN: usize = 6;

/// `LQ1`.
pub fn page(library: &Library, row: &IndicatorRow) -> Page {
    let mut page = Page::new("indicator", &row.id, &row.english, &row.chinese);
    page.add("", entries(&library.row("indicators.csv", &row.id), &["id", "english_name", "chinese_name"]));
    as_data(library, &row.id, &mut page);
    page.sections.extend(example(library, &row.id));
    page
}

/// The most telling value of the small market, its figures, and the facts behind it.
fn example(library: &Library, id: &str) -> Sections {
    let Some((market, indicator)) =
        market::of(library).and_then(|market| Some((market, market.indicators().find(id)?)))
    else {
        return Vec::new();
    };
    let (part, values) = market.values(library, indicator);
    let is_of_key = |value: &&IndicatorValue| matches!(value.subject, Subject::Key(_));
    let of_keys: Vec<&IndicatorValue> = values.iter().filter(is_of_key).collect();
    let candidates = if of_keys.is_empty() { values.iter().collect() } else { of_keys };
    // The highest, of equals the one that is made of most, then the first: the page does not change without reason.
    let made_of = |value: &IndicatorValue| value.figures.iter().flatten().filter(|figure| figure.is_true()).count();
    let rank = |value: &&IndicatorValue| (value.level, value.value(), made_of(value));
    let Some(shown) = candidates.into_iter().rev().max_by_key(rank) else {
        let words =
            format!("A simulated market of about {FACTS} facts, all of them of honest trade, has no value of it.");
        return vec![("Example".into(), Body::Text(words))];
    };
    let subject = market.indicators().subject_text(indicator, shown.subject);
    let words = format!(
        "The highest value in a simulated market of about {FACTS} facts: {id} of {subject} on {} is {}, {}.",
        shown.day,
        text(shown.value()),
        shown.level.map_or("below every level", Level::name)
    );
    let mut sections: Sections = vec![("Example".into(), Body::Text(words))];
    let figures = market.indicators().figures(indicator).iter().zip(&shown.figures);
    let rows = figures.map(|(name, figure)| {
        vec![name.name.to_string(), name.english.to_string(), name.chinese.to_string(), text(*figure)]
    });
    sections.push(("".into(), Body::table(&["figure", "name", "名称", "value"], rows)));
    let key = match shown.subject {
        Subject::Key(key) => Some(key),
        Subject::Group(..) => {
            let members = market.members(&part, &subject, shown.day);
            sections.extend(members_of(market, indicator, &members));
            members.iter().max_by_key(|member| member.figures.first().copied().flatten()).and_then(
                |member| match member.subject {
                    Subject::Key(key) => Some(key),
                    Subject::Group(..) => None,
                },
            )
        }
    };
    sections.extend(key.map(|key| facts_behind(library, market, indicator, (key, shown))).into_iter().flatten());
    sections
}

/// The keys whose parts add up to a group.
fn members_of(market: &Market, indicator: IndicatorIndex, members: &[IndicatorValue]) -> Sections {
    let figures = market.indicators().figures(indicator);
    let known: Vec<usize> =
        (0..figures.len()).filter(|place| members.iter().any(|member| member.figures[*place].is_some())).collect();
    let columns: Vec<&str> = std::iter::once("key").chain(known.iter().map(|place| &*figures[*place].name)).collect();
    let rows = members.iter().take(KEYS_SHOWN).map(|member| {
        let key = market.indicators().subject_text(indicator, member.subject);
        std::iter::once(key).chain(known.iter().map(|place| text(member.figures[*place]))).collect()
    });
    let words = format!("{} of the {} keys of the group:", members.len().min(KEYS_SHOWN), members.len());
    vec![("Members of the example".into(), Body::Text(words)), ("".into(), Body::table(&columns, rows))]
}

/// Windows of a key and the facts and lots that add up to them.
fn facts_behind(
    library: &Library,
    market: &Market,
    indicator: IndicatorIndex,
    (key, shown): (Key, &IndicatorValue),
) -> Sections {
    let answer = market.explain(library, indicator, (key, shown.day));
    let mut sections: Sections = Vec::new();
    let windows = answer.windows.iter();
    let rows = windows.map(|window| {
        vec![window.window.clone(), window.feature.clone(), window.count.to_string(), window.sum.to_string()]
    });
    sections.push(("Windows of the example".into(), Body::table(&["window", "feature", "facts", "sum"], rows)));
    let words = format!(
        "What adds up to the windows of {}: {} of {} facts and lots. Parties and bills are simulated.",
        key.text(),
        answer.lines.len().min(LINES_SHOWN),
        answer.lines.len()
    );
    sections.push(("Facts of the example".into(), Body::Text(words)));
    let rows = answer.lines.iter().take(LINES_SHOWN).map(|line| {
        let bill = line.bill.map_or_else(String::new, |bill| bill.to_string());
        vec![line.window.clone(), line.day.to_string(), line.behaviour.clone(), bill, line.sum.to_string()]
    });
    sections.push(("".into(), Body::table(&["window", "business date", "behaviour", "bill", "adds"], rows)));
    sections
}

fn text(number: Option<Number>) -> String {
    match number.map(Number::lowest_parts) {
        None => "-".to_owned(),
        Some((whole, 1)) => whole.to_string(),
        Some((over, under)) => decimal(&over.to_string(), &under.to_string()),
    }
}
