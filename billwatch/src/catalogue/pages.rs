//! The page of each kind of thing: behaviours, themes, dimensions, enumerations, features. Patterns, indicators and reports have
//! files of their own.

use billwatch_market::{
    catalogue::{behaviours::BehaviourRow, enums::Enumeration, themes::Theme},
    fact::Behaviour,
};
use serde_json::Value;

use super::{
    library::{Cells, Library},
    page::{Body, Page},
};

/// Every page of this code; none when the catalogue does not know it.
pub fn of_code(library: &Library, code: &str) -> Vec<Page> {
    let catalogue = &library.catalogue;
    let mut pages = Vec::new();
    pages.extend(catalogue.pattern(code).map(|row| super::patterns::page(library, row)));
    pages.extend(catalogue.behaviour(code).map(|behaviour| behaviour_page(library, behaviour)));
    pages.extend(catalogue.theme(code).map(|theme| theme_page(library, theme)));
    pages.extend(dimension(library, code));
    pages.extend(catalogue.enums.named(code).map(|table| enumeration(library, table)));
    pages.extend(library.features().find(|(name, _)| *name == code).map(|(name, form)| feature(library, name, form)));
    pages.extend(
        catalogue.indicators.iter().find(|row| &*row.id == code).map(|row| super::indicators::page(library, row)),
    );
    pages.extend(catalogue.reports.iter().find(|row| &*row.id == code).map(|row| super::reports::page(library, row)));
    pages
}

/// The columns of a row, without some.
pub fn entries(cells: &Cells, without: &[&str]) -> Body {
    let shown = cells.iter().filter(|(column, _)| !without.contains(&column.as_str()));
    Body::Entries(shown.map(|(column, cell)| (column.replace('_', " "), cell.clone())).collect())
}

/// JSON with an entry a line and inner values in one line each, as a person would write it.
pub fn pretty(value: &Value) -> String {
    let Value::Object(map) = value else { return value.to_string() };
    let lines: Vec<String> = map
        .iter()
        .map(|(name, inner)| match inner {
            Value::Array(items) if items.iter().any(Value::is_object) => {
                let items: Vec<String> = items.iter().map(|item| format!("    {item}")).collect();
                format!("  \"{name}\": [\n{}\n  ]", items.join(",\n"))
            }
            other => format!("  \"{name}\": {other}"),
        })
        .collect();
    format!("{{\n{}\n}}", lines.join(",\n"))
}

/// What JSON files say of a code, as it stands.
pub fn as_data(library: &Library, code: &str, page: &mut Page) {
    for (place, definition) in library.definitions(code).into_iter().enumerate() {
        page.add(if place == 0 { "As data" } else { "" }, Body::Code("json", pretty(definition)));
    }
}

/// `ISS.REG`: row, state machine, payload, an example.
pub fn behaviour_page(library: &Library, behaviour: Behaviour) -> Page {
    let catalogue = &library.catalogue;
    let row: &BehaviourRow = catalogue.behaviour_row(behaviour);
    let mut page = Page::new("behaviour", row.code, &row.english, &row.chinese);
    let cells = library.row("behaviours.csv", row.code);
    page.add("", entries(&cells, &["code", "english_name", "chinese_name", "legal_prior_states", "resulting_state"]));
    if !row.has_state {
        page.add("", Body::Text("Informational: it is legal in every state and changes none.".into()));
    }
    page.add(
        "States",
        Body::Entries(vec![
            ("legal prior states".into(), named_states(library, &row.legal_prior_states)),
            ("resulting state".into(), named_states(library, &row.resulting_state)),
        ]),
    );
    let text = catalogue.text("transitions.csv").unwrap_or_default();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let steps = reader.records().filter_map(Result::ok).filter(|record| &record[0] == row.code);
    let columns = ["status before", "flag before", "status after", "flag after", "condition"];
    let rows = steps.map(|record| record.iter().skip(1).map(str::to_owned).collect());
    page.add("Transitions", Body::table(&columns, rows));
    let mut reader = csv::Reader::from_reader(catalogue.text("payloads.csv").unwrap_or_default().as_bytes());
    let fields = reader.records().filter_map(Result::ok).filter(|record| &record[0] == row.code);
    let rows = fields.map(|record| {
        let meaning = library.row("fields.csv", &record[1]);
        let cell = |name: &str| meaning.iter().find(|(column, _)| column == name).map_or("", |(_, cell)| cell);
        let words = format!("{} {}", cell("meaning_en"), cell("meaning_zh"));
        vec![record[1].to_owned(), record[2].to_owned(), cell("type").to_owned(), words, record[3].to_owned()]
    });
    let columns = ["field", "required", "type", "meaning", "note"];
    page.add("Fields, beside those of every fact", Body::table(&columns, rows));
    let readers = catalogue.patterns.iter().filter(|pattern| pattern.event_kinds.contains(&behaviour));
    let readers: Vec<String> = readers.map(|pattern| format!("{} {}", pattern.id, pattern.english)).collect();
    page.add("Patterns that name it", Body::Text(readers.join("; ")));
    page.sections.extend(super::example::of_behaviour(library, behaviour));
    page
}

/// `CS01/TF0101|CS02/TF0101` with the names of the codes.
fn named_states(library: &Library, states: &str) -> String {
    let enums = &library.catalogue.enums;
    let name = |code: &str| {
        let tables = ["bill_status", "circulation_flag", "risk_status"];
        let item = tables.iter().find_map(|table| enums.named(table)?.item(code));
        item.map_or_else(|| code.to_owned(), |item| format!("{code} {} {}", item.english, item.chinese))
    };
    let state = |pair: &str| pair.split('/').map(name).collect::<Vec<_>>().join(" / ");
    states.split('|').map(state).collect::<Vec<_>>().join("; or ")
}

fn theme_page(library: &Library, theme: &Theme) -> Page {
    let mut page = Page::new("theme", &theme.id, &theme.english, &theme.chinese);
    let derived = |name: &str| library.derived.get(name).cloned().unwrap_or_default();
    page.add("Facts", Body::Text(derived(&format!("theme.{}", theme.id))));
    let rows = theme.measures.iter().map(|name| vec![name.to_string(), derived(&format!("measure.{name}"))]);
    page.add("Measures", Body::table(&["measure", "definition"], rows));
    let rows = theme.dimensions.iter().map(|dimension| {
        let items = dimension.enumeration.map(|id| library.catalogue.enums.get(id).name.to_string());
        vec![
            dimension.id.to_string(),
            dimension.english.to_string(),
            dimension.chinese.to_string(),
            format!("`{}`", dimension.source),
            items.unwrap_or_default(),
            dimension.cardinality.to_string(),
            definition_of_name(library, &dimension.source),
        ]
    });
    let columns = ["dimension", "name", "名称", "source", "enumeration", "items", "definition"];
    page.add("Dimensions", Body::table(&columns, rows));
    let example = theme.dimensions.first().zip(theme.measures.first()).map(|(dimension, measure)| {
        let (theme, dimension) = (&theme.id, &dimension.id);
        format!("billwatch query aggregates --theme {theme} --dimension {dimension} --grain month --measures {measure}")
    });
    page.add("Ask for it", Body::Code("sh", example.unwrap_or_default()));
    page.sections.extend(super::example::of_theme(library, theme));
    page
}

/// What `derived.csv` says of a name; fields of facts say it in `fields.csv`.
fn definition_of_name(library: &Library, name: &str) -> String {
    if let Some(words) = library.derived.get(name) {
        return words.clone();
    }
    let field = name.rsplit('.').next().unwrap_or(name);
    let row = library.row("fields.csv", field);
    row.iter().find(|(column, _)| column == "meaning_en").map(|(_, words)| words.clone()).unwrap_or_default()
}

/// `D.bill_kind`: what it means, the themes that have it, its items, cells of a small market.
pub fn dimension(library: &Library, id: &str) -> Option<Page> {
    let having = |theme: &Theme| theme.dimensions.iter().find(|dimension| &*dimension.id == id).cloned();
    let themes = &library.catalogue.themes;
    let known = themes.iter().find_map(having)?;
    let mut page = Page::new("dimension", id, &known.english, &known.chinese);
    let mut words = vec![
        ("source".to_owned(), format!("`{}`", known.source)),
        ("definition".to_owned(), definition_of_name(library, &known.source)),
        ("items".to_owned(), known.cardinality.to_string()),
    ];
    let role = known.source.split('.').next().map(|role| format!("role.{role}")).unwrap_or_default();
    words.extend(library.derived.get(&role).map(|who| ("party".to_owned(), who.clone())));
    page.add("", Body::Entries(words));
    let rows = themes.iter().filter(|theme| having(theme).is_some()).map(|theme| {
        vec![theme.id.to_string(), theme.english.to_string(), theme.chinese.to_string(), theme.measures.join(", ")]
    });
    page.add("Themes", Body::table(&["theme", "name", "名称", "measures"], rows));
    if let Some(number) = known.enumeration {
        page.add("Items", items(library.catalogue.enums.get(number)));
    }
    page.sections.extend(super::example::of_dimension(library, id));
    Some(page)
}

fn items(table: &Enumeration) -> Body {
    let rows =
        table.items.iter().map(|item| vec![item.code.to_string(), item.english.to_string(), item.chinese.to_string()]);
    Body::table(&["code", "name", "名称"], rows)
}

/// All items of an enumeration, and who uses it.
pub fn enumeration(library: &Library, table: &Enumeration) -> Page {
    let mut page = Page::new("enumeration", &table.name, &format!("({} items)", table.items.len()), "");
    let mut users = Vec::new();
    for theme in &library.catalogue.themes {
        for dimension in &theme.dimensions {
            let used = dimension.enumeration.is_some_and(|id| library.catalogue.enums.get(id).name == table.name);
            if used && !users.contains(&&dimension.id) {
                users.push(&dimension.id);
            }
        }
    }
    let users: Vec<&str> = users.into_iter().map(|id| &**id).collect();
    page.add("", Body::Entries(if users.is_empty() { vec![] } else { vec![("dimensions".into(), users.join(", "))] }));
    page.add("Items", items(table));
    page
}

/// A feature as data, and the rules that read it.
pub fn feature(library: &Library, name: &str, form: &Value) -> Page {
    let mut page = Page::new("feature", name, "", "");
    page.add("", Body::Text(form.get("note").and_then(Value::as_str).unwrap_or_default().to_owned()));
    page.add("As data", Body::Code("json", pretty(form)));
    let rows =
        library.catalogue.patterns.iter().filter(|row| {
            library.definitions(&row.id).into_iter().any(|rule| library.features_of(rule).contains(&name))
        });
    let rows = rows.map(|row| vec![row.id.to_string(), row.english.to_string(), row.chinese.to_string()]);
    page.add("Patterns that read it", Body::table(&["pattern", "name", "名称"], rows));
    page
}
