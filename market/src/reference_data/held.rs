//! Whether anything at all is known of a kind: what rules that read it need to know to say that they are blind.

use super::{
    AcceptorNotice, Reference, Register,
    timeline::{Entry, Timeline},
};
use crate::{ids::PartyId, items::Row};

/// A kind of reference data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Held {
    /// Registered enterprises.
    Enterprises,
    /// Registered institutions.
    Institutions,
    /// Either.
    Parties,
    /// Points of any yield curve.
    Curves,
    /// Points of the curve of class BCL1.
    BankCurve,
    /// Enterprises with a special flag.
    SpecialFlags,
    /// MST.BLK.
    WatchLists,
    /// DIS.CRD.
    CreditDisclosures,
    /// DIS.REG.
    Registrations,
    /// DIS.ANN.
    Announcements,
    /// DIS.SUS.
    Suspensions,
    /// DIS.RST.
    Restorations,
    /// DIS.PSL.
    PersistentlyOverdue,
    /// MST.ACO.
    Accounts,
    /// MST.TRD.
    Traders,
    /// MST.CRL.
    CreditLines,
    /// MST.TBK with a contract or invoice.
    TradeBackgrounds,
}

impl Held {
    /// Stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Held::Enterprises => "enterprises",
            Held::Institutions => "institutions",
            Held::Parties => "parties",
            Held::Curves => "curves",
            Held::BankCurve => "curve_BCL1",
            Held::SpecialFlags => "special_flags",
            Held::WatchLists => "watch_lists",
            Held::CreditDisclosures => "credit_disclosures",
            Held::Registrations => "disclosure_registrations",
            Held::Announcements => "announcements",
            Held::Suspensions => "suspensions",
            Held::Restorations => "restorations",
            Held::PersistentlyOverdue => "persistently_overdue",
            Held::Accounts => "accounts",
            Held::Traders => "traders",
            Held::CreditLines => "credit_lines",
            Held::TradeBackgrounds => "trade_backgrounds",
        }
    }
}

impl Reference {
    /// True when something of a kind is known at an instant (ms).
    pub fn holds(&self, held: Held, at: i64) -> bool {
        let notice = |what| said(&self.notices, at, |entry| entry.value.what == what);
        match held {
            Held::Enterprises => self.enterprises.values().any(|history| history.read(at).0.is_some()),
            Held::Institutions => {
                self.institutions.legals().any(|legal| self.institution(Some(legal), None, at).is_some())
            }
            Held::Parties => self.holds(Held::Enterprises, at) || self.holds(Held::Institutions, at),
            Held::Curves => self.curves.has_points(None, at),
            Held::BankCurve => {
                let class = self.vocabulary.row_of_text(self.vocabulary.known.bill_class, "BCL1");
                self.curves.has_points(Some(class), at)
            }
            Held::SpecialFlags => {
                let mut known = self.enterprises.values().filter_map(|history| history.read(at).0);
                known.any(|enterprise| enterprise.special_flags != 0)
            }
            Held::WatchLists => {
                said(&self.watched, at, |entry| entry.value.added)
                    || said(&self.watched_codes, at, |entry| entry.value.added)
            }
            Held::CreditDisclosures => said(&self.credit_disclosures, at, |_| true),
            Held::Registrations => notice(AcceptorNotice::Registered),
            Held::Announcements => notice(AcceptorNotice::Announced),
            Held::Suspensions => notice(AcceptorNotice::Suspended),
            Held::Restorations => notice(AcceptorNotice::Restored),
            Held::PersistentlyOverdue => {
                let persistent: Row = self.rows.persistent_list;
                said(&self.listed, at, |entry| entry.value.list == persistent)
            }
            Held::Accounts => said(&self.accounts, at, |entry| entry.value.opened),
            Held::Traders => said(&self.traders, at, |_| true),
            Held::CreditLines => said(&self.credit_lines, at, |_| true),
            Held::TradeBackgrounds => said(&self.contracts, at, |_| true),
        }
    }

    /// Every party that was ever registered, in no order.
    pub fn registered(&self) -> impl Iterator<Item = PartyId> + '_ {
        self.institutions.legals().chain(self.enterprises.keys().copied())
    }

    /// Every party of which a balance sheet or financials were ever told, in no order; some twice.
    pub fn reporting(&self) -> impl Iterator<Item = PartyId> + '_ {
        self.balance_sheets.keys().chain(self.financials.keys()).copied()
    }
}

fn said<K, T>(register: &Register<K, T>, at: i64, is_it: impl Fn(&Entry<T>) -> bool) -> bool {
    register.values().any(|timeline: &Timeline<T>| timeline.until(at).iter().any(&is_it))
}
