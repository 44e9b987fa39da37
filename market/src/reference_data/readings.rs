//! What is read from reference data as of an instant.

use smallvec::SmallVec;

use super::{
    AcceptorNotice, AccountChange, BalanceSheet, Certificate, CreditDisclosure, CreditLine, Enterprise, Entry,
    Financials, Institution, ListEntry, Listed, Notice, Reference, Relation, Span, Tier, TradeBackground, Trader,
};
use crate::{
    bill::TextHash,
    ids::{Day, InstId, PartyId},
    items::Row,
};

/// Total assets above which a 204, 205 or 209 is MEDIUM: 300 billion CNY in fen (derived.csv `tier`).
const MEDIUM_BANK_ASSETS_FEN: i64 = 300_000_000_000 * 100;

impl Reference {
    /// An enterprise as of an instant; `None` before its registration.
    pub fn enterprise(&self, party: PartyId, at: i64) -> Option<&Enterprise> {
        self.enterprises.get(&party)?.read(at).0
    }

    /// The same, and when the reading is the same.
    pub fn read_enterprise(&self, party: PartyId, at: i64) -> (Option<&Enterprise>, Span) {
        self.enterprises.get(&party).map_or((None, Span::ALWAYS), |history| history.read(at))
    }

    /// The institution and balance sheet of a legal member, and when the reading is the same.
    pub fn read_institution(
        &self,
        legal: PartyId,
        branch: Option<InstId>,
        at: i64,
    ) -> (Option<&Institution>, Option<&BalanceSheet>, Span) {
        let (institution, known) = self.institutions.read(Some(legal), branch, at);
        let sheets = self.balance_sheets.get(&legal);
        let (sheet, reported) = sheets.map_or((None, Span::ALWAYS), |timeline| timeline.read(at));
        (institution, sheet, known.and(reported))
    }

    /// An institution as of an instant, by the branch that was used, else by its head office.
    pub fn institution(&self, legal: Option<PartyId>, branch: Option<InstId>, at: i64) -> Option<&Institution> {
        match branch {
            Some(branch) => self.institutions.branch(branch, at),
            None => self.institutions.head_office(legal?, at),
        }
    }

    /// Every legal institution to which a branch ever belonged.
    pub fn legals_of(&self, branch: InstId) -> impl Iterator<Item = PartyId> + '_ {
        self.institutions.legals_of(branch)
    }

    /// Every legal institution that ever had a branch, in no order.
    pub fn legal_institutions(&self) -> impl Iterator<Item = PartyId> + '_ {
        self.institutions.legals()
    }

    /// True when another branch has taken over this one.
    pub fn is_succeeded(&self, branch: InstId, at: i64) -> bool {
        self.institutions.is_succeeded(branch, at)
    }

    /// The latest balance sheet of a legal institution.
    pub fn balance_sheet(&self, legal: PartyId, at: i64) -> Option<&BalanceSheet> {
        self.balance_sheets.get(&legal)?.at(at)
    }

    /// The latest financials of an enterprise.
    pub fn financials(&self, party: PartyId, at: i64) -> Option<&Financials> {
        self.financials.get(&party)?.at(at)
    }

    /// derived.csv `net_assets(x)`: of an enterprise its net assets, of an institution its net capital.
    pub fn net_assets_fen(&self, party: PartyId, at: i64) -> Option<i64> {
        if party.is_enterprise() {
            self.financials(party, at)?.net_assets_fen
        } else {
            self.balance_sheet(party, at)?.net_capital_fen
        }
    }

    /// institution_tier of an institution type with these assets (derived.csv `tier`).
    pub fn tier(&self, kind: Row, total_assets_fen: Option<i64>) -> Row {
        match self.tier_of_kind.get(usize::from(kind.0)) {
            None => Row::UNKNOWN,
            Some(Tier::Always(tier)) => *tier,
            Some(Tier::ByAssets) if total_assets_fen.is_some_and(|assets| assets > MEDIUM_BANK_ASSETS_FEN) => {
                self.rows.medium
            }
            Some(Tier::ByAssets) => self.rows.small,
        }
    }

    /// institution_group of an institution type: its first digit.
    pub fn institution_group(&self, kind: Row) -> Row {
        self.group_of_kind.get(usize::from(kind.0)).copied().unwrap_or(Row::UNKNOWN)
    }

    /// economic_zone of a province.
    pub fn zone(&self, province: Row) -> Row {
        self.zone_of_province.get(usize::from(province.0)).copied().unwrap_or(Row::UNKNOWN)
    }

    /// The group of a party: by registration, else by the MST.GRP in force.
    pub fn group(&self, party: PartyId, at: i64, date: Day) -> Option<PartyId> {
        let own = self.enterprise(party, at).and_then(|enterprise| enterprise.group);
        own.or_else(|| self.group_by_relation(party, at, date))
    }

    /// The group of the latest relation in force: what counts when the register names none.
    pub fn group_by_relation(&self, party: PartyId, at: i64, date: Day) -> Option<PartyId> {
        let relations = self.relations(party, at).iter().rev();
        relations
            .map(|entry| &entry.value)
            .filter(|relation| relation.validity.holds(date))
            .find_map(|relation| relation.group)
    }

    /// Every MST.GRP said of a party up to an instant.
    pub fn relations(&self, party: PartyId, at: i64) -> &[Entry<Relation>] {
        self.relations.get(&party).map_or(&[], |timeline| timeline.until(at))
    }

    /// derived.csv `related(a, b)` as of an instant and a business date.
    pub fn related(&self, a: PartyId, b: PartyId, at: i64, date: Day) -> bool {
        if a == b {
            return false;
        }
        fn same<T: PartialEq>(left: Option<T>, right: Option<T>) -> bool {
            left.is_some() && left == right
        }
        if same(self.group(a, at, date), self.group(b, at, date)) {
            return true;
        }
        if let (Some(left), Some(right)) = (self.enterprise(a, at), self.enterprise(b, at))
            && (same(left.legal_rep, right.legal_rep)
                || same(left.ubo, right.ubo)
                || same(left.address, right.address)
                || same(left.phone, right.phone))
        {
            return true;
        }
        self.relations(a, at).iter().any(|entry| {
            let relation = &entry.value;
            relation.kind == self.rows.related && relation.related == Some(b) && relation.validity.holds(date)
        })
    }

    /// True when some branch has this bank number (12 digits) at the instant.
    pub fn knows_bank_number(&self, number: u64, at: i64) -> bool {
        self.institutions.knows_bank_number(number, at)
    }

    /// The MST.BLK lists in force for a party: rows of watch_list_type, in the order in which it came onto them.
    pub fn block_lists(&self, party: PartyId, at: i64, date: Day) -> SmallVec<[Row; 2]> {
        let mut lists = SmallVec::new();
        let mut add = |row: Row| {
            if row.is_known() && !lists.contains(&row) {
                lists.push(row);
            }
        };
        let by_code = if self.watched_codes.is_empty() {
            None
        } else {
            let code = self.enterprise(party, at).and_then(|enterprise| enterprise.uscc.as_deref());
            code.and_then(|code| self.watched_codes.get(&TextHash::of(code).bits()))
        };
        for timeline in self.watched.get(&party).into_iter().chain(by_code) {
            let entries = timeline.until(at);
            for (place, entry) in entries.iter().enumerate() {
                let removed = |later: &&Entry<ListEntry>| !later.value.added && later.value.list == entry.value.list;
                if entry.value.added
                    && entry.value.validity.holds(date)
                    && !entries[place + 1..].iter().any(|later| removed(&later))
                {
                    add(entry.value.list);
                }
            }
        }
        lists
    }

    /// The watch lists in force for a party: rows of watch_list_type, ascending (derived.csv `X.watch_lists`).
    pub fn watch_lists(&self, party: PartyId, at: i64, date: Day) -> SmallVec<[Row; 2]> {
        let mut lists = self.block_lists(party, at, date);
        let mut add = |row: Row| {
            if row.is_known() && !lists.contains(&row) {
                lists.push(row);
            }
        };
        let (year, month, _) = date.ymd();
        let now = year * 12 + month as i32 - 1;
        for entry in self.listed(party, at) {
            if entry.value.month == now || entry.value.month == now - 1 {
                add(entry.value.list);
            }
        }
        lists.sort();
        lists
    }

    /// Every DIS.OVL and DIS.PSL of an acceptor up to an instant.
    pub fn listed(&self, acceptor: PartyId, at: i64) -> &[Entry<Listed>] {
        self.listed.get(&acceptor).map_or(&[], |timeline| timeline.until(at))
    }

    /// Day of the latest DIS.PSL of an acceptor.
    pub fn persistently_overdue(&self, acceptor: PartyId, at: i64) -> Option<Day> {
        let listed = self.listed(acceptor, at).iter().rev();
        let entry = listed.into_iter().find(|entry| entry.value.list == self.rows.persistent_list)?;
        Some(Day::of_time(entry.from))
    }

    /// Every DIS.CRD of an acceptor up to an instant.
    pub fn credit_disclosures(&self, acceptor: PartyId, at: i64) -> &[Entry<CreditDisclosure>] {
        self.credit_disclosures.get(&acceptor).map_or(&[], |timeline| timeline.until(at))
    }

    /// Every DIS.REG, DIS.ANN, DIS.SUS, DIS.RST of an acceptor up to an instant.
    pub fn notices(&self, acceptor: PartyId, at: i64) -> &[Entry<Notice>] {
        self.notices.get(&acceptor).map_or(&[], |timeline| timeline.until(at))
    }

    /// The suspension in force: the last DIS.SUS with from_date <= date that no DIS.RST has followed.
    pub fn suspension(&self, acceptor: PartyId, at: i64, date: Day) -> Option<&Notice> {
        let mut held = self.notices(acceptor, at).iter().map(|entry| &entry.value).filter(|notice| notice.from <= date);
        let last = held.rfind(|notice| matches!(notice.what, AcceptorNotice::Suspended | AcceptorNotice::Restored))?;
        (last.what == AcceptorNotice::Suspended).then_some(last)
    }

    /// The curve of a class (row of bill_class) at so many days (derived.csv `curve_e4`); `None`: rules that need it skip.
    pub fn curve_e4(&self, class: Row, days: i64, at: i64) -> Option<i64> {
        self.curves.curve_e4(class, days, at)
    }

    /// The deposit or benchmark rate (row of rate_kind) at the tenor nearest to so many days.
    pub fn rate_e4(&self, kind: Row, days: i64, at: i64) -> Option<i64> {
        self.curves.rate_e4(kind, days, at)
    }

    /// Every account change of an enterprise up to an instant.
    pub fn accounts(&self, party: PartyId, at: i64) -> &[Entry<AccountChange>] {
        self.accounts.get(&party).map_or(&[], |timeline| timeline.until(at))
    }

    /// The trader of a legal institution.
    pub fn trader(&self, legal: PartyId, trader_id: &str, at: i64) -> Option<&Trader> {
        self.traders.get(&(legal, TextHash::of(trader_id).bits()))?.at(at)
    }

    /// The credit line that one institution gives another, in force on a date.
    pub fn credit_line(&self, giver: PartyId, taker: PartyId, at: i64, date: Day) -> Option<&CreditLine> {
        let entries = self.credit_lines.get(&(giver, taker))?.until(at).iter().rev();
        entries.map(|entry| &entry.value).find(|line| line.validity.holds(date))
    }

    /// Every certificate bound to an enterprise up to an instant.
    pub fn certificates(&self, party: PartyId, at: i64) -> &[Entry<Certificate>] {
        self.certificates.get(&party).map_or(&[], |timeline| timeline.until(at))
    }

    /// Trade background of a contract of a drawer, up to an instant.
    pub fn contract(&self, drawer: PartyId, contract_no: &str, at: i64) -> &[Entry<TradeBackground>] {
        self.contract_by_hash(drawer, TextHash::of(contract_no).bits(), at)
    }

    /// The same by the hash of the contract number.
    pub fn contract_by_hash(&self, drawer: PartyId, contract: u64, at: i64) -> &[Entry<TradeBackground>] {
        self.contracts.get(&(drawer, contract)).map_or(&[], |timeline| timeline.until(at))
    }

    /// The registered name of a credit code (derived.csv `registry name`).
    pub fn registered_name(&self, credit_code: &str, at: i64) -> Option<&str> {
        let parties = self.parties_by_code.get(&TextHash::of(credit_code).bits())?;
        let known = parties.iter().filter_map(|party| self.enterprise(*party, at));
        known
            .filter(|enterprise| enterprise.uscc.as_deref() == Some(credit_code))
            .find_map(|known| known.name.as_deref())
    }

    /// Every enterprise ever registered, in no order.
    pub fn enterprises(&self) -> impl Iterator<Item = PartyId> + '_ {
        self.enterprises.keys().copied()
    }
}
