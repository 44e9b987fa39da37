//! The evidence of one alert: the facts and baseline values that alone give it again.

use billwatch_proto::v1::ExplainAlertResponse;
use serde_json::{Value, json};

use super::{LEVELS, STATUSES, chinese, listing, state_name};
use crate::{
    cli::Format,
    failure::Outcome,
    output::{Listing, market_time, print_json, print_line},
    query::{as_of_json, as_of_text, fact_json},
};

/// Facts of the evidence in a table.
const EVIDENCE_ROWS: usize = 30;
/// Characters of a fact's other fields in the table of evidence.
const DETAIL_CHARS: usize = 100;

/// Prints the evidence.
pub fn print_explanation(answer: &ExplainAlertResponse, format: Format) -> Outcome {
    let facts: Vec<_> = answer.facts.iter().map(|row| fact_json(&row.json)).collect();
    let baseline = baseline_listing(answer);
    if format == Format::Json {
        return print_json(&json!({
            "as_of": as_of_json(answer.as_of),
            "alert": listing(&answer.alert).json()[0],
            "definition": answer.definition,
            "parameters": answer.parameters,
            "facts": facts,
            "baseline": baseline.json(),
            "judged_keys": answer.judged_keys,
        }));
    }
    if format == Format::Csv {
        return whole(answer, &facts).stamped(answer.as_of).print(Format::Csv);
    }
    if let Some(alert) = &answer.alert {
        print_line(&format!(
            "{} {} ({}), {} on {}: {}, {}",
            alert.pattern,
            alert.name_en,
            alert.name_zh,
            alert.key,
            alert.biz_date,
            with_chinese(LEVELS, &alert.level),
            state_name(alert)
        ))?;
        print_line(&format!(
            "family: {}\nbasis (依据): {}\nwork (处置): {}",
            alert.family,
            alert.basis,
            with_chinese(STATUSES, &alert.status)
        ))?;
    }
    print_line(&format!("rule: {}\nparameters: {}", answer.definition, answer.parameters))?;
    // People look at what was done first; the register is there to be read again by an engine.
    let is_register = |fact: &&Value| {
        fact["bill_id"].is_null()
            && fact["behaviour"].as_str().is_some_and(|code| code.starts_with("MST.") || code.starts_with("REF."))
    };
    let register = facts.iter().filter(is_register).count();
    let (deeds, shown) = (facts.len() - register, EVIDENCE_ROWS.min(facts.len() - register));
    print_line(&format!("evidence (证据): {deeds} facts, and {register} facts of the register (master data, curves)"))?;
    evidence_listing(facts.iter().filter(|fact| !is_register(fact)).take(shown)).print(Format::Table)?;
    if deeds > shown {
        print_line(&format!("and {} more; --format json gives all", deeds - shown))?;
    }
    if baseline.len() > 0 {
        print_line("compared with (基线)")?;
        baseline.print(Format::Table)?;
    }
    print_line(&as_of_text(answer.as_of))
}

fn evidence_listing<'a>(facts: impl Iterator<Item = &'a Value>) -> Listing {
    let shown = ["behaviour", "event_time", "bill_id", "initiator_id", "counterparty_id", "amount_fen", "event_id"];
    let mut listing =
        Listing::new(["time", "behaviour", "bill_id", "initiator_id", "counterparty_id", "amount_fen", "other"]);
    for fact in facts {
        let other = fact.as_object().into_iter().flatten().filter(|(name, _)| !shown.contains(&name.as_str()));
        let other = other.map(|(name, value)| format!("{name}={}", value.to_string().trim_matches('"')));
        let mut other = other.collect::<Vec<_>>().join(" ");
        if let Some((end, _)) = other.char_indices().nth(DETAIL_CHARS) {
            other.truncate(end);
            other.push('…');
        }
        listing.push([
            json!(fact["event_time"].as_i64().map(market_time)),
            fact["behaviour"].clone(),
            fact["bill_id"].clone(),
            fact["initiator_id"].clone(),
            fact["counterparty_id"].clone(),
            fact["amount_fen"].clone(),
            json!(other),
        ]);
    }
    listing
}

fn baseline_listing(answer: &ExplainAlertResponse) -> Listing {
    let mut listing = Listing::new(["feature", "key", "bucket", "bucket_number", "member", "count", "sum_fen"]);
    for value in &answer.baseline {
        listing.push([
            json!(value.feature),
            json!(value.key),
            json!(value.bucket),
            json!(value.bucket_number),
            json!(value.member),
            json!(value.count),
            json!(value.sum_fen),
        ]);
    }
    listing
}

/// All that JSON has, a line a thing: what it is, its number among its like, and the thing itself as JSON, since facts of
/// different behaviours have different fields.
fn whole(answer: &ExplainAlertResponse, facts: &[Value]) -> Listing {
    let mut whole = Listing::new(["part", "number", "content"]);
    let mut add = |part: &str, contents: &[Value]| {
        for (number, content) in (1..).zip(contents) {
            whole.push([json!(part), json!(number), json!(content.to_string())]);
        }
    };
    let rows = |listing: Listing| listing.json().as_array().cloned().unwrap_or_default();
    add("alert", &rows(listing(&answer.alert)));
    add("definition", &[json!(answer.definition)]);
    add("parameters", &[json!(answer.parameters)]);
    add("judged_key", &answer.judged_keys.iter().map(|key| json!(key)).collect::<Vec<_>>());
    add("fact", facts);
    add("baseline", &rows(baseline_listing(answer)));
    whole
}

/// A code with its Chinese name behind it.
fn with_chinese(enumeration: &str, code: &str) -> String {
    match chinese(enumeration, code).as_str() {
        Some(name) => format!("{code} {name}"),
        None => code.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use billwatch_proto::v1::{Alert, BaselineValue, Row};

    use super::*;

    #[test]
    fn csv_has_all_of_the_evidence() {
        let remark = "长".repeat(2 * DETAIL_CHARS);
        let fact = json!({"behaviour": "DSC.SET", "remark": remark});
        let answer = ExplainAlertResponse {
            alert: Some(Alert {
                pattern: "P001".into(),
                level: "RED".into(),
                status: "INV".into(),
                family: "lifecycle-sequence".into(),
                basis: "a regulation".into(),
                ..Alert::default()
            }),
            definition: "a rule, in words".into(),
            facts: vec![Row { json: fact.to_string().into_bytes().into() }],
            baseline: vec![BaselineValue { bucket_number: -3, member: "91".into(), ..BaselineValue::default() }],
            judged_keys: vec!["a,b".into()],
            ..ExplainAlertResponse::default()
        };
        let bytes = whole(&answer, std::slice::from_ref(&fact)).stamped(None).csv().unwrap();
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        let rows: Vec<(String, Value)> = reader
            .records()
            .map(|row| row.unwrap())
            .map(|row| (row[0].to_owned(), serde_json::from_str(&row[2]).unwrap()))
            .collect();
        let of = |part: &str| rows.iter().find(|(name, _)| name == part).map(|(_, content)| content.clone()).unwrap();
        let alert = of("alert");
        assert_eq!((&alert["level_zh"], &alert["status_zh"]), (&json!("红色"), &json!("核查中")));
        assert_eq!((&alert["basis"], &alert["family"]), (&json!("a regulation"), &json!("lifecycle-sequence")));
        assert_eq!(of("fact"), fact);
        assert_eq!(of("definition"), "a rule, in words");
        assert_eq!(of("judged_key"), "a,b");
        assert_eq!((&of("baseline")["bucket_number"], &of("baseline")["member"]), (&json!(-3), &json!("91")));
    }
}
