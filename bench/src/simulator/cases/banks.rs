//! Cases 8 to 10: funding channels, forged paper, a bank that is none.

use billwatch_market::fact::{Field, Source, Value, behaviour};

use super::scene::Scene;
use crate::simulator::draft::Party;
use crate::simulator::life::{Bill, Kind};
use crate::simulator::reference::account_number;
use crate::simulator::story::{FAIR_RATE, MILLION};

/// Case 8. Bills of a shell acceptor are discounted by one small bank at the price of bank credit and pass three more banks
/// the same day; the last buyer's cash pays the first seller. At the due date nobody pays.
pub(super) fn funding_channel(scene: &mut Scene) {
    let begin = scene.story.begin;
    let shell = scene.company("江州瑞昶贸易有限公司", |company| {
        (company.employees, company.registered) = (2, begin.plus(-70));
    });
    let payee = scene.story.company();
    let banks: Vec<Party> = (0..5).map(|_| scene.story.member(206)).collect();
    // Bank credit's price, so far below that of an unknown company that no move of the curve matters.
    let rate = scene.story.trade.curve.rate(1, 180) - 2_000;
    let mut bills = Vec::new();
    for nth in 0..3 {
        scene.story.on(begin);
        scene.story.wait(10 * nth);
        let (bill, accepted) = scene.own_acceptance(shell, payee, 60 * MILLION);
        if nth == 0 {
            scene.demand_by(
                "P162",
                shell.id,
                accepted,
                "the first acceptance: 60 million CNY, never registered for disclosure",
            );
            scene.demand_by("P023", shell.id, accepted, "the first acceptance: 60 million CNY at the age of 70 days");
        }
        bills.push(bill);
    }
    let day = scene.story.business_day(begin, 1);
    for (nth, bill) in bills.iter_mut().enumerate() {
        scene.story.on(day);
        scene.story.wait(40 * nth as i64);
        let discounted = scene.story.discount(bill, payee, banks[0], rate);
        if nth == 0 {
            scene.demand("P139", discounted, "the first discount, at the price of bank credit");
        }
        if nth == 1 {
            scene.demand("P105", shell.id, "the second discount by the same bank: 120 million CNY");
        }
        for pair in banks.windows(2) {
            let deal = scene.story.deal(bill, pair[0], pair[1], rate);
            scene.story.sell(bill, &deal);
        }
        if nth == 0 {
            scene.demand("P093", bill.id, "the fourth sale of one bill on one day");
        }
    }
    for (nth, bill) in bills.iter_mut().enumerate() {
        let last = banks[4];
        let presentation = scene.story.presented(bill, last);
        let fact = bill.refuse_payment(scene.story.now(), bill.whole(), last, presentation, "DC08");
        scene.story.put(fact);
        if nth == 0 {
            scene.demand("P017", shell.id, "the first refusal");
        }
        let fact = bill.recourse_notice(scene.story.now() + 3_600_000, bill.whole(), last, banks[0]);
        scene.story.put(fact);
    }
}

fn paper(scene: &mut Scene, parties: (Party, Party, Party), like: Option<&Bill>) -> Bill {
    let plain = scene.story.bill(Kind::Bank, 8 * MILLION, parties, 120);
    let (serial, of_day) = scene.story.trade.next_bill_numbers();
    let bank_no = scene.story.bank_no_of(parties.0);
    let days = (plain.issue, plain.due, plain.due_adjusted);
    let mut bill =
        Bill::new(serial, Kind::Bank, Source::Preg, false, plain.face_fen, days, parties, bank_no, 60_000_000 + of_day);
    if let Some(original) = like {
        bill.id = original.id;
    }
    bill
}

/// Case 9. A paper bill is registered and discounted; its clone, with the same number and other content, is registered at
/// another bank and presented while the true one lives. Then its loss is reported, and a court gives notice.
pub(super) fn forged_paper(scene: &mut Scene) {
    let parties = (scene.story.company(), scene.story.house_bank(0), scene.story.company());
    let mut bill = paper(scene, parties, None);
    let fact = bill.register_paper(scene.story.now());
    scene.story.put(fact);
    let day = scene.story.business_day(scene.story.begin, 3);
    scene.story.on(day);
    let bank = scene.story.house_bank(1);
    let terms = crate::simulator::deals::Discount::priced(&bill, bill.whole(), parties.2, bank, FAIR_RATE, day);
    let fact = bill.discount_paper(scene.story.now(), &terms);
    scene.story.put(fact);
    // The clone: the same number and face, other parties, another bank.
    scene.story.on(scene.story.business_day(day, 2));
    let others = (scene.story.company(), scene.story.house_bank(2), scene.story.company());
    let mut clone = paper(scene, others, Some(&bill));
    (clone.issue, clone.due, clone.due_adjusted) = (bill.issue, bill.due, bill.due_adjusted);
    let fact = clone.register_paper(scene.story.now());
    scene.story.put(fact);
    scene.demand("P011", bill.id, "the second registration of the number");
    // The clone's payee asks for payment of a bill that another holds.
    scene.story.at(bill.due.start_ms());
    let fact = bill.mature(bill.whole(), bank);
    scene.story.put(fact);
    scene.story.on(bill.due_adjusted);
    let fact = clone.present(scene.story.now(), bill.whole(), others.2);
    scene.story.put(fact);
    scene.demand("P198", bill.id, "the presentation by somebody who does not hold it");
    scene.story.wait(30);
    let (whole, acceptor) = (bill.whole(), parties.1);
    let fact = bill.ask(behaviour::LSF_STP, scene.story.now(), whole, acceptor, bank);
    scene.story.put(fact);
    scene.story.on(scene.story.business_day(bill.due_adjusted, 5));
    let fact = bill.court(behaviour::LSF_PUB, scene.story.now(), whole, Party::court(77), acceptor);
    scene.story.put(fact);
}

/// Case 10. With forged papers an account is opened in a small bank's name at a bank far away, which from then on signs for it as
/// its agent; whoever has the account accepts and discounts some 2 billion CNY in that name within days.
pub(super) fn impostor_bank(scene: &mut Scene) {
    // A village bank: 3 billion CNY of assets.
    let bank = scene.story.member_in(207, "150000", None, 3_000 * MILLION);
    let begin = scene.story.begin;
    let name = "锡林草原村镇银行股份有限公司";
    scene.name(bank, name);
    // An account is an enterprise's (`ent_id` of MST.ACO), so the register of accounts knows the bank as one of this name.
    let in_its_name = scene.remote_company(name, 4_000);
    let drawers = [scene.story.company(), scene.story.company(), scene.story.company(), scene.story.company()];
    for nth in 0..20usize {
        let day = scene.story.business_day(begin, nth as u32 / 7);
        scene.story.on(day);
        scene.story.wait(20 * (nth as i64 % 7));
        let payee = scene.story.company();
        let mut bill = scene.story.bill(Kind::Bank, 100 * MILLION, (drawers[nth % 4], bank, payee), 180);
        bill.agent_signs_for = Some(bank.id);
        scene.story.accepted_with(&mut bill, 0);
        if nth == 4 {
            scene.demand(
                "P201",
                bank.id,
                "the fifth acceptance that an agent signs for a bank that had none, on day 0",
            );
            scene.demand("P048", bank.id, "the fifth acceptance, on day 0: a sixth of the bank's assets");
        }
        scene.story.taken(&mut bill);
        scene.story.discount(&mut bill, payee, bank, FAIR_RATE);
        if nth == 5 {
            scene.demand("P195", bank.id, "the sixth discount of its own acceptance, on day 0");
        }
    }
    for fact in &mut scene.story.facts {
        if fact.initiator() == Some(bank.id) && matches!(fact.behaviour, behaviour::ACC_SGN | behaviour::DSC_SGN) {
            fact.set(Field::InitiatorAccount, Value::Text(account_number(in_its_name)));
        }
    }
}
