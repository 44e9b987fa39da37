//! Cases 1 to 7: companies that are not who they say, bills that do not say what they are.

use billwatch_market::fact::{Behaviour, Field, Value, behaviour};
use billwatch_market::ids::PartyId;

use super::scene::Scene;
use crate::simulator::draft::Party;
use crate::simulator::life::{Bill, Kind};
use crate::simulator::story::{CNY, FAIR_RATE, MILLION};

fn text(words: &'static str) -> Value {
    Value::Text(words.into())
}

/// Case 1. An account is opened with forged papers in the name of a group's company; on that day and the eight business days
/// after it 460 bills of 3.7 million CNY each are drawn and accepted, 1.7 billion in all.
pub(super) fn impostor_account(scene: &mut Scene) {
    const BILLS: usize = 460;
    const BUSINESS_DAYS: usize = 9;
    scene.group_head("磐岳建设集团有限公司", PartyId::group(950_001));
    let impostor = scene.remote_company("磐岳建设集团第三工程有限公司", 2_000);
    let fronts = [scene.story.company(), scene.story.company(), scene.story.company()];
    let mut bills = Vec::new();
    let mut day = scene.story.begin;
    for nth in 0..BILLS {
        if nth > 0 && nth % BILLS.div_ceil(BUSINESS_DAYS) == 0 {
            day = scene.story.business_day(day, 1);
            scene.story.on(day);
        }
        let (bill, accepted) = scene.own_acceptance(impostor, fronts[nth % 3], 3_700_000 * CNY);
        match nth {
            0 => scene.demand_by("P148", impostor.id, accepted, "the first acceptance, on day 0"),
            1 => scene.demand_by("P153", impostor.id, accepted, "the second acceptance, on day 0"),
            2 => scene.demand_by("P162", impostor.id, accepted, "the third acceptance, on day 0"),
            _ => {}
        }
        bills.push(bill);
    }
    answered(scene, bills, fronts);
}

/// The exchange answers on the next business day: it voids 200 bills, settles 100 early, and locks the others, which it voids
/// two weeks later.
fn answered(scene: &mut Scene, bills: Vec<Bill>, holders: [Party; 3]) {
    let answer = scene.story.business_day(scene.story.today(), 1);
    let later = scene.story.business_day(answer.plus(14), 0);
    for (nth, mut bill) in bills.into_iter().enumerate() {
        let mut act = |scene: &mut Scene, behaviour: Behaviour, reason: &str| {
            let (at, whole) = (scene.story.now(), bill.whole());
            let draft = bill.act_in(bill.source, behaviour, at, whole, Party::SYSTEM, holders[nth % 3]);
            scene.story.put(draft.code(Field::ChangeReason, reason).done());
        };
        scene.story.at(answer.start_ms() + (9 * 3_600 + 30 * nth as i64) * 1_000);
        match nth {
            0..200 => act(scene, behaviour::LSF_VOI, "AR01"),
            200..300 => act(scene, behaviour::LSF_EST, "AR10"),
            _ => {
                act(scene, behaviour::LSF_LCK, "AR10");
                scene.story.at(later.start_ms() + (9 * 3_600 + 30 * nth as i64) * 1_000);
                act(scene, behaviour::LSF_VOI, "AR01");
            }
        }
    }
}

/// Case 2. Somebody with a forged seal registers a company as a subsidiary of a property group, and draws many bills at once.
pub(super) fn impostor_company(scene: &mut Scene) {
    scene.group_head("恒璟地产集团有限公司", PartyId::group(950_002));
    let begin = scene.story.begin;
    let impostor = scene.company("江州恒璟置业有限公司", |company| company.registered = begin.plus(-40));
    let payees = [scene.story.company(), scene.story.company()];
    for nth in 0..40 {
        // A minute apart: a burst.
        scene.story.at(begin.start_ms() + (10 * 60 + nth as i64) * 60_000);
        let (_, accepted) = scene.own_acceptance(impostor, payees[nth % 2], 2 * MILLION);
        match nth {
            0 => scene.demand_by("P148", impostor.id, accepted, "the first acceptance"),
            9 => scene.demand_by(
                "P023",
                impostor.id,
                accepted,
                "the tenth acceptance: 20 million CNY at the age of 40 days",
            ),
            29 => scene.demand_by("P036", impostor.id, accepted, "the thirtieth acceptance within the hour"),
            _ => {}
        }
    }
}

/// Case 3. The name is one character off that of a known group; payees believe in the group's credit.
pub(super) fn look_alike(scene: &mut Scene) {
    scene.group_head("中岳恒达路桥隧道集团有限公司", PartyId::group(950_003));
    let alike = scene.company("中嶽恒达路桥隧道集团有限公司", |_| {});
    let payee = scene.story.company();
    let (mut bill, accepted) = scene.own_acceptance(alike, payee, 3 * MILLION);
    scene.demand_by("P148", alike.id, accepted, "the acceptance");
    refused(scene, &mut bill, payee);
}

/// Presented at the due date and refused for want of cash.
fn refused(scene: &mut Scene, bill: &mut Bill, holder: Party) {
    let presentation = scene.story.presented(bill, holder);
    let fact = bill.refuse_payment(scene.story.now(), bill.whole(), holder, presentation, "DC08");
    scene.story.put(fact);
}

/// Case 4. Texts of a commercial bill are filled so that it looks like a bank bill; its number says commercial.
pub(super) fn false_kind(scene: &mut Scene) {
    let parties = (scene.story.company(), scene.story.company(), scene.story.company());
    let mut bill = scene.story.bill(Kind::Commercial, 5 * MILLION, parties, 180);
    scene.is_false(&bill);
    let mut fact = bill.issue(scene.story.now());
    fact.set(Field::AcceptorName, text("江州华岳银行股份有限公司营业部"));
    fact.set(Field::Remark, text("银行承兑汇票 到期无条件付款"));
    scene.story.put(fact);
    scene.demand("P196", bill.id, "the registration");
    scene.story.wait(1);
    let fact = bill.ask_acceptance(scene.story.now());
    let request = scene.story.put(fact);
    scene.story.signed(&mut bill, request, 0, false);
    scene.story.taken(&mut bill);
    refused(scene, &mut bill, parties.2);
}

/// Case 5. The acceptor's name on the bill is that of a central SOE; account and code are another company's.
pub(super) fn false_acceptor(scene: &mut Scene) {
    let parties = (scene.story.company(), scene.story.company(), scene.story.company());
    let mut bill = scene.story.bill(Kind::Commercial, 8 * MILLION, parties, 180);
    scene.is_false(&bill);
    let mut fact = bill.issue(scene.story.now());
    fact.set(Field::AcceptorName, text("中国岳峰建设集团有限公司"));
    scene.story.put(fact);
    scene.demand("P197", parties.1.id, "the registration, before acceptance is asked for");
    scene.story.wait(1);
    let mut fact = bill.ask_acceptance(scene.story.now());
    fact.set(Field::CounterpartyName, text("中国岳峰建设集团有限公司"));
    let request = scene.story.put(fact);
    scene.demand("P149", parties.1.id, "the request for acceptance");
    scene.story.signed(&mut bill, request, 0, false);
    scene.story.taken(&mut bill);
    refused(scene, &mut bill, parties.2);
}

/// Case 6. A drawer registers bills, never gets an acceptance, and asks three parties for a guarantee; each takes what it sees
/// ("guarantee awaiting signature") for a good bill. There is never a receipt.
pub(super) fn guarantee_awaiting(scene: &mut Scene) {
    let drawer = scene.story.company();
    let acceptor = scene.story.company();
    let mut bills = Vec::new();
    for nth in 0..3 {
        let victim = scene.story.company();
        let mut bill = scene.story.bill(Kind::Commercial, 10 * MILLION, (drawer, acceptor, victim), 180);
        let fact = bill.issue(scene.story.now());
        scene.story.put(fact);
        scene.story.wait(1);
        let fact = bill.ask(behaviour::GUD_REQ, scene.story.now(), bill.whole(), drawer, victim);
        scene.story.put(fact);
        if nth == 2 {
            scene.demand("P200", drawer.id, "the request to the third party, an hour after the first");
        }
        scene.story.wait(30);
        bills.push(bill);
    }
    // The limit is the end of the next business day; the clock passes it with the watermarks of the day after.
    let limit = scene.story.business_day(scene.story.begin, 1);
    let passed = limit.plus(2).start_ms();
    for bill in &bills {
        scene.demand_by("P199", bill.id, passed, "a business day without an acceptance");
    }
}

/// Case 7. A broker asks six holders to endorse first, against a promised price, to a shell; it endorses on within minutes
/// through two more shells, the last of which discounts the same day. The price is never paid; courts freeze the bills.
pub(super) fn endorse_first(scene: &mut Scene) {
    let begin = scene.story.begin;
    let shell = |scene: &mut Scene| {
        scene.story.company_with(|company| {
            (company.employees, company.paid_fen) = (2, 0);
            company.registered = begin.plus(-90);
        })
    };
    let shells = [shell(scene), shell(scene), shell(scene)];
    for nth in 0..6 {
        let drawer = scene.story.company();
        let victim = scene.story.company();
        let (acceptor, bank) = (scene.story.house_bank(nth), scene.story.house_bank(nth + 1));
        scene.story.on(begin);
        let mut bill = scene.story.bill(Kind::Bank, 3 * MILLION, (drawer, acceptor, victim), 180);
        scene.story.received(&mut bill);
        let day = scene.story.business_day(begin, 3);
        scene.story.on(day);
        scene.story.wait(20 * nth as i64);
        let mut holder = victim;
        for shell in shells {
            scene.story.endorse(&mut bill, holder, shell);
            holder = shell;
        }
        if nth == 0 {
            scene.demand("P098", bill.id, "the third endorsement of the first bill, three minutes after the victim's");
        }
        scene.story.discount(&mut bill, holder, bank, FAIR_RATE);
        if nth == 4 {
            scene.demand("P016", holder.id, "the fifth bill that the shell discounts on the day it got it");
        }
        let court = Party::court(40 + nth as u64);
        let later = scene.story.business_day(day, 6);
        scene.story.on(later);
        let fact = bill.court(behaviour::LSF_FRZ, scene.story.now(), bill.whole(), court, bank);
        scene.story.put(fact);
        if nth == 0 {
            // The discounter sells it on all the same.
            scene.story.wait(30);
            let buyer = scene.story.house_bank(7);
            let deal = scene.story.deal(&bill, bank, buyer, FAIR_RATE);
            scene.story.sell(&mut bill, &deal);
            scene.demand("P013", bill.id, "a sale of the frozen bill");
        }
    }
}
