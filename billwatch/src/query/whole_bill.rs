//! A bill as CSV: all that the other forms show, life and lots, in one table.

use billwatch_proto::v1::GetBillResponse;
use serde_json::{Value, json};

use super::fact_json;
use crate::output::{Listing, market_time};

/// Columns of both parts; a line has those of its part.
const COLUMNS: [&str; 17] = [
    "part",
    "event_time",
    "behaviour",
    "effect",
    "initiator_id",
    "counterparty_id",
    "event_id",
    "fact",
    "range",
    "holder",
    "status",
    "flag",
    "risk",
    "pay_state",
    "hops",
    "lineage",
    "number",
];

/// A line a step of its life, then a line a lot. `fact` is the whole fact as JSON, `number` counts the lines of a part.
pub fn listing(answer: &GetBillResponse) -> Listing {
    let mut listing = Listing::new(COLUMNS);
    let mut push = |mut line: Value| listing.push(COLUMNS.map(|column| line[column].take()));
    for (number, step) in (1..).zip(&answer.life) {
        let fact = fact_json(step.fact.as_ref().map_or(&[], |row| &row.json[..]));
        let range = match (&fact["sub_start"], &fact["sub_end"]) {
            (Value::Null, Value::Null) => Value::Null,
            (start, end) => json!(format!("{start}-{end}")),
        };
        push(json!({
            "part": "life", "number": number, "effect": step.effect, "fact": fact.to_string(), "range": range,
            "event_time": fact["event_time"].as_i64().map(market_time), "behaviour": fact["behaviour"],
            "initiator_id": fact["initiator_id"], "counterparty_id": fact["counterparty_id"],
            "event_id": fact["event_id"],
        }));
    }
    for (number, lot) in (1..).zip(&answer.lots) {
        let steps = lot.lineage.iter().map(|step| format!("{} ({} {})", step.holder, step.behaviour, step.biz_date));
        push(json!({
            "part": "lot", "number": number, "range": lot.range, "holder": lot.holder, "status": lot.status,
            "flag": lot.flag, "risk": lot.risk, "pay_state": lot.pay_state, "hops": lot.hops,
            "lineage": steps.collect::<Vec<_>>().join(" → "),
        }));
    }
    listing
}

#[cfg(test)]
mod tests {
    use billwatch_proto::v1::{LifeFact, LotRow, Row};

    use super::*;

    #[test]
    fn life_and_lots_stand_in_one_table() {
        let fact = json!({"behaviour": "ISS.REG", "event_id": "7", "sub_start": 1, "sub_end": 9, "event_time": 0});
        let row = Row { json: fact.to_string().into_bytes().into() };
        let answer = GetBillResponse {
            life: vec![LifeFact { fact: Some(row), effect: "APPLIED".into() }],
            lots: vec![LotRow { range: "1-9".into(), holder: "E1".into(), ..LotRow::default() }],
            ..GetBillResponse::default()
        };
        let bytes = listing(&answer).csv().unwrap();
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        // A strict reader: every line has as many cells as the header.
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!((&rows[0][0], &rows[0][2], &rows[0][8], &rows[0][9]), ("life", "ISS.REG", "1-9", ""));
        assert_eq!(serde_json::from_str::<Value>(&rows[0][7]).unwrap(), fact);
        assert_eq!((&rows[1][0], &rows[1][2], &rows[1][8], &rows[1][9]), ("lot", "", "1-9", "E1"));
    }
}
