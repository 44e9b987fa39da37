//! What those who take part in told cases report each month: balance sheets of members, credit of acceptors.
//!
//! A case tells its own acts alone. Without the reports that go with them the market would be full of members that registered
//! for one bill and were never heard of again, and of acceptors that never disclosed: alerts that are right, and mean nothing.
//!
//! - A member sends its last balance sheet again for each month (MST.FIN) while it has something to do, then it leaves (MST.ISC).
//! - An acceptor of bills that no bank accepted tells its credit for each month at whose end one lives (DIS.CRD).
//!
//! What a case tells itself is its own business and is not told again. Months are reported on their first business day after
//! those of normal trade. Memory: an entry for each member in the market and for each such bill.

use std::collections::BTreeMap;

use billwatch_market::fact::{Fact, Field, Value, behaviour};
use billwatch_market::ids::{BillId, Day, PartyId};

use super::draft::Party;
use super::reference::Registry;
use super::world::FINANCE_COMPANY;

/// Reports of a month begin at this time of its first business day, ms: normal trade has reported by then.
const REPORT_TIME: i64 = 34_000_000;

/// Who has something to report.
#[derive(Default)]
pub struct Reporting {
    members: BTreeMap<PartyId, Member>,
    bills: BTreeMap<BillId, Commercial>,
    /// Last month end that a case itself tells the credit of an acceptor for.
    disclosed: BTreeMap<PartyId, Day>,
}

struct Member {
    party: Party,
    is_finance_company: bool,
    /// Balance sheets that its cases tell, in no order.
    sheets: Vec<Fact>,
    busy_until: Day,
}

/// A bill that a company or a finance company accepts.
struct Commercial {
    acceptor: Party,
    accepted: Day,
    busy_until: Day,
}

impl Reporting {
    /// Takes note of the facts of a story; `goes_on` is the day on which the same case has more to tell.
    pub fn see(&mut self, facts: &[Fact], goes_on: Option<Day>) {
        for fact in facts {
            self.see_master_data(fact);
        }
        for fact in facts {
            let day = goes_on.map_or(fact.biz_date, |day| day.max(fact.biz_date));
            for (_, value) in &fact.fields {
                if let Value::Party(party) = value
                    && let Some(member) = self.members.get_mut(party)
                {
                    member.busy_until = member.busy_until.max(day);
                }
            }
            let Some(bill) = fact.bill_id else { continue };
            if matches!(fact.behaviour, behaviour::ACC_SGN | behaviour::PPR_ACC)
                && let Some(acceptor) = fact.initiator().filter(|party| self.discloses(*party))
            {
                let acceptor = Party { id: acceptor, inst: fact.inst(Field::InitiatorInst) };
                self.bills.insert(bill, Commercial { acceptor, accepted: fact.biz_date, busy_until: day });
            }
        }
        for fact in facts {
            if let Some(bill) = fact.bill_id.and_then(|bill| self.bills.get_mut(&bill)) {
                bill.busy_until = goes_on.unwrap_or(bill.busy_until).max(bill.busy_until).max(fact.biz_date);
            }
        }
    }

    fn see_master_data(&mut self, fact: &Fact) {
        match fact.behaviour {
            behaviour::MST_ISN => {
                let (Some(legal), Some(inst)) = (fact.party(Field::LegalInstId), fact.inst(Field::ParticipantCode))
                else {
                    return;
                };
                let kind = fact.code(Field::InstType).map(|code| code.to_string());
                self.members.entry(legal).or_insert(Member {
                    party: Party { id: legal, inst: Some(inst) },
                    is_finance_company: kind == Some(FINANCE_COMPANY.to_string()),
                    sheets: Vec::new(),
                    busy_until: fact.biz_date,
                });
            }
            behaviour::MST_FIN => {
                let legal = fact.party(Field::LegalInstId);
                if let Some(member) = legal.and_then(|legal| self.members.get_mut(&legal)) {
                    member.sheets.push(fact.clone());
                }
            }
            behaviour::DIS_CRD => {
                let month = fact.text(Field::PeriodMonth).and_then(|month| Day::parse(&format!("{month}-01")));
                if let (Some(acceptor), Some(month)) = (fact.party(Field::AcceptorId), month) {
                    let told = self.disclosed.entry(acceptor).or_insert(month);
                    *told = month.add_months(1).plus(-1).max(*told);
                }
            }
            _ => {}
        }
    }

    fn discloses(&self, acceptor: PartyId) -> bool {
        acceptor.is_enterprise() || self.members.get(&acceptor).is_some_and(|member| member.is_finance_company)
    }

    /// What is reported on the first business day of a month about the month before.
    pub fn begin_month(&mut self, today: Day, registry: &mut Registry) -> Vec<Fact> {
        let begins = today.month_start();
        let mut reports = Vec::new();
        let mut at = today.start_ms() + REPORT_TIME;
        self.members.retain(|_, member| {
            at += 1;
            let stays = member.busy_until >= begins;
            let report =
                if stays { member.report(at, begins.plus(-1), registry) } else { Some(member.leave(at, registry)) };
            reports.extend(report);
            stays
        });
        self.bills.retain(|_, bill| bill.busy_until >= begins);
        let live = self.bills.values().filter(|bill| bill.accepted < begins);
        let acceptors: BTreeMap<PartyId, Party> = live.map(|bill| (bill.acceptor.id, bill.acceptor)).collect();
        for (id, acceptor) in acceptors {
            if self.disclosed.get(&id).is_none_or(|told| *told < begins.plus(-1)) {
                at += 1;
                reports.push(registry.credit_disclosure(at, acceptor, begins.plus(-1)));
            }
        }
        reports
    }
}

impl Member {
    /// The balance sheet that holds now, as of this month end; `None` when the case tells that of this month.
    fn report(&self, at: i64, month_end: Day, registry: &mut Registry) -> Option<Fact> {
        let known = self.sheets.iter().filter(|sheet| sheet.event_time <= at).max_by_key(|sheet| sheet.event_time)?;
        if self.sheets.iter().any(|sheet| sheet.date(Field::ReportDate) == Some(month_end)) {
            return None;
        }
        let mut report = registry.draft(behaviour::MST_FIN, at).done();
        report.fields.clone_from(&known.fields);
        report.set(Field::ReportDate, Value::Date(month_end));
        Some(report)
    }

    fn leave(&self, at: i64, registry: &mut Registry) -> Fact {
        let inst = self.party.inst.map(Value::Inst);
        let draft = registry.draft(behaviour::MST_ISC, at).from(self.party).to(Party::SYSTEM);
        let draft = inst.into_iter().fold(draft, |draft, inst| draft.value(Field::ParticipantCode, inst));
        draft.text(Field::FieldName, "participant_status").text(Field::NewValue, "CLOSED").done()
    }
}
