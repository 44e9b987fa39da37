//! Normal trade with banks: the special things of a lot, discount, and the interbank market.

use billwatch_market::fact::{Field, Source, Value, behaviour};
use billwatch_market::ids::{Code, Day};

use super::deals::{Deal, Discount};
use super::detours::OF_BANKS;
use super::draft::Draft;
use super::life::Kind;
use super::lot::{Extra, Lot, Product, Step};
use super::reference::REDISCOUNT_RATE;
use super::trade::{Next, QUIET_DAYS, Trade};
use super::world::Who;

/// How far a clean price may lie from the curve, rate_e4 (15 bp; P132 alerts above 50, P165 above 30).
const PRICE_NOISE: i64 = 1_500;
/// What a bank asks more for a discount than for a sale to another bank, percent times 10^4. In 2020 it was 27 bp (domain.md 11); less,
/// so that no bank's mix of the two stands out.
const DISCOUNT_MARGIN: i64 = 1_500;

/// Last time of day for a quote between banks, ms since midnight: 15:59.
const LAST_QUOTE_MS: i64 = (15 * 60 + 59) * 60_000;

impl Trade {
    /// An instant of the trading hours 9:00-12:00 and 13:30-16:30.
    pub(super) fn trading_time(&mut self, day: Day) -> i64 {
        let minute = self.dice.between(0, 359);
        let minute = if minute < 180 { 9 * 60 + minute } else { 13 * 60 + 30 + minute - 180 };
        day.start_ms() + minute * 60_000 + self.dice.between(0, 59_999)
    }

    pub(super) fn begin_extra(&mut self, at: i64, lot: &mut Lot) -> Next {
        let Some(extra) = lot.extra else { return self.plan(at, lot) };
        if let Extra::Detour(road) = extra {
            lot.extra = None;
            return self.detour(at, lot, road, 0);
        }
        let holder = self.party(lot.holder);
        let bank = self.world.bank(&mut self.dice);
        let bank_party = self.party(bank);
        let when = self.soon(at, 60, 3_600);
        let bill = &mut self.bills.get(lot.bill).bill;
        let amount = bill.amount(lot.range);
        let (fact, next) = match extra {
            Extra::Pledge => {
                let draft = bill.act(behaviour::PLG_REQ, at, lot.range, holder, bank_party);
                (draft.int(Field::SecuredFen, amount / 10 * 8).done(), (when, Step::EndExtra))
            }
            Extra::Guarantee => {
                let draft = bill.act(behaviour::GUE_REQ, at, lot.range, holder, bank_party);
                (draft.int(Field::GuaranteeFen, amount).done(), (when, Step::EndExtra))
            }
            Extra::Enhancement => {
                let kind = if bill.serial.is_multiple_of(3) { behaviour::ENH_PAY } else { behaviour::ENH_DSC };
                let draft = bill.act(kind, at, lot.range, bank_party, holder);
                let fact = draft.int(Field::EnhanceFen, amount).done();
                lot.enhanced = true;
                lot.extra = None;
                self.out.push(fact);
                return self.plan(at, lot);
            }
            Extra::Freeze => {
                let court = super::draft::Party::court(bill.serial % 300 + 1);
                let fact = bill.court(behaviour::LSF_FRZ, at, lot.range, court, holder);
                let day = self.calendar.after(Day::of_time(at), 3);
                (fact, (self.office_time(day), Step::EndExtra))
            }
            Extra::EarlyPayment => {
                let fact = bill.ask(behaviour::PAY_ERQ, at, lot.range, holder, bill.acceptor);
                (fact, (when, Step::EndExtra))
            }
            Extra::Detour(_) => return self.plan(at, lot),
        };
        lot.other = bank;
        lot.request = fact.event_id;
        self.out.push(fact);
        Some(next)
    }

    pub(super) fn end_extra(&mut self, at: i64, lot: &mut Lot) -> Next {
        let Some(extra) = lot.extra.take() else { return self.plan(at, lot) };
        let (holder, other) = (self.party(lot.holder), self.party(lot.other));
        let agreed = !self.dice.chance(300);
        let live = self.bills.get(lot.bill);
        let bill = &mut live.bill;
        let amount = bill.amount(lot.range);
        match extra {
            Extra::Pledge if agreed => {
                let draft = bill.act(behaviour::PLG_SGN, at, lot.range, other, holder).answers(lot.request);
                let fact = draft.code(Field::AnswerCode, "SU00").int(Field::SecuredFen, amount / 10 * 8).done();
                let due = bill.due;
                self.out.push(fact);
                lot.pledged = true;
                let day = self.calendar.after(Day::of_time(at), 5 + self.dice.below(40) as u32);
                if day.plus(QUIET_DAYS) >= due || self.dice.chance(2_000) {
                    return Some((due.start_ms(), Step::Mature));
                }
                Some((self.office_time(day), Step::AskRelease))
            }
            Extra::Pledge => {
                let fact = bill.refuse(behaviour::PLG_REJ, at, lot.range, other, holder, lot.request, "RJ05");
                self.out.push(fact);
                self.plan(at, lot)
            }
            Extra::Guarantee => {
                let draft = bill.act(behaviour::GUE_SGN, at, lot.range, other, holder).answers(lot.request);
                let fact = draft.code(Field::AnswerCode, "SU00").int(Field::GuaranteeFen, amount).done();
                self.out.push(fact);
                self.plan(at, lot)
            }
            Extra::Freeze => {
                let court = super::draft::Party::court(bill.serial % 300 + 1);
                let fact = bill.court(behaviour::LSF_UNF, at, lot.range, court, holder);
                self.out.push(fact);
                self.plan(at, lot)
            }
            Extra::EarlyPayment if agreed => {
                let (acceptor, drawer) = (bill.acceptor, live.drawer);
                let fact = bill.agree(behaviour::PAY_ESG, at, lot.range, acceptor, holder, lot.request);
                self.out.push(fact);
                self.world.enterprises[drawer].outstanding_fen -= amount;
                None
            }
            Extra::EarlyPayment => {
                let draft = bill.act(behaviour::PAY_ERJ, at, lot.range, bill.acceptor, holder).answers(lot.request);
                let fact = draft.code(Field::AnswerCode, "SU01").code(Field::DishonourReason, "DC07").done();
                self.out.push(fact);
                // A bill once refused, however early, is kept until its due date (P010).
                lot.hops = 0;
                lot.discount_on = None;
                self.plan(at, lot)
            }
            Extra::Enhancement | Extra::Detour(_) => self.plan(at, lot),
        }
    }

    pub(super) fn ask_release(&mut self, at: i64, lot: &mut Lot) -> Next {
        let (holder, pledgee) = (self.party(lot.holder), self.party(lot.other));
        let fact = self.bills.get(lot.bill).bill.ask(behaviour::PLR_REQ, at, lot.range, pledgee, holder);
        lot.request = fact.event_id;
        self.out.push(fact);
        Some((self.soon(at, 60, 3_600), Step::AnswerRelease))
    }

    pub(super) fn answer_release(&mut self, at: i64, lot: &mut Lot) -> Next {
        let (holder, pledgee) = (self.party(lot.holder), self.party(lot.other));
        let bill = &mut self.bills.get(lot.bill).bill;
        let fact = bill.agree(behaviour::PLR_SGN, at, lot.range, holder, pledgee, lot.request);
        self.out.push(fact);
        lot.pledged = false;
        self.plan(at, lot)
    }

    /// A clean rate for this lot on this day.
    pub(super) fn rate(&mut self, at: i64, lot: &Lot) -> i64 {
        let live = self.bills.get(lot.bill);
        let days = i64::from(live.bill.due_adjusted.0 - Day::of_time(at).0);
        let enhanced = lot.enhanced && live.bill.kind == Kind::Commercial;
        let class = if enhanced { 7 } else { self.world.price_class(live.acceptor) };
        self.curve.rate(class, days) + self.dice.between(-PRICE_NOISE, PRICE_NOISE)
    }

    /// A clean rate of a discount: above that of a sale between banks.
    pub(super) fn discount_rate(&mut self, at: i64, lot: &Lot) -> i64 {
        self.rate(at, lot) + DISCOUNT_MARGIN
    }

    fn discount(&mut self, at: i64, lot: &Lot) -> Discount {
        let parties = (self.party(lot.holder), self.party(lot.other));
        let bill = &self.bills.get(lot.bill).bill;
        Discount::priced(bill, lot.range, parties.0, parties.1, lot.rate_e4, Day::of_time(at))
    }

    pub(super) fn ask_discount(&mut self, at: i64, lot: &mut Lot) -> Next {
        let live = self.bills.get(lot.bill);
        // The discounters of a commercial acceptor take turns: no bank is its captive discounter.
        lot.other = match live.bill.kind {
            Kind::Commercial => self.world.bank_in_turn(live.bill.serial as usize),
            _ => self.world.bank(&mut self.dice),
        };
        lot.discount_on = None;
        self.cut(at, lot, 300);
        lot.rate_e4 = self.discount_rate(at, lot);
        let terms = self.discount(at, lot);
        let fact = self.bills.get(lot.bill).bill.ask_discount(at, &terms);
        lot.request = fact.event_id;
        self.out.push(fact);
        let when = self.soon(at, 60, 3_600);
        Some((when, Step::AnswerDiscount))
    }

    pub(super) fn answer_discount(&mut self, at: i64, lot: &mut Lot) -> Next {
        let terms = self.discount(at, lot);
        let ticket = self.dice.below(1_000);
        let bill = &mut self.bills.get(lot.bill).bill;
        let (range, applicant, discounter) = (lot.range, terms.applicant, terms.discounter);
        let fact = match ticket {
            0..15 => bill.refuse(behaviour::DSC_REJ, at, range, discounter, applicant, lot.request, "RJ05"),
            15..22 => bill.withdraw(behaviour::DSC_WDR, at, range, applicant, discounter, lot.request),
            22..25 => bill
                .act_in(bill.source, behaviour::DSC_CLR, at, range, super::draft::Party::SYSTEM, applicant)
                .answers(lot.request)
                .code(Field::NoticeKind, "NT07")
                .done(),
            _ => bill.agree_discount(at, lot.request, &terms),
        };
        let agreed = fact.behaviour == behaviour::DSC_SGN;
        self.out.push(fact);
        if !agreed {
            // Most try again some days later.
            lot.discount_on = (!ticket.is_multiple_of(4)).then(|| Day::of_time(at).plus(2));
            return self.plan(at, lot);
        }
        Some((self.soon(at, 1, 60), Step::SettleDiscount))
    }

    pub(super) fn settle_discount(&mut self, at: i64, lot: &mut Lot) -> Next {
        let terms = self.discount(at, lot);
        let failed = self.dice.chance(10);
        let bill = &mut self.bills.get(lot.bill).bill;
        let amount = bill.amount(lot.range);
        let mut fact = if failed {
            bill.fail_discount(at, lot.request, &terms)
        } else {
            bill.settle_discount(at, lot.request, &terms)
        };
        if std::mem::take(&mut lot.first_leg) != 0 {
            fact.set(Field::Channel, Value::Code(Code::of("DTH")));
            fact.set(Field::DiscountType, Value::Code(Code::of("RM02")));
        }
        self.out.push(fact);
        if failed {
            return self.plan(at, lot);
        }
        self.bought(lot, amount);
        lot.trades = self.trades.draw(&mut self.dice) as u8;
        self.draw_detour(lot, &OF_BANKS);
        self.plan(at, lot)
    }

    /// The bank `other` becomes the holder.
    fn bought(&mut self, lot: &mut Lot, amount: i64) {
        if let Some(seller) = lot.holder.institution() {
            self.held(seller, -amount);
        }
        lot.move_to(lot.other);
        if let Some(buyer) = lot.holder.institution() {
            self.held(buyer, amount);
        }
    }

    pub(super) fn held(&mut self, institution: usize, amount: i64) {
        if let Some(member) = self.world.institutions.get_mut(institution) {
            member.holdings_fen += amount;
        }
    }

    fn deal(&mut self, lot: &Lot) -> Deal {
        let sides = (self.party(lot.holder), self.party(lot.other));
        let bill = &self.bills.get(lot.bill).bill;
        if lot.product.is_repo() {
            let first = bill.amount(lot.range) / 100 * 95;
            Deal::repo(lot.deal, lot.range, sides, lot.rate_e4, first, lot.repo_days, lot.deal_day)
        } else {
            Deal::outright(lot.deal, bill, lot.range, sides, lot.rate_e4, lot.deal_day)
        }
    }

    pub(super) fn quote(&mut self, at: i64, lot: &mut Lot) -> Next {
        let today = Day::of_time(at);
        let next = self.calendar.after(today, 1);
        // From quote to cash an hour passes at the most, and cash must move by 17:00 (P127).
        let is_late = at >= today.start_ms() + LAST_QUOTE_MS;
        if is_late && next.plus(QUIET_DAYS) <= self.bills.get(lot.bill).bill.due {
            return Some((self.trading_time(next), Step::Quote));
        }
        lot.trades -= 1;
        if is_late {
            return self.plan(at, lot);
        }
        // Never back to a bank that had it: that would be an interbank round trip.
        let buyer = (0..4).map(|_| self.world.bank(&mut self.dice)).find(|bank| !lot.had(*bank));
        let Some(buyer) = buyer.filter(|_| lot.can_move()) else { return self.plan(at, lot) };
        lot.other = buyer;
        lot.product = match self.dice.below(1_000) {
            0..660 => Product::Outright,
            660..830 => Product::Click,
            830..970 => Product::Repo,
            970..983 => Product::Buyout,
            983..990 => Product::RepoRediscount,
            _ => Product::Rediscount,
        };
        let (amount, due, source) = {
            let bill = &self.bills.get(lot.bill).bill;
            (bill.amount(lot.range), bill.due, bill.source)
        };
        if source == Source::Preg {
            lot.product = Product::Outright;
        }
        if lot.product.is_repo() {
            let term = match self.dice.below(10) {
                0..6 => 1,
                6..9 => 7,
                _ => 14 + self.dice.below(46) as i32,
            };
            lot.repo_days = i64::from(self.calendar.roll(today.plus(term)).0 - today.0);
            let seller = lot.holder.institution().and_then(|place| self.world.institutions.get(place));
            // A bank borrows against less than a third of what it holds.
            let fits = seller.is_some_and(|bank| (bank.repo_fen + amount) * 3 < bank.holdings_fen);
            if !fits || today.plus(lot.repo_days as i32 + QUIET_DAYS) > due || amount < 100 {
                lot.product = Product::Outright;
            }
        }
        if matches!(lot.product, Product::Rediscount | Product::RepoRediscount) {
            lot.other = Who::PBOC;
        }
        lot.rate_e4 = match lot.product {
            Product::Repo | Product::Buyout => 16_000 + self.dice.between(-2_000, 2_000),
            Product::Rediscount | Product::RepoRediscount => REDISCOUNT_RATE,
            _ => self.rate(at, lot),
        };
        self.deals += 1;
        lot.deal = self.deals;
        lot.deal_day = today;
        let deal = self.deal(lot);
        let bill = &mut self.bills.get(lot.bill).bill;
        let fact = match lot.product {
            Product::Click => bill.publish_quote(at, &deal),
            product => bill.quote(product.quote(), at, &deal),
        };
        lot.request = fact.event_id;
        self.out.push(fact);
        Some((self.soon(at, 10, 1_800), Step::AnswerQuote))
    }

    pub(super) fn answer_quote(&mut self, at: i64, lot: &mut Lot) -> Next {
        let deal = self.deal(lot);
        let refused = self.dice.chance(800);
        let bill = &mut self.bills.get(lot.bill).bill;
        if refused {
            let fact = match lot.product {
                Product::Click => bill.withdraw_quote(at, lot.request, &deal),
                product => bill.refuse_quote(product.refusal(), at, lot.request, &deal),
            };
            self.out.push(fact);
            return self.plan(at, lot);
        }
        let fact = bill.accept_quote(lot.product.acceptance(), at, lot.request, &deal);
        self.out.push(fact);
        let step = if lot.product.deal().is_some() { Step::Strike } else { Step::SettleDeal };
        Some((self.soon(at, 1, 3), step))
    }

    pub(super) fn strike(&mut self, at: i64, lot: &mut Lot) -> Next {
        let deal = self.deal(lot);
        if let Some(behaviour) = lot.product.deal() {
            let fact = self.bills.get(lot.bill).bill.strike(behaviour, at, lot.request, &deal);
            self.out.push(fact);
        }
        Some((self.soon(at, 60, 1_800), Step::SettleDeal))
    }

    pub(super) fn settle_deal(&mut self, at: i64, lot: &mut Lot) -> Next {
        let deal = self.deal(lot);
        let failed = matches!(lot.product, Product::Outright | Product::Click) && self.dice.chance(20);
        let bill = &mut self.bills.get(lot.bill).bill;
        let amount = bill.amount(lot.range);
        if failed {
            let fact = bill.fail(behaviour::IBT_FLD, at, lot.request, &deal);
            self.out.push(fact);
            return self.plan(at, lot);
        }
        let fact = bill.settle(lot.product.settlement(), at, lot.request, &deal);
        lot.first_leg = fact.event_id;
        self.out.push(fact);
        if lot.product.is_repo() {
            self.lent(lot, amount);
            return Some((self.trading_time(deal.redeem()), Step::Redeem));
        }
        self.bought(lot, amount);
        if lot.product == Product::Rediscount {
            lot.trades = 0;
        }
        self.plan(at, lot)
    }

    /// A repo opens (amount above 0) or ends (below 0).
    fn lent(&mut self, lot: &Lot, amount: i64) {
        if let Some(seller) = lot.holder.institution().and_then(|place| self.world.institutions.get_mut(place)) {
            seller.repo_fen += amount;
        }
    }

    pub(super) fn redeem(&mut self, at: i64, lot: &mut Lot) -> Next {
        let deal = self.deal(lot);
        let bill = &mut self.bills.get(lot.bill).bill;
        let amount = bill.amount(lot.range);
        let fact = bill.redeem(lot.product.redemption(), at, std::mem::take(&mut lot.first_leg), &deal);
        self.out.push(fact);
        self.lent(lot, -amount);
        self.plan(at, lot)
    }

    pub(super) fn discount_paper(&mut self, at: i64, lot: &mut Lot) -> Next {
        lot.other = self.world.bank(&mut self.dice);
        lot.rate_e4 = self.discount_rate(at, lot);
        let terms = self.discount(at, lot);
        let bill = &mut self.bills.get(lot.bill).bill;
        let amount = bill.amount(lot.range);
        let fact = bill.discount_paper(at, &terms);
        self.out.push(fact);
        self.bought(lot, amount);
        self.plan(at, lot)
    }

    pub(super) fn close_paper(&mut self, at: i64, lot: &Lot) -> Next {
        let live = self.bills.get(lot.bill);
        let event = live.bill.next_event();
        let fact = Draft::new(behaviour::PPR_CLS, at, Source::Preg, event)
            .about(live.bill.id, lot.range, live.bill.amount(lot.range))
            .from(live.bill.acceptor)
            .done();
        self.out.push(fact);
        self.ended(lot);
        None
    }
}
