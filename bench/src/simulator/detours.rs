//! Side roads of normal trade: rarer products, each a few facts in a row that lead back to the free lot.

use billwatch_market::fact::{Field, Source, behaviour};
use billwatch_market::ids::Day;

use super::deals::Discount;
use super::draft::Party;
use super::lot::{Extra, Lot, Step};
use super::price;
use super::trade::{Next, QUIET_DAYS, Trade};
use super::world::{PLATFORM, Who, member};

/// A side road.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detour {
    /// 出票保证: before acceptance.
    DrawerGuarantee,
    /// 贴现通: mandate, listing, pick, deal; the discount is settled as any other.
    DiscountThrough,
    /// 回购式贴现: sold and redeemed.
    RepoDiscount,
    /// 票付通: locked, paid with, endorsed.
    OnlinePayment,
    /// 保证增信 of a discounted lot.
    GuaranteeEnhancement,
    /// 转托管 to another branch of the holder.
    CustodyMove,
}

/// The detours of lots that an enterprise holds.
pub const OF_ENTERPRISES: [Detour; 3] = [Detour::DiscountThrough, Detour::RepoDiscount, Detour::OnlinePayment];
/// The detours of lots that a bank holds.
pub const OF_BANKS: [Detour; 2] = [Detour::GuaranteeEnhancement, Detour::CustodyMove];

impl Trade {
    /// Stage `nth` of a detour.
    pub(super) fn detour(&mut self, at: i64, lot: &mut Lot, road: Detour, nth: u8) -> Next {
        match road {
            Detour::DrawerGuarantee => self.drawer_guarantee(at, lot, nth),
            Detour::DiscountThrough => self.discount_through(at, lot, nth),
            Detour::RepoDiscount => self.repo_discount(at, lot, nth),
            Detour::OnlinePayment => self.online_payment(at, lot, nth),
            Detour::GuaranteeEnhancement => self.guarantee_enhancement(at, lot, nth),
            Detour::CustodyMove => self.custody_move(at, lot),
        }
    }

    fn on(&mut self, at: i64, road: Detour, nth: u8) -> Next {
        Some((self.soon(at, 60, 1_800), Step::Detour(road, nth)))
    }

    fn drawer_guarantee(&mut self, at: i64, lot: &mut Lot, nth: u8) -> Next {
        if nth == 0 {
            lot.other = self.world.bank(&mut self.dice);
        }
        let (drawer, guarantor) = (self.party(lot.holder), self.party(lot.other));
        let bill = &mut self.bills.get(lot.bill).bill;
        if nth == 0 {
            let fact = bill.ask(behaviour::GUD_REQ, at, lot.range, drawer, guarantor);
            lot.request = fact.event_id;
            self.out.push(fact);
            return self.on(at, Detour::DrawerGuarantee, 1);
        }
        let fact = bill.agree(behaviour::GUD_SGN, at, lot.range, guarantor, drawer, lot.request);
        self.out.push(fact);
        Some((self.soon(at, 60, 600), Step::AskAcceptance))
    }

    fn discount_through(&mut self, at: i64, lot: &mut Lot, nth: u8) -> Next {
        if nth == 0 {
            // The broker first; from the pick on the discounter is the other side.
            lot.other = self.world.bank(&mut self.dice);
            lot.prior = lot.other;
            lot.rate_e4 = self.discount_rate(at, lot);
            self.deals += 1;
            lot.deal = self.deals;
            lot.discount_on = None;
        }
        if nth == 2 {
            lot.other = self.world.bank(&mut self.dice);
        }
        let (holder, broker, discounter) = (self.party(lot.holder), self.party(lot.prior), self.party(lot.other));
        let deal = format!("D{:010}", lot.deal);
        let bill = &mut self.bills.get(lot.bill).bill;
        let terms = Discount::priced(bill, lot.range, holder, discounter, lot.rate_e4, Day::of_time(at));
        let mut act = |behaviour, from, to| bill.act_in(Source::Dthp, behaviour, at, lot.range, from, to);
        let fact = match nth {
            0 => act(behaviour::DTH_ENT, broker, holder).done(),
            1 => act(behaviour::DTH_LST, broker, Party::MARKET)
                .int(Field::RateE4, lot.rate_e4)
                .text(Field::DealId, deal)
                .done(),
            2 => act(behaviour::DTH_PCK, discounter, broker)
                .answers(lot.first_leg)
                .int(Field::RateE4, lot.rate_e4)
                .text(Field::DealId, deal)
                .done(),
            _ => act(behaviour::DTH_DEL, Party::SYSTEM, discounter)
                .int(Field::RateE4, lot.rate_e4)
                .int(Field::InterestFen, terms.interest_fen)
                .int(Field::PayFen, terms.pay_fen)
                .text(Field::DealId, deal)
                .role(Field::ApplicantId, Field::ApplicantInst, holder)
                .role(Field::DiscounterId, Field::DiscounterInst, discounter)
                .role(Field::BrokerId, Field::BrokerInst, broker)
                .done(),
        };
        match nth {
            0 => lot.request = fact.event_id,
            1 => lot.first_leg = fact.event_id,
            _ => {}
        }
        self.out.push(fact);
        if nth < 3 {
            return self.on(at, Detour::DiscountThrough, nth + 1);
        }
        // No DSC.SGN names an invoice here: the broker hands the papers of the trade over with the deal.
        self.register_trade(at, lot.bill);
        Some((self.soon(at, 1, 60), Step::SettleDiscount))
    }

    fn repo_discount(&mut self, at: i64, lot: &mut Lot, nth: u8) -> Next {
        let today = Day::of_time(at);
        if nth == 0 {
            lot.other = self.world.bank(&mut self.dice);
            lot.rate_e4 = self.discount_rate(at, lot);
            lot.deal_day = today;
            lot.repo_days = i64::from(self.calendar.roll(today.plus(10)).0 - today.0);
        }
        let (holder, bank) = (self.party(lot.holder), self.party(lot.other));
        let bill = &mut self.bills.get(lot.bill).bill;
        let terms = Discount::priced(bill, lot.range, holder, bank, lot.rate_e4, lot.deal_day);
        let open = lot.deal_day.plus(lot.repo_days as i32);
        let redeem_fen = price::redemption(terms.pay_fen, lot.rate_e4, lot.repo_days);
        let fact = match nth {
            0 | 1 => {
                let (behaviour, from, to) =
                    if nth == 0 { (behaviour::DSR_REQ, holder, bank) } else { (behaviour::DSR_SGN, bank, holder) };
                let draft = bill
                    .act(behaviour, at, lot.range, from, to)
                    .int(Field::RateE4, terms.rate_e4)
                    .int(Field::InterestFen, terms.interest_fen)
                    .int(Field::PayFen, terms.pay_fen)
                    .code(Field::DiscountType, "RM01")
                    .date(Field::RedeemOpen, open)
                    .date(Field::RedeemClose, open.plus(7));
                if nth == 0 { draft.done() } else { draft.answers(lot.request).code(Field::AnswerCode, "SU00").done() }
            }
            2 => bill.act(behaviour::DRD_REQ, at, lot.range, holder, bank).int(Field::RedeemFen, redeem_fen).done(),
            _ => bill
                .act(behaviour::DRD_SGN, at, lot.range, bank, holder)
                .answers(lot.request)
                .int(Field::RedeemFen, redeem_fen)
                .done(),
        };
        lot.request = fact.event_id;
        self.out.push(fact);
        match nth {
            1 => Some((self.office_time(open), Step::Detour(Detour::RepoDiscount, 2))),
            3 => self.plan(at, lot),
            _ => self.on(at, Detour::RepoDiscount, nth + 1),
        }
    }

    fn online_payment(&mut self, at: i64, lot: &mut Lot, nth: u8) -> Next {
        let (holder, platform) = (self.party(lot.holder), member(PLATFORM, 1));
        let bill = &mut self.bills.get(lot.bill).bill;
        let order = format!("PO{}", bill.serial);
        let fact = if nth == 0 {
            bill.act_in(Source::Bpay, behaviour::OPY_LCK, at, lot.range, platform, holder)
                .text(Field::PlatformOrderId, order)
                .code(Field::ChangeReason, "AR13")
                .done()
        } else {
            bill.act_in(Source::Bpay, behaviour::OPY_RES, at, lot.range, Party::SYSTEM, platform)
                .text(Field::PlatformOrderId, order)
                .code(Field::AnswerCode, "SU00")
                .done()
        };
        self.out.push(fact);
        if nth == 0 {
            return self.on(at, Detour::OnlinePayment, 1);
        }
        if !lot.can_move() {
            return self.plan(at, lot);
        }
        lot.hops = lot.hops.max(1);
        Some((self.soon(at, 10, 300), Step::AskEndorsement))
    }

    fn guarantee_enhancement(&mut self, at: i64, lot: &mut Lot, nth: u8) -> Next {
        if nth == 0 {
            lot.other = self.world.bank(&mut self.dice);
        }
        let (holder, guarantor) = (self.party(lot.holder), self.party(lot.other));
        let bill = &mut self.bills.get(lot.bill).bill;
        let amount = bill.amount(lot.range);
        let fact = if nth == 0 {
            bill.act_in(Source::Cpes, behaviour::ENH_GUA_REQ, at, lot.range, holder, guarantor)
                .int(Field::EnhanceFen, amount)
                .done()
        } else {
            bill.act_in(Source::Cpes, behaviour::ENH_GUA_SGN, at, lot.range, guarantor, holder)
                .answers(lot.request)
                .code(Field::AnswerCode, "SU00")
                .int(Field::EnhanceFen, amount)
                .done()
        };
        lot.request = fact.event_id;
        self.out.push(fact);
        if nth == 0 { self.on(at, Detour::GuaranteeEnhancement, 1) } else { self.plan(at, lot) }
    }

    fn custody_move(&mut self, at: i64, lot: &mut Lot) -> Next {
        let Some(place) = lot.holder.institution() else { return self.plan(at, lot) };
        let to = Who::branch(place, 2);
        let (from, target) = (self.party(lot.holder), self.party(to));
        let bill = &mut self.bills.get(lot.bill).bill;
        let draft = bill.act_in(Source::Cpes, behaviour::CST_TRF, at, lot.range, from, target);
        let draft = match target.inst {
            Some(inst) => draft.value(Field::NewHolderInst, billwatch_market::fact::Value::Inst(inst)),
            None => draft,
        };
        self.out.push(draft.done());
        lot.holder = to;
        self.plan(at, lot)
    }

    /// Draws a detour for a lot that has just been received or discounted: about one in a hundred has one.
    pub(super) fn draw_detour(&mut self, lot: &mut Lot, roads: &[Detour]) {
        if lot.extra.is_none() && self.dice.chance(100) {
            lot.extra = Some(Extra::Detour(*self.dice.pick(roads)));
        }
    }

    /// True when a detour of some weeks still ends in time.
    pub(super) fn has_time(&self, day: Day, due: Day) -> bool {
        day.plus(30 + QUIET_DAYS) <= due
    }
}
