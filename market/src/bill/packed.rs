//! The packed form of a bill ([`crate::packed`]): what is written, in which order.
//!
//! The number of live lots comes first, so that a resting bill can be weighed without being unpacked. A lineage is written
//! as what it shares with that of the lot before, and the rest: parts of one lot share nearly all of it.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{
    Bill,
    header::{BillKind, Disclosure, Header, NOT_TRANSFERABLE, TextHash},
    journal::Happened,
    lot::{Agreement, Lot, Marks, Notice, Rare, RepoDeal, Request, Step, Surety},
    state::{Flag, PayState, Risk, Status},
};
use crate::{
    bytes::{unzigzag, zigzag},
    fact::{OrderKey, Range, Source},
    ids::Code,
    packed::{Packer, Unpacker},
};

const HAS_HEADER: u8 = 1;
const HAS_LAST: u8 = 2;
const HAS_DISCLOSURE: u8 = 4;

const KIND_KNOWN: u8 = 4;
const TRANSFERABLE: u8 = 8;
const DIVISIBLE: u8 = 16;
const ACCEPTED: u8 = 32;
const HAS_CONTRACT: u8 = 64;

const HAS_REQUEST: u8 = 8;
const HAS_RARE: u8 = 16;
const SAME_RARE: u8 = 32;
const HAS_ANSWER_DUE: u8 = 64;
const HAS_OVERDUE: u8 = 128;

impl Bill {
    /// Writes the bill.
    pub fn pack(&self, to: &mut Packer) {
        to.number(self.live_lots().count() as u64);
        let has = |is_there: bool, bit: u8| if is_there { bit } else { 0 };
        to.byte(
            has(self.header.is_some(), HAS_HEADER)
                | has(self.last.is_some(), HAS_LAST)
                | has(self.disclosure.is_some(), HAS_DISCLOSURE),
        );
        if let Some(header) = &self.header {
            pack_header(header, to);
        }
        if let Some(last) = &self.last {
            to.time(last.event_time);
            to.byte(last.source_rank);
            to.number(last.source_seq);
            to.wide(last.event_id);
        }
        let face = self.header.as_ref().map_or(0, |header| header.face_fen);
        to.number(self.lots.len() as u64);
        let mut before: Option<&Lot> = None;
        for lot in &self.lots {
            pack_lot(lot, before, face, to);
            before = Some(lot);
        }
        to.number(self.journal.0.len() as u64);
        for happened in self.journal.iter() {
            to.behaviour(happened.behaviour);
            to.day(happened.first_on);
            to.day(happened.last_on);
            to.number(u64::from(happened.count));
        }
        if let Some(disclosure) = &self.disclosure {
            to.time(disclosure.at);
            to.maybe_day(disclosure.on);
            to.maybe_signed(disclosure.face_fen);
            to.maybe_day(disclosure.due_date);
            to.party(disclosure.acceptor);
        }
    }

    /// Reads what [`Bill::pack`] wrote into this bill, whatever it was; its memory is used again.
    pub fn unpack(&mut self, from: &mut Unpacker<'_>) {
        from.number();
        let flags = from.byte();
        self.header = if flags & HAS_HEADER != 0 { Some(unpack_header(from)) } else { None };
        self.last = if flags & HAS_LAST != 0 {
            Some(OrderKey {
                event_time: from.time(),
                source_rank: from.byte(),
                source_seq: from.number(),
                event_id: from.wide(),
            })
        } else {
            None
        };
        let face = self.header.as_ref().map_or(0, |header| header.face_fen);
        self.lots.clear();
        for _ in 0..from.count() {
            let lot = unpack_lot(self.lots.last(), face, from);
            self.lots.push(lot);
        }
        let happened = from.count();
        self.journal.0.clear();
        self.journal.0.reserve_exact(happened);
        for _ in 0..happened {
            self.journal.0.push(Happened {
                behaviour: from.behaviour(),
                first_on: from.day(),
                last_on: from.day(),
                count: from.small(),
            });
        }
        self.disclosure = if flags & HAS_DISCLOSURE != 0 {
            Some(Box::new(Disclosure {
                at: from.time(),
                on: from.maybe_day(),
                face_fen: from.maybe_signed(),
                due_date: from.maybe_day(),
                acceptor: from.party(),
            }))
        } else {
            None
        };
    }

    /// Number of live lots of a packed bill; the reader must be fresh.
    pub fn packed_live_lots(from: &mut Unpacker<'_>) -> u64 {
        from.number()
    }
}

fn pack_header(header: &Header, to: &mut Packer) {
    let has = |is_there: bool, bit: u8| if is_there { bit } else { 0 };
    to.byte(
        header.kind as u8
            | has(header.kind_known, KIND_KNOWN)
            | has(header.transferable, TRANSFERABLE)
            | has(header.divisible, DIVISIBLE)
            | has(header.accepted.is_some(), ACCEPTED)
            | has(header.contract_no.is_some(), HAS_CONTRACT),
    );
    to.time(header.registered_at);
    to.day(header.registered_on);
    to.code(Some(header.medium));
    to.signed(header.face_fen);
    to.day(header.issue_date);
    to.day(header.due_date);
    to.day(header.due_date_adjusted);
    to.party(Some(header.drawer));
    to.branch(header.drawer_inst);
    to.party(Some(header.acceptor));
    to.branch(header.acceptor_inst);
    to.party(Some(header.payee));
    to.branch(header.payee_inst);
    to.signed(header.margin_fen);
    if let Some((on, at)) = header.accepted {
        to.day(on);
        to.time(at);
    }
    to.code(header.channel);
    to.byte(header.source.rank());
    if let Some(contract) = header.contract_no {
        to.word(contract.bits());
    }
    to.code(header.goods_category);
}

fn unpack_header(from: &mut Unpacker<'_>) -> Header {
    let flags = from.byte();
    let kind = match flags & 3 {
        0 => BillKind::Bab,
        1 => BillKind::Fab,
        2 => BillKind::Cab,
        _ => {
            from.fail("packed bill kind");
            BillKind::Cab
        }
    };
    let registered_at = from.time();
    let registered_on = from.day();
    Header {
        bill_id: from.bill(),
        kind,
        kind_known: flags & KIND_KNOWN != 0,
        medium: named_code(from),
        face_fen: from.signed(),
        issue_date: from.day(),
        due_date: from.day(),
        due_date_adjusted: from.day(),
        drawer: from.named_party(),
        drawer_inst: from.branch(),
        acceptor: from.named_party(),
        acceptor_inst: from.branch(),
        payee: from.named_party(),
        payee_inst: from.branch(),
        transferable: flags & TRANSFERABLE != 0,
        divisible: flags & DIVISIBLE != 0,
        margin_fen: from.signed(),
        accepted: if flags & ACCEPTED != 0 { Some((from.day(), from.time())) } else { None },
        registered_on,
        registered_at,
        channel: from.code(),
        source: unpack_source(from),
        contract_no: if flags & HAS_CONTRACT != 0 { unpack_hash(from) } else { None },
        goods_category: from.code(),
    }
}

fn pack_lot(lot: &Lot, before: Option<&Lot>, face: i64, to: &mut Packer) {
    let has = |is_there: bool, bit: u8| if is_there { bit } else { 0 };
    let same_rare = lot.rare.is_some() && before.is_some_and(|before| before.rare == lot.rare);
    to.byte(
        lot.marks.bits()
            | has(lot.request.is_some(), HAS_REQUEST)
            | has(lot.rare.is_some(), HAS_RARE)
            | has(same_rare, SAME_RARE)
            | has(lot.answer_due.is_some(), HAS_ANSWER_DUE)
            | has(lot.overdue_since.is_some(), HAS_OVERDUE),
    );
    to.byte((lot.status as u8) << 4 | lot.flag as u8);
    to.byte((lot.risk as u8) << 4 | lot.pay_state as u8);
    to.range(lot.range);
    to.signed(lot.amount_fen.wrapping_sub(usual_amount(lot.range, face)));
    pack_lineage(&lot.lineage, before.map_or(&[], |before| &before.lineage), to);
    to.party(Some(lot.holder));
    to.branch(lot.holder_inst);
    to.number(u64::from(lot.hops));
    to.behaviour(lot.last_behaviour);
    to.day(lot.since);
    to.day(lot.changed_on);
    to.time(lot.changed_at);
    if let Some(day) = lot.overdue_since {
        to.day(day);
    }
    if let Some(day) = lot.answer_due {
        to.day(day);
    }
    if let Some(request) = &lot.request {
        pack_request(request, to);
    }
    if let Some(rare) = lot.rare.as_deref().filter(|_| !same_rare) {
        pack_rare(rare, to);
    }
}

fn unpack_lot(before: Option<&Lot>, face: i64, from: &mut Unpacker<'_>) -> Lot {
    let flags = from.byte();
    let (status, flag) = halves(from, Status::ALL, Flag::ALL);
    let (risk, pay_state) = halves(from, Risk::ALL, PayState::ALL);
    let range = from.range();
    let amount_fen = from.signed().wrapping_add(usual_amount(range, face));
    Lot {
        range,
        amount_fen,
        status,
        flag,
        risk,
        pay_state,
        marks: Marks::from_bits(flags),
        lineage: unpack_lineage(before.map(|before| &before.lineage), from),
        holder: from.named_party(),
        holder_inst: from.branch(),
        hops: from.small(),
        last_behaviour: from.behaviour(),
        since: from.day(),
        changed_on: from.day(),
        changed_at: from.time(),
        overdue_since: if flags & HAS_OVERDUE != 0 { Some(from.day()) } else { None },
        answer_due: if flags & HAS_ANSWER_DUE != 0 { Some(from.day()) } else { None },
        request: if flags & HAS_REQUEST != 0 { Some(unpack_request(from)) } else { None },
        rare: match flags & (HAS_RARE | SAME_RARE) {
            HAS_RARE => Some(Arc::new(unpack_rare(from))),
            0 => None,
            _ => before.and_then(|before| before.rare.clone()),
        },
    }
}

/// What the amount of a lot nearly always is.
fn usual_amount(range: Range, face: i64) -> i64 {
    if range == Range::WHOLE { face } else { range.end.wrapping_sub(range.start).wrapping_add(1) as i64 }
}

/// Two small codes in one byte.
fn halves<A: Copy, B: Copy>(from: &mut Unpacker<'_>, high: &[A], low: &[B]) -> (A, B) {
    let byte = from.byte();
    let both = high.get(usize::from(byte >> 4)).zip(low.get(usize::from(byte & 0xf)));
    both.map(|(high, low)| (*high, *low)).unwrap_or_else(|| {
        from.fail("packed state");
        (high[0], low[0])
    })
}

fn unpack_source(from: &mut Unpacker<'_>) -> Source {
    Source::from_rank(from.byte()).unwrap_or_else(|| {
        from.fail("packed source");
        Source::Refd
    })
}

fn named_code(from: &mut Unpacker<'_>) -> Code {
    from.code().unwrap_or_else(|| {
        from.fail("packed code");
        NOT_TRANSFERABLE
    })
}

fn pack_lineage(lineage: &[Step], before: &[Step], to: &mut Packer) {
    let shared = if std::ptr::eq(lineage, before) {
        lineage.len()
    } else {
        lineage.iter().zip(before).take_while(|(step, known)| step == known).count()
    };
    to.number(shared as u64);
    to.number((lineage.len() - shared) as u64);
    for step in &lineage[shared..] {
        to.party(Some(step.holder));
        to.time(step.event_time);
        to.day(step.biz_date);
        to.behaviour(step.behaviour);
        // 0: no rate.
        let rate = step.rate_e4().map_or(0, |rate| zigzag(i64::from(rate)) + 1);
        to.number(rate);
    }
}

fn unpack_lineage(before: Option<&Arc<[Step]>>, from: &mut Unpacker<'_>) -> Arc<[Step]> {
    let shared = from.small::<usize>();
    let more = from.count();
    let known = before.map_or(&[][..], |before| before);
    if shared > known.len() {
        from.fail("packed lineage");
        return Arc::new([]);
    }
    if let Some(before) = before.filter(|_| more == 0 && shared == known.len()) {
        return before.clone();
    }
    let mut steps: SmallVec<[Step; 8]> = SmallVec::with_capacity(shared + more);
    steps.extend_from_slice(&known[..shared]);
    for _ in 0..more {
        let (holder, event_time, biz_date) = (from.named_party(), from.time(), from.day());
        let behaviour = from.behaviour();
        let rate = from.number().checked_sub(1).map(unzigzag);
        steps.push(Step::new(holder, event_time, biz_date, behaviour, rate));
    }
    Arc::from(steps.as_slice())
}

fn pack_hash(hash: Option<TextHash>, to: &mut Packer) {
    to.byte(u8::from(hash.is_some()));
    if let Some(hash) = hash {
        to.word(hash.bits());
    }
}

fn unpack_maybe_hash(from: &mut Unpacker<'_>) -> Option<TextHash> {
    if from.byte() == 0 { None } else { unpack_hash(from) }
}

fn unpack_hash(from: &mut Unpacker<'_>) -> Option<TextHash> {
    let hash = TextHash::from_bits(from.word());
    if hash.is_none() {
        from.fail("packed hash");
    }
    hash
}

fn pack_request(request: &Request, to: &mut Packer) {
    to.behaviour(request.behaviour);
    to.party(Some(request.requester));
    to.party(request.counterparty);
    pack_hash(request.deal, to);
    to.time(request.since);
    to.day(request.since_date);
    to.byte((request.flag_before as u8) << 4 | request.pay_before as u8);
    let marks = [request.non_transferable, request.cut, request.mode.is_some(), request.queued_at.is_some()];
    to.byte(marks.iter().rev().fold(0, |byte, mark| byte << 1 | u8::from(*mark)));
    if request.mode.is_some() {
        to.code(request.mode);
    }
    if let Some(queued_at) = request.queued_at {
        to.time(queued_at);
    }
}

fn unpack_request(from: &mut Unpacker<'_>) -> Request {
    let (behaviour, requester, counterparty) = (from.behaviour(), from.named_party(), from.party());
    let (deal, since, since_date) = (unpack_maybe_hash(from), from.time(), from.day());
    let (flag_before, pay_before) = halves(from, Flag::ALL, PayState::ALL);
    let marks = from.byte();
    Request {
        behaviour,
        requester,
        counterparty,
        deal,
        since,
        since_date,
        flag_before,
        pay_before,
        non_transferable: marks & 1 != 0,
        cut: marks & 2 != 0,
        mode: if marks & 4 != 0 { from.code() } else { None },
        queued_at: if marks & 8 != 0 { Some(from.time()) } else { None },
    }
}

fn pack_rare(rare: &Rare, to: &mut Packer) {
    to.party(rare.pledgee);
    to.maybe_day(rare.pledged_on);
    to.byte(u8::from(rare.repo.is_some()) | u8::from(rare.agreement.is_some()) << 1);
    if let Some(deal) = &rare.repo {
        to.behaviour(deal.behaviour);
        pack_hash(deal.deal, to);
        to.party(Some(deal.seller));
        to.branch(deal.seller_inst);
        to.party(Some(deal.buyer));
        to.branch(deal.buyer_inst);
        to.maybe_signed(deal.first_fen);
        to.maybe_signed(deal.redeem_fen);
        to.maybe_signed(deal.rate_e4);
        to.time(deal.since);
        to.day(deal.since_date);
        to.maybe_day(deal.redeem_date);
        to.maybe_day(deal.failed_on);
    }
    if let Some(agreement) = &rare.agreement {
        to.party(Some(agreement.debtor));
        to.time(agreement.since);
        to.day(agreement.since_date);
        to.byte(u8::from(agreement.signed));
    }
    to.number(rare.notices.len() as u64);
    for notice in &rare.notices {
        to.behaviour(notice.behaviour);
        to.party(notice.debtor);
        to.time(notice.since);
        to.day(notice.since_date);
    }
    to.number(rare.sureties.len() as u64);
    for surety in &rare.sureties {
        to.behaviour(surety.behaviour);
        to.party(Some(surety.guarantor));
        to.party(surety.debtor);
        to.signed(surety.amount_fen);
        to.day(surety.since_date);
    }
    to.code(rare.dishonour_reason);
}

fn unpack_rare(from: &mut Unpacker<'_>) -> Rare {
    let (pledgee, pledged_on) = (from.party(), from.maybe_day());
    let flags = from.byte();
    let repo = if flags & 1 != 0 { Some(unpack_deal(from)) } else { None };
    let agreement = if flags & 2 != 0 {
        Some(Agreement {
            debtor: from.named_party(),
            since: from.time(),
            since_date: from.day(),
            signed: from.byte() != 0,
        })
    } else {
        None
    };
    let mut rare = Rare { pledgee, pledged_on, repo, agreement, ..Rare::default() };
    for _ in 0..from.count() {
        rare.notices.push(Notice {
            behaviour: from.behaviour(),
            debtor: from.party(),
            since: from.time(),
            since_date: from.day(),
        });
    }
    for _ in 0..from.count() {
        rare.sureties.push(Surety {
            behaviour: from.behaviour(),
            guarantor: from.named_party(),
            debtor: from.party(),
            amount_fen: from.signed(),
            since_date: from.day(),
        });
    }
    rare.dishonour_reason = from.code();
    rare
}

fn unpack_deal(from: &mut Unpacker<'_>) -> RepoDeal {
    RepoDeal {
        behaviour: from.behaviour(),
        deal: unpack_maybe_hash(from),
        seller: from.named_party(),
        seller_inst: from.branch(),
        buyer: from.named_party(),
        buyer_inst: from.branch(),
        first_fen: from.maybe_signed(),
        redeem_fen: from.maybe_signed(),
        rate_e4: from.maybe_signed(),
        since: from.time(),
        since_date: from.day(),
        redeem_date: from.maybe_day(),
        failed_on: from.maybe_day(),
    }
}
