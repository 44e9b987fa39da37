//! Discount, outright sale, repo, buyout repo and rediscount as facts, with their prices.
//!
//! The cash of a deal is computed once, in its terms, so that request, deal and settlement say the same.

use billwatch_market::fact::{Behaviour, EventId, Fact, Field, Range, Source, behaviour};
use billwatch_market::ids::Day;

use super::draft::{Draft, Party};
use super::life::Bill;
use super::price;

/// A discount of one range.
#[derive(Clone, Copy, Debug)]
pub struct Discount {
    /// What is discounted.
    pub range: Range,
    /// Who sells.
    pub applicant: Party,
    /// Who buys.
    pub discounter: Party,
    /// Percent times 10^4.
    pub rate_e4: i64,
    /// Fen.
    pub interest_fen: i64,
    /// Fen the applicant gets.
    pub pay_fen: i64,
}

impl Discount {
    /// Priced by the formula for settlement on `day`.
    pub fn priced(bill: &Bill, range: Range, applicant: Party, discounter: Party, rate_e4: i64, day: Day) -> Self {
        let days = i64::from(bill.due_adjusted.0 - day.0);
        let (interest_fen, pay_fen) = price::discount(bill.amount(range), rate_e4, days);
        Discount { range, applicant, discounter, rate_e4, interest_fen, pay_fen }
    }
}

/// An interbank deal over one range: outright, repo, buyout repo or rediscount.
#[derive(Clone, Copy, Debug)]
pub struct Deal {
    /// Number of the deal in this simulation; one deal may have several ranges.
    pub serial: u64,
    /// Ranges of the deal.
    pub lines: i64,
    /// What is traded.
    pub range: Range,
    /// Seller, repo seller.
    pub seller: Party,
    /// Buyer, repo buyer.
    pub buyer: Party,
    /// Percent times 10^4.
    pub rate_e4: i64,
    /// Outright: cash of the settlement; repo: cash of the first leg. Fen.
    pub cash_fen: i64,
    /// Outright: interest; repo: 0. Fen.
    pub interest_fen: i64,
    /// Repo: cash of the second leg. Fen.
    pub redeem_fen: i64,
    /// Repo: days to the second leg; outright: 0.
    pub repo_days: i64,
    /// Day of the (first) settlement.
    pub settle: Day,
}

impl Deal {
    /// An outright sale, priced by the formula for settlement on `day`.
    pub fn outright(
        serial: u64,
        bill: &Bill,
        range: Range,
        (seller, buyer): (Party, Party),
        rate_e4: i64,
        day: Day,
    ) -> Self {
        let days = i64::from(bill.due_adjusted.0 - day.0);
        let (interest_fen, cash_fen) = price::discount(bill.amount(range), rate_e4, days);
        Deal {
            serial,
            lines: 1,
            range,
            seller,
            buyer,
            rate_e4,
            cash_fen,
            interest_fen,
            redeem_fen: 0,
            repo_days: 0,
            settle: day,
        }
    }

    /// A repo of `first_fen` for `repo_days`.
    pub fn repo(
        serial: u64,
        range: Range,
        (seller, buyer): (Party, Party),
        rate_e4: i64,
        first_fen: i64,
        repo_days: i64,
        day: Day,
    ) -> Self {
        Deal {
            serial,
            lines: 1,
            range,
            seller,
            buyer,
            rate_e4,
            cash_fen: first_fen,
            interest_fen: 0,
            redeem_fen: price::redemption(first_fen, rate_e4, repo_days),
            repo_days,
            settle: day,
        }
    }

    /// `deal_id` as written.
    pub fn id(&self) -> Box<str> {
        format!("D{:010}", self.serial).into_boxed_str()
    }

    /// Day of the second leg.
    pub fn redeem(&self) -> Day {
        self.settle.plus(self.repo_days as i32)
    }
}

/// The trader of an institution, as registered by MST.TRD.
pub fn trader(party: Party) -> Box<str> {
    format!("T{:06}", party.id.number()).into_boxed_str()
}

impl Bill {
    /// DSC.REQ.
    pub fn ask_discount(&mut self, at: i64, terms: &Discount) -> Fact {
        let draft = self.act(behaviour::DSC_REQ, at, terms.range, terms.applicant, terms.discounter);
        discount_terms(self.signed(draft, terms.applicant, ["PP01", "PP00"]), terms).done()
    }

    /// DSC.SGN.
    pub fn agree_discount(&mut self, at: i64, request: EventId, terms: &Discount) -> Fact {
        let draft = self
            .act(behaviour::DSC_SGN, at, terms.range, terms.discounter, terms.applicant)
            .answers(request)
            .code(Field::AnswerCode, "SU00")
            // Of each part its own: one invoice is discounted at one bank.
            .text(Field::InvoiceNo, format!("FP{}-{}", self.serial, terms.range.start));
        discount_terms(self.signed(draft, terms.discounter, ["PS01", "PS00"]), terms).done()
    }

    /// DSC.SET.
    pub fn settle_discount(&mut self, at: i64, request: EventId, terms: &Discount) -> Fact {
        let draft = self
            .act_in(Source::Clrs, behaviour::DSC_SET, at, terms.range, Party::SYSTEM, terms.applicant)
            .answers(request)
            .code(Field::SettlementResult, "OK")
            .code(Field::SettlementBusiness, "RE4011");
        discount_terms(discount_parties(draft, terms), terms).done()
    }

    /// DSC.FLD: the discounter was short of cash.
    pub fn fail_discount(&mut self, at: i64, request: EventId, terms: &Discount) -> Fact {
        let draft = self
            .act_in(Source::Clrs, behaviour::DSC_FLD, at, terms.range, Party::SYSTEM, terms.applicant)
            .answers(request)
            .code(Field::SettlementResult, "FAIL_CASH");
        discount_parties(draft, terms).done()
    }

    /// PPR.DSC: a paper bill is discounted.
    pub fn discount_paper(&mut self, at: i64, terms: &Discount) -> Fact {
        let event = self.next_event();
        let draft = Draft::new(behaviour::PPR_DSC, at, Source::Preg, event)
            .about(self.id, terms.range, self.amount(terms.range))
            .from(terms.discounter)
            .int(Field::RateE4, terms.rate_e4)
            .int(Field::InterestFen, terms.interest_fen)
            .int(Field::PayFen, terms.pay_fen);
        discount_parties(draft, terms).done()
    }

    /// A quote of the seller to the buyer (IBT.QTE, RPO.QTE, BRP.QTE) or to the PBOC (RDC.BRQ, RDC.RRQ).
    pub fn quote(&mut self, behaviour: Behaviour, at: i64, deal: &Deal) -> Fact {
        let draft = self.trade(behaviour, at, deal, deal.seller, deal.buyer);
        deal_terms(draft, deal).text(Field::TraderId, trader(deal.seller)).done()
    }

    /// IBT.CKS: a quote open to everybody.
    pub fn publish_quote(&mut self, at: i64, deal: &Deal) -> Fact {
        let draft = self.trade(behaviour::IBT_CKS, at, deal, deal.seller, Party::MARKET);
        deal_terms(draft, deal).text(Field::TraderId, trader(deal.seller)).done()
    }

    /// The buyer's yes (IBT.QAC, IBT.CKH, RPO.QAC, BRP.QAC) or the PBOC's (RDC.APR).
    pub fn accept_quote(&mut self, behaviour: Behaviour, at: i64, request: EventId, deal: &Deal) -> Fact {
        let draft = self.trade(behaviour, at, deal, deal.buyer, deal.seller).answers(request);
        deal_terms(draft, deal).text(Field::TraderId, trader(deal.buyer)).done()
    }

    /// The buyer's no (IBT.QRJ, RPO.QRJ, BRP.QRJ, RDC.REJ).
    pub fn refuse_quote(&mut self, behaviour: Behaviour, at: i64, request: EventId, deal: &Deal) -> Fact {
        self.trade(behaviour, at, deal, deal.buyer, deal.seller)
            .answers(request)
            .text(Field::DealId, deal.id())
            .code(Field::RejectReason, "RJ07")
            .done()
    }

    /// The seller takes an open quote back (IBT.CKX).
    pub fn withdraw_quote(&mut self, at: i64, request: EventId, deal: &Deal) -> Fact {
        self.trade(behaviour::IBT_CKX, at, deal, deal.seller, Party::MARKET)
            .answers(request)
            .text(Field::DealId, deal.id())
            .done()
    }

    /// The deal itself (IBT.DEL, RPO.DEL, BRP.DEL).
    pub fn strike(&mut self, behaviour: Behaviour, at: i64, request: EventId, deal: &Deal) -> Fact {
        let draft = self.trade(behaviour, at, deal, Party::SYSTEM, deal.buyer).answers(request);
        deal_sides(deal_terms(draft, deal), deal)
            .text(Field::TraderId, trader(deal.seller))
            .text(Field::CounterpartyTraderId, trader(deal.buyer))
            .done()
    }

    /// Cash and bill move (IBT.SET, RPO.SET, BRP.SET, RDC.BST, RDC.RST).
    pub fn settle(&mut self, behaviour: Behaviour, at: i64, request: EventId, deal: &Deal) -> Fact {
        let draft = self
            .act_in(Source::Clrs, behaviour, at, deal.range, Party::SYSTEM, deal.buyer)
            .answers(request)
            .code(Field::SettlementResult, "OK")
            .code(Field::SettlementBusiness, settlement_business(behaviour));
        let draft = if behaviour == behaviour::RDC_BST || behaviour == behaviour::RDC_RST {
            draft.code(Field::RediscountPurpose, "RP01")
        } else {
            draft
        };
        deal_sides(deal_terms(draft, deal), deal).done()
    }

    /// The settlement fails for want of cash (IBT.FLD, RPO.FLD).
    pub fn fail(&mut self, behaviour: Behaviour, at: i64, request: EventId, deal: &Deal) -> Fact {
        let draft = self
            .act_in(Source::Clrs, behaviour, at, deal.range, Party::SYSTEM, deal.seller)
            .answers(request)
            .code(Field::SettlementResult, "FAIL_CASH")
            .text(Field::DealId, deal.id());
        deal_sides(draft, deal).done()
    }

    /// The second leg (RPO.RED, BRP.RED, RDC.RED).
    pub fn redeem(&mut self, behaviour: Behaviour, at: i64, first_leg: EventId, deal: &Deal) -> Fact {
        let draft = self
            .act_in(Source::Clrs, behaviour, at, deal.range, Party::SYSTEM, deal.seller)
            .answers(first_leg)
            .code(Field::SettlementResult, "OK")
            .code(Field::SettlementBusiness, settlement_business(behaviour))
            .code(Field::SettlementMethod, "DVP")
            .text(Field::DealId, deal.id())
            .int(Field::RedeemFen, deal.redeem_fen);
        deal_sides(draft, deal).done()
    }

    fn trade(&mut self, behaviour: Behaviour, at: i64, deal: &Deal, from: Party, to: Party) -> Draft {
        self.act_in(Source::Cpes, behaviour, at, deal.range, from, to)
    }
}

fn discount_terms(draft: Draft, terms: &Discount) -> Draft {
    draft
        .int(Field::RateE4, terms.rate_e4)
        .int(Field::InterestFen, terms.interest_fen)
        .int(Field::PayFen, terms.pay_fen)
        .code(Field::DiscountType, "RM00")
        .code(Field::SettlementMethod, "DVP")
}

fn discount_parties(draft: Draft, terms: &Discount) -> Draft {
    draft.role(Field::ApplicantId, Field::ApplicantInst, terms.applicant).role(
        Field::DiscounterId,
        Field::DiscounterInst,
        terms.discounter,
    )
}

fn deal_terms(draft: Draft, deal: &Deal) -> Draft {
    let draft = draft
        .text(Field::DealId, deal.id())
        .int(Field::RateE4, deal.rate_e4)
        .date(Field::SettleDate, deal.settle)
        .code(Field::SettlementMethod, "DVP")
        .code(Field::SettlementSpeed, "T0")
        .int(Field::BillCount, deal.lines);
    if deal.repo_days == 0 {
        return draft.int(Field::SettleFen, deal.cash_fen).int(Field::InterestFen, deal.interest_fen);
    }
    draft
        .int(Field::FirstFen, deal.cash_fen)
        .int(Field::RedeemFen, deal.redeem_fen)
        .int(Field::RepoDays, deal.repo_days)
        .date(Field::RedeemDate, deal.redeem())
}

fn deal_sides(draft: Draft, deal: &Deal) -> Draft {
    draft.role(Field::SellerId, Field::SellerInst, deal.seller).role(Field::BuyerId, Field::BuyerInst, deal.buyer)
}

/// The settlement business of behaviours.csv `message_ref`.
fn settlement_business(behaviour: Behaviour) -> &'static str {
    match behaviour {
        behaviour::IBT_SET => "RE1011",
        behaviour::RPO_SET => "RE1021",
        behaviour::RPO_RED | behaviour::RPO_RDF => "RE1022",
        behaviour::RPO_ERD => "RE1023",
        behaviour::RPO_ORD => "RE1024",
        behaviour::BRP_SET => "RE1031",
        behaviour::BRP_RED | behaviour::BRP_RDF => "RE1032",
        behaviour::RDC_BST => "RE3011",
        behaviour::RDC_RST => "RE3021",
        behaviour::RDC_ERD => "RE3023",
        behaviour::RDC_ORD => "RE3024",
        _ => "RE3022",
    }
}
