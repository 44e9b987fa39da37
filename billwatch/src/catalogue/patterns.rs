//! The page of a pattern: meaning, parameters, rule as data, and a worked example told by the simulator.

use std::collections::BTreeMap;

use billwatch_market::catalogue::descriptions::PatternRow;

use super::{
    library::Library,
    page::{Body, Page},
    pages::pretty,
};

/// `P084`.
pub fn page(library: &Library, row: &PatternRow) -> Page {
    let mut page = Page::new("pattern", &row.id, &row.english, &row.chinese);
    page.add("Definition", Body::Text(row.definition.to_string()));
    let family = library.catalogue.enums.named("engine_family").and_then(|table| table.item(&row.family));
    let family = family.map_or_else(|| row.family.to_string(), |item| format!("{} {}", row.family, item.chinese));
    let reads: Vec<&str> = row.event_kinds.iter().map(|behaviour| behaviour.code()).collect();
    let mut words = vec![
        ("category", row.category.to_string()),
        ("family", family),
        ("alert about", row.key_entity.to_string()),
        ("level", level(library, &row.severity)),
        ("basis", row.basis.to_string()),
        ("reads", if reads.is_empty() { "every behaviour".to_owned() } else { reads.join(", ") }),
        ("beware of", row.false_positive_notes.to_string()),
    ];
    words.retain(|(_, text)| !text.is_empty());
    page.add("", Body::Entries(words.into_iter().map(|(name, text)| (name.to_owned(), text)).collect()));

    let defaults: BTreeMap<&str, &str> =
        row.default_parameters.split(';').filter_map(|part| part.trim().split_once('=')).collect();
    let rule = library.patterns.find(&row.id);
    let in_force: Vec<(String, String)> = match rule {
        Some(rule) => library.patterns.parameters(rule).map(|(name, value)| (name.to_owned(), value)).collect(),
        None => Vec::new(),
    };
    let rows = in_force.into_iter().map(|(name, value)| {
        let written = defaults.get(name.as_str()).copied().unwrap_or("(added by the rule)").to_owned();
        vec![name, value, written]
    });
    let columns = ["parameter", "value in the rule", "as written"];
    page.add("Parameters", Body::table(&columns, rows));

    let definitions = library.definitions(&row.id);
    let mut features: Vec<&str> = definitions.iter().flat_map(|rule| library.features_of(rule)).collect();
    features.dedup();
    let rows = library.features().filter(|(name, _)| features.contains(&name.as_str()));
    let rows = rows.map(|(name, form)| vec![name.clone(), format!("`{form}`")]);
    page.add("Features", Body::table(&["feature", "as data"], rows));
    for (place, rule) in definitions.into_iter().enumerate() {
        page.add(if place == 0 { "Rule" } else { "" }, Body::Code("json", pretty(rule)));
    }
    page.sections.extend(super::example::of_pattern(library, row));
    page
}

fn level(library: &Library, severity: &str) -> String {
    let table = library.catalogue.enums.named("alert_level");
    let item = table.and_then(|table| table.item(&severity.to_uppercase()));
    item.map_or_else(|| severity.to_owned(), |item| format!("{severity} {}", item.chinese))
}
