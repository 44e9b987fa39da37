//! One bill's whole life: every accepted record with its effect, the lots and who held them.

use billwatch_market::{
    bill::Lot,
    corrections::effective_at,
    fact::{Fact, Record},
    fact_scope::{self, Home},
    ids::BillId,
    ndjson::print_record,
    view::Fate,
};
use billwatch_proto::v1;
use hashbrown::HashMap;

use super::invalid;
use crate::shard::Shard;

/// A fact in row form.
pub fn row(fact: &Fact) -> v1::Row {
    v1::Row { json: print_record(&Record::Fact(fact.clone())).into() }
}

/// The life of a bill; empty where it is not known.
pub fn bill(shard: &Shard, request: &v1::GetBillRequest) -> anyhow::Result<v1::GetBillResponse> {
    let id = BillId::parse(&request.bill_id)
        .ok_or_else(|| invalid(format!("bill_id: `{}` is no package number, write 1-38 digits", request.bill_id)))?;
    let lives = shard.lives.borrow();
    let mut records: Vec<Fact> = lives.records_of_bill(id)?.into_iter().map(|past| past.fact).collect();
    records.sort_by(billwatch_market::fact::by_order);
    let home = Home::Bill(id);
    let facts = effective_at(home, records.clone());
    // Copies of variants elsewhere are no part of this life.
    records.retain(|record| fact_scope::home(record) == home);
    let mut fates: HashMap<u128, Fate> = HashMap::new();
    fates.extend(facts.waiting.iter().map(|event| (*event, Fate::Waiting)));
    fates.extend(facts.void.iter().map(|event| (*event, Fate::Revoked)));
    let folded = shard.common.rules.fold_effects(Some(id), &facts.facts);
    fates.extend(folded.into_iter().map(|(event, effect)| (event, Fate::Folded(effect))));
    let life = records.iter().map(|fact| {
        let effect = match fates.get(&fact.event_id) {
            _ if facts.is_variant(fact) => "VARIANT",
            Some(fate) => fate.name(),
            // A correction that counts or was outdone: it has no effect of its own.
            None => "CORRECTION",
        };
        v1::LifeFact { fact: Some(row(fact)), effect: effect.to_owned() }
    });
    let lot_row = |lot: &Lot| v1::LotRow {
        range: lot.range.to_string(),
        holder: lot.holder.to_string(),
        status: lot.status.code().to_owned(),
        flag: lot.flag.code().to_owned(),
        risk: lot.risk.code().to_owned(),
        pay_state: lot.pay_state.code().to_owned(),
        hops: u32::from(lot.hops),
        lineage: lot
            .lineage
            .iter()
            .map(|step| v1::LineageStep {
                holder: step.holder.to_string(),
                behaviour: step.behaviour.code().to_owned(),
                biz_date: step.biz_date.to_string(),
            })
            .collect(),
    };
    let lots = match lives.find_bill(id) {
        Some(known) => lives.look_at_bill(known, |bill| bill.lots.iter().map(lot_row).collect())?,
        None => Vec::new(),
    };
    Ok(v1::GetBillResponse { as_of: None, life: life.collect(), lots })
}
