//! How a published case is told: parties with invented names, acts, and what they demand.

use std::collections::{BTreeMap, BTreeSet};

use billwatch_market::fact::{Fact, Field, Value, behaviour};
use billwatch_market::ids::{BillId, PartyId};

use super::Demand;
use crate::simulator::draft::Party;
use crate::simulator::life::{Bill, Kind};
use crate::simulator::reference::Registration;
use crate::simulator::story::Story;
use crate::simulator::tables::city;
use crate::simulator::world::PROVINCES;

/// One case being told.
pub struct Scene<'s, 'a> {
    /// Clock, common verbs.
    pub story: &'s mut Story<'a>,
    case: u8,
    demands: Vec<Demand>,
    names: BTreeMap<PartyId, &'static str>,
    /// Bills whose text is the fraud: it stays as told.
    false_texts: BTreeSet<BillId>,
}

impl<'s, 'a> Scene<'s, 'a> {
    /// A case that begins on the story's day.
    pub fn new(story: &'s mut Story<'a>, case: u8) -> Self {
        Scene { story, case, demands: Vec::new(), names: BTreeMap::new(), false_texts: BTreeSet::new() }
    }

    /// With every fact told up to the clock, this must be alerted.
    pub fn demand(&mut self, pattern: &'static str, key: impl ToString, on: &'static str) {
        let by = self.story.now();
        self.demand_by(pattern, key, by, on);
    }

    /// [`Scene::demand`] for another moment, ms.
    pub fn demand_by(&mut self, pattern: &'static str, key: impl ToString, by: i64, on: &'static str) {
        self.demands.push(Demand { case: self.case, pattern, key: key.to_string(), by, on });
    }

    /// A registered company of this name.
    pub fn company(&mut self, name: &'static str, change: impl FnOnce(&mut Registration)) -> Party {
        let party = self.story.company_with(change);
        self.name(party, name);
        party
    }

    /// The head of a group that everybody knows: protected by MST.GRP as its parent.
    pub fn group_head(&mut self, name: &'static str, group: PartyId) -> Party {
        let head = self.company(name, |company| company.group = Some(group));
        let at = self.story.reference_time() + 30;
        let draft = self.story.trade.registry.draft(behaviour::MST_GRP, at).from(Party::SYSTEM).to(head);
        let draft = draft.value(Field::EntId, Value::Party(head.id)).value(Field::GroupId, Value::Party(group));
        let fact = draft.code(Field::RelationKind, "PARENT").date(Field::FromDate, self.story.begin).done();
        self.story.put(fact);
        head
    }

    /// A company of this name that opens its account on the case's first day, at a bank of another province.
    pub fn remote_company(&mut self, name: &'static str, registered_days_ago: i32) -> Party {
        let begin = self.story.begin;
        let from = self.story.facts.len();
        let party = self.company(name, |company| company.registered = begin.plus(-registered_days_ago));
        let bank = party.inst.map_or(0, |inst| inst.0 / 1_000);
        let there = self.story.trade.world.institutions.iter().find(|known| known.legal == bank);
        let there = there.map_or("", |known| PROVINCES[usize::from(known.province)].0);
        let elsewhere = if there == "110000" { "440000" } else { "110000" };
        for fact in &mut self.story.facts[from..] {
            match fact.behaviour {
                behaviour::MST_ENR => {
                    fact.set(Field::Province, Value::Code(billwatch_market::ids::Code::of(elsewhere)));
                    if let Some(city) = city(elsewhere, party.id.number()) {
                        fact.set(Field::City, Value::Code(city));
                    }
                }
                behaviour::MST_ACO => fact.set(Field::OpenDate, Value::Date(begin)),
                _ => {}
            }
        }
        party
    }

    /// The name under which somebody stands in the register and on bills.
    pub fn name(&mut self, party: Party, name: &'static str) {
        self.names.insert(party.id, name);
    }

    /// A commercial bill that its drawer accepts itself and never discloses, received by its payee; the moment of acceptance.
    pub fn own_acceptance(&mut self, drawer: Party, payee: Party, face_fen: i64) -> (Bill, i64) {
        let mut bill = self.story.bill(Kind::Commercial, face_fen, (drawer, drawer, payee), 180);
        let request = self.story.issued(&mut bill);
        self.story.signed(&mut bill, request, 0, false);
        let accepted = self.story.now();
        self.story.taken(&mut bill);
        (bill, accepted)
    }

    /// The text of this bill is false: names on it are not put right.
    pub fn is_false(&mut self, bill: &Bill) {
        self.false_texts.insert(bill.id);
    }

    /// Puts the invented names into the register and onto the bills; the demands.
    pub fn finish(self) -> Vec<Demand> {
        for fact in &mut self.story.facts {
            let told = fact.bill_id.is_some_and(|bill| self.false_texts.contains(&bill));
            for (id, name) in [
                (Field::EntId, Field::Name),
                (Field::LegalInstId, Field::Name),
                (Field::DrawerId, Field::DrawerName),
                (Field::AcceptorId, Field::AcceptorName),
                (Field::PayeeId, Field::PayeeName),
            ] {
                if !told {
                    rename(fact, id, name, &self.names);
                }
            }
        }
        self.demands
    }
}

fn rename(fact: &mut Fact, id: Field, name: Field, names: &BTreeMap<PartyId, &'static str>) {
    let is_written = fact.fields.iter().any(|(field, _)| *field == name);
    if let Some(name_of) = fact.party(id).and_then(|party| names.get(&party)).filter(|_| is_written) {
        fact.set(name, Value::Text((*name_of).into()));
    }
}
