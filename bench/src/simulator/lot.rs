//! A lot under way in normal trade: what it is, who had it, and what it does next.

use billwatch_market::fact::{Behaviour, EventId, Range, behaviour};
use billwatch_market::ids::Day;

use super::detours::Detour;
use super::life::Bill;
use super::world::Who;

/// The next thing that a lot does. Each step writes one fact and names the step after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// ACC.REQ.
    AskAcceptance,
    /// ACC.SGN, ACC.REJ or ACC.WDR.
    AnswerAcceptance,
    /// RCV.REQ.
    AskReceipt,
    /// RCV.SGN, RCV.REJ or RCV.WDR.
    AnswerReceipt,
    /// ISS.RVK.
    Revoke,
    /// END.REQ, often on a part.
    AskEndorsement,
    /// END.SGN, END.REJ or END.WDR.
    AnswerEndorsement,
    /// The one special thing of this lot begins.
    BeginExtra,
    /// It is answered or ends.
    EndExtra,
    /// PLR.REQ.
    AskRelease,
    /// PLR.SGN.
    AnswerRelease,
    /// DSC.REQ, often on a part.
    AskDiscount,
    /// DSC.SGN, DSC.REJ, DSC.WDR or DSC.CLR.
    AnswerDiscount,
    /// DSC.SET or DSC.FLD.
    SettleDiscount,
    /// A quote or a rediscount request.
    Quote,
    /// Its answer.
    AnswerQuote,
    /// The deal.
    Strike,
    /// First settlement.
    SettleDeal,
    /// Second leg.
    Redeem,
    /// PPR.DSC.
    DiscountPaper,
    /// PPR.CLS.
    ClosePaper,
    /// A stage of a side road.
    Detour(Detour, u8),
    /// PAY.QUE.
    QueuePayment,
    /// PAY.MAT.
    Mature,
    /// PAY.REQ or PAY.AUT.
    Present,
    /// PAY.SGN or PAY.REJ.
    AnswerPayment,
    /// PAY.SET.
    Pay,
    /// PAY.DIS to the drawer, then to the payee.
    NotifyDishonour(u8),
    /// RCS.NTC or RCS.RRN.
    NotifyRecourse,
    /// RCS.AGR.
    OfferSettlement,
    /// RCS.AGS.
    AgreeSettlement,
    /// RCS.SET.
    SettleRecourse,
}

/// The one special thing that a lot may do before it is discounted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extra {
    /// Pledge, released later or presented by the pledgee.
    Pledge,
    /// Guarantee of an endorsement.
    Guarantee,
    /// A bank undertakes to discount (commercial bills).
    Enhancement,
    /// Court freeze and release.
    Freeze,
    /// Early presentation.
    EarlyPayment,
    /// A rarer product.
    Detour(Detour),
}

/// Product of an interbank deal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Product {
    /// Dialogue quote, outright.
    Outright,
    /// Click to trade, outright.
    Click,
    /// Pledged repo.
    Repo,
    /// Buyout repo.
    Buyout,
    /// Outright rediscount.
    Rediscount,
    /// Pledged repo with the central bank.
    RepoRediscount,
}

impl Product {
    /// The opening quote or request.
    pub fn quote(self) -> Behaviour {
        match self {
            Product::Outright => behaviour::IBT_QTE,
            Product::Click => behaviour::IBT_CKS,
            Product::Repo => behaviour::RPO_QTE,
            Product::Buyout => behaviour::BRP_QTE,
            Product::Rediscount => behaviour::RDC_BRQ,
            Product::RepoRediscount => behaviour::RDC_RRQ,
        }
    }

    /// The yes to it.
    pub fn acceptance(self) -> Behaviour {
        match self {
            Product::Outright => behaviour::IBT_QAC,
            Product::Click => behaviour::IBT_CKH,
            Product::Repo => behaviour::RPO_QAC,
            Product::Buyout => behaviour::BRP_QAC,
            Product::Rediscount | Product::RepoRediscount => behaviour::RDC_APR,
        }
    }

    /// The no to it.
    pub fn refusal(self) -> Behaviour {
        match self {
            Product::Outright | Product::Click => behaviour::IBT_QRJ,
            Product::Repo => behaviour::RPO_QRJ,
            Product::Buyout => behaviour::BRP_QRJ,
            Product::Rediscount | Product::RepoRediscount => behaviour::RDC_REJ,
        }
    }

    /// The deal; a rediscount has none.
    pub fn deal(self) -> Option<Behaviour> {
        match self {
            Product::Outright | Product::Click => Some(behaviour::IBT_DEL),
            Product::Repo => Some(behaviour::RPO_DEL),
            Product::Buyout => Some(behaviour::BRP_DEL),
            Product::Rediscount | Product::RepoRediscount => None,
        }
    }

    /// First settlement.
    pub fn settlement(self) -> Behaviour {
        match self {
            Product::Outright | Product::Click => behaviour::IBT_SET,
            Product::Repo => behaviour::RPO_SET,
            Product::Buyout => behaviour::BRP_SET,
            Product::Rediscount => behaviour::RDC_BST,
            Product::RepoRediscount => behaviour::RDC_RST,
        }
    }

    /// Second leg of the kinds of repo.
    pub fn redemption(self) -> Behaviour {
        match self {
            Product::Buyout => behaviour::BRP_RED,
            Product::RepoRediscount => behaviour::RDC_RED,
            _ => behaviour::RPO_RED,
        }
    }

    /// Has a second leg.
    pub fn is_repo(self) -> bool {
        matches!(self, Product::Repo | Product::Buyout | Product::RepoRediscount)
    }
}

/// Former holders that a lot remembers; more hops or sales are not drawn.
const REMEMBERED: usize = 12;

/// A lot under way.
#[derive(Clone, Copy, Debug)]
pub struct Lot {
    /// Slot of its bill.
    pub bill: u32,
    /// What it does next.
    pub step: Step,
    /// Its range.
    pub range: Range,
    /// Its holder.
    pub holder: Who,
    /// Other side of the open request; after a pledge the pledgee.
    pub other: Who,
    /// Holder before the present one (the first debtor of a recourse).
    pub prior: Who,
    /// The open request, presentation or first leg.
    pub request: EventId,
    /// First settlement of an open repo; the listing of a discount-through.
    pub first_leg: EventId,
    /// Endorsements still wanted.
    pub hops: u8,
    /// Interbank deals still wanted.
    pub trades: u8,
    /// Wants to be discounted, from this day on.
    pub discount_on: Option<Day>,
    /// The special thing still to come.
    pub extra: Option<Extra>,
    /// Pledged: presented by the pledgee.
    pub pledged: bool,
    /// A discount undertaking is live.
    pub enhanced: bool,
    /// Recourse settlements so far.
    pub recourses: u8,
    /// Product of the open deal.
    pub product: Product,
    /// Number of the open deal.
    pub deal: u64,
    /// Rate of the open discount or deal, percent times 10^4.
    pub rate_e4: i64,
    /// Days of the open repo.
    pub repo_days: i64,
    /// Settlement day of the open deal.
    pub deal_day: Day,
    had: [Who; REMEMBERED],
    had_count: u8,
}

impl Lot {
    /// The whole of a new bill, held by its drawer.
    pub fn new(bill: u32, range: Range, drawer: Who) -> Self {
        Lot {
            bill,
            step: Step::AskAcceptance,
            range,
            holder: drawer,
            other: drawer,
            prior: drawer,
            request: 0,
            first_leg: 0,
            hops: 0,
            trades: 0,
            discount_on: None,
            extra: None,
            pledged: false,
            enhanced: false,
            recourses: 0,
            product: Product::Outright,
            deal: 0,
            rate_e4: 0,
            repo_days: 0,
            deal_day: Day(0),
            had: [drawer; REMEMBERED],
            had_count: 1,
        }
    }

    /// True when this party holds or held it, as far as remembered.
    pub fn had(&self, party: Who) -> bool {
        self.had[..usize::from(self.had_count)].iter().any(|known| known.same_party(party))
    }

    /// True when one more holder can be remembered.
    pub fn can_move(&self) -> bool {
        usize::from(self.had_count) < REMEMBERED
    }

    /// A new holder.
    pub fn move_to(&mut self, holder: Who) {
        self.prior = self.holder;
        self.holder = holder;
        if self.can_move() {
            self.had[usize::from(self.had_count)] = holder;
            self.had_count += 1;
        }
    }
}

/// A bill under way.
pub struct Live {
    /// Header and event numbers.
    pub bill: Bill,
    /// Drawer, acceptor, payee in the world.
    pub drawer: usize,
    /// Acceptor in the world.
    pub acceptor: Who,
    /// Payee in the world.
    pub payee: Who,
    /// Lots made so far.
    pub lots: u8,
    /// Live lots and pending disclosures.
    pub users: u8,
}

/// Values kept in slots that are used again; what is live bounds the memory.
pub struct Slots<T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Slots { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// Keeps a value; its slot.
    pub fn keep(&mut self, value: T) -> u32 {
        match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(value);
                slot
            }
            None => {
                self.slots.push(Some(value));
                (self.slots.len() - 1) as u32
            }
        }
    }

    /// The value of a slot in use.
    pub fn get(&mut self, slot: u32) -> &mut T {
        self.slots[slot as usize].as_mut().expect("the slot is in use")
    }

    /// Ends a slot and gives its value.
    pub fn take(&mut self, slot: u32) -> T {
        self.free.push(slot);
        self.slots[slot as usize].take().expect("the slot is in use")
    }

    /// Slots in use.
    pub fn live(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}
