//! Which facts each theme counts (derived.csv `theme.*`), as a table.
//!
//! The first rule of a theme that names a behaviour decides for a dimension; the others are not asked.

use crate::names::Role;

/// The dimensions for which a rule speaks.
#[derive(Clone, Copy, Debug)]
pub(super) enum For {
    All,
    Only(&'static [&'static str]),
    Except(&'static [&'static str]),
}

impl For {
    pub fn holds(self, dimension: &str) -> bool {
        match self {
            For::All => true,
            For::Only(dimensions) => dimensions.contains(&dimension),
            For::Except(dimensions) => !dimensions.contains(&dimension),
        }
    }
}

/// What a fact adds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Counts {
    /// All measures.
    Full,
    /// paid_fen alone.
    Paid,
    /// The weighted rate alone.
    Rate,
}

/// One line: behaviours by code, `X.*` or `*.X`, separated by blanks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub behaviours: &'static str,
    pub dimensions: For,
    pub counts: Counts,
}

/// What else must hold for a fact to count in a theme.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Condition {
    Always,
    /// Channel SCB, or a behaviour SCB.*.
    SupplyChain,
    /// The acceptor is of institution type 301.
    FinanceCompany,
    /// A bill fact with an enterprise among its parties.
    BillAndEnterprise,
    /// A bill fact with an institution among its parties.
    BillAndInstitution,
}

/// Which lots a stock theme holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum StockOf {
    /// CS03 and CS04.
    Held,
    /// CS02, CS03 and CS04 (ABAL).
    Accepted,
    /// ABAL of finance-company bills.
    AcceptedByFinanceCompany,
    /// lot.overdue (OBAL).
    Overdue,
    /// Live lots that moved over from the older system.
    Migrated,
}

/// One theme.
#[derive(Clone, Copy, Debug)]
pub(super) struct ThemeRule {
    pub theme: &'static str,
    pub rules: &'static [Rule],
    pub condition: Condition,
    pub stock: Option<StockOf>,
    /// Facts of every effect count.
    pub every_effect: bool,
}

const fn rule(behaviours: &'static str, dimensions: For, counts: Counts) -> Rule {
    Rule { behaviours, dimensions, counts }
}

const fn all(behaviours: &'static str) -> Rule {
    rule(behaviours, For::All, Counts::Full)
}

const fn only(behaviours: &'static str, dimensions: &'static [&'static str]) -> Rule {
    rule(behaviours, For::Only(dimensions), Counts::Full)
}

const fn flow(theme: &'static str, rules: &'static [Rule]) -> ThemeRule {
    ThemeRule { theme, rules, condition: Condition::Always, stock: None, every_effect: false }
}

const fn under(theme: &'static str, rules: &'static [Rule], condition: Condition) -> ThemeRule {
    ThemeRule { theme, rules, condition, stock: None, every_effect: false }
}

const fn stock(theme: &'static str, rules: &'static [Rule], of: StockOf) -> ThemeRule {
    ThemeRule { theme, rules, condition: Condition::Always, stock: Some(of), every_effect: false }
}

const ANSWERS: &[&str] = &["D.ans", "D.rej"];
const QUOTES: &str = "IBT.QTE IBT.QMD IBT.CKS IBT.INQ RPO.QTE RPO.ANS RPO.INQ BRP.QTE BRP.INQ DTH.QTE DTH.LST";
const CANCELS: &str = "IBT.CKX IBT.INX IBT.QRJ RPO.ANX RPO.QRJ BRP.QRJ DTH.LSX DTH.QRJ";
const DEALS: &str = "IBT.DEL RPO.DEL BRP.DEL DTH.DEL";

/// Every theme. T31 counts alerts, which no fact feeds: see [`super::alerts`].
pub(super) const THEMES: [ThemeRule; 40] = [
    flow("T01", &[all("ISS.REG")]),
    flow("T02", &[all("ACC.SGN PPR.ACC"), only("ACC.REJ", ANSWERS)]),
    flow("T03", &[all("RCV.SGN"), only("RCV.REJ", ANSWERS)]),
    flow("T04", &[all("END.SGN"), only("END.REJ", ANSWERS)]),
    flow("T05", &[all("DSC.SET PPR.DSC"), only("DSR.SGN", &["D.dtype"])]),
    flow("T06", &[only("DTH.*", &["D.behav"]), all("DTH.DEL")]),
    flow("T07", &[all("IBT.SET"), only("IBT.FLD", &["D.sres"])]),
    flow("T08", &[all("RPO.SET"), only("RPO.FLD", &["D.sres"])]),
    flow("T09", &[all("BRP.SET")]),
    flow("T10", &[only("RDC.*", &["D.behav"]), all("RDC.BST RDC.RST")]),
    flow("T11", &[all("PLG.SGN PPR.PLG"), only("PLG.REJ", &["D.ans"])]),
    flow("T12", &[all("GUD.SGN GUA.SGN GUE.SGN PPR.GUA"), only("GUD.REJ GUA.REJ GUE.REJ", &["D.ans"])]),
    flow("T13", &[only("ENH.*", &["D.behav"]), all("ENH.DSC ENH.PAY ENH.GUA.SGN")]),
    flow(
        "T14",
        &[
            only("PAY.*", &["D.ans", "D.behav", "D.notice"]),
            all("PAY.REQ PAY.AUT PAY.LRQ"),
            rule("PAY.SET PAY.SUB PAY.ESG", For::All, Counts::Paid),
        ],
    ),
    stock("T15", &[all("PAY.REJ PAY.LRJ PAY.FLD")], StockOf::Overdue),
    flow(
        "T16",
        &[
            only("RCS.* PDR.*", &["D.ans", "D.behav"]),
            all("RCS.NTC RCS.NDN RCS.RRN"),
            rule("RCS.PRT RCS.SET PDR.CLS", For::All, Counts::Paid),
        ],
    ),
    flow("T17", &[all("LSF.*")]),
    // T18 counts the derived SPL facts of a cut: see `flow`.
    flow("T18", &[]),
    stock("T19", &[], StockOf::Held),
    stock("T20", &[], StockOf::Accepted),
    flow(
        "T21",
        &[
            only("REF.CRV REF.DEP", &["D.ctenor", "D.rk"]),
            rule("DSC.SET IBT.DEL RPO.DEL BRP.DEL RDC.APR", For::Except(&["D.ctenor", "D.rk"]), Counts::Full),
        ],
    ),
    stock("T22", &[], StockOf::Accepted),
    under("T23", &[all("*")], Condition::BillAndEnterprise),
    under("T24", &[all("*")], Condition::BillAndInstitution),
    flow("T25", &[all("ACC.SGN DSC.SET END.SGN")]),
    under("T26", &[all("*")], Condition::SupplyChain),
    flow("T27", &[all("OPY.*")]),
    flow("T28", &[all("DIS.*")]),
    flow("T29", &[all("DIS.OVL DIS.PSL")]),
    flow("T30", &[all("ACC.SGN DSC.SET IBT.SET RPO.SET")]),
    flow("T31", &[]),
    flow("T32", &[all("ACC.SGN DSC.SET END.SGN IBT.SET")]),
    stock("T33", &[all("ACC.SGN"), rule("DSC.SET", For::All, Counts::Rate)], StockOf::Overdue),
    flow("T34", &[all("CSH.* *.SET *.FLD *.RED *.RDF *.ERD *.ORD RDC.BST RDC.RST")]),
    flow("T35", &[all(QUOTES), all(CANCELS), all(DEALS)]),
    ThemeRule { theme: "T36", rules: &[all("*")], condition: Condition::Always, stock: None, every_effect: true },
    flow("T37", &[all("PPR.*")]),
    flow("T38", &[all("ACC.SGN DSC.SET RDC.BST RDC.RST")]),
    ThemeRule {
        theme: "T39",
        rules: &[all("ACC.SGN")],
        condition: Condition::FinanceCompany,
        stock: Some(StockOf::AcceptedByFinanceCompany),
        every_effect: false,
    },
    stock("T40", &[all("CST.MIG")], StockOf::Migrated),
];

/// True when a list of codes names a behaviour.
pub(crate) fn names(list: &str, code: &str) -> bool {
    list.split(' ').any(|named| {
        if named == "*" {
            true
        } else if let Some(head) = named.strip_suffix('*') {
            code.starts_with(head)
        } else if let Some(tail) = named.strip_prefix('*') {
            code.ends_with(tail)
        } else {
            named == code
        }
    })
}

/// What a behaviour adds to a dimension of a theme; `None`: nothing.
pub(super) fn counts(theme: &ThemeRule, code: &str, dimension: &str) -> Option<Counts> {
    let rule = theme.rules.iter().find(|rule| names(rule.behaviours, code) && rule.dimensions.holds(dimension))?;
    Some(rule.counts)
}

/// What a behaviour adds where several dimensions stand together: as in the one for which the theme counts first.
pub(super) fn counts_for_any(theme: &ThemeRule, code: &str, dimensions: &[&str]) -> Option<Counts> {
    let speaks = |rule: &&Rule| dimensions.iter().any(|dimension| rule.dimensions.holds(dimension));
    let rule = theme.rules.iter().find(|rule| names(rule.behaviours, code) && speaks(rule))?;
    Some(rule.counts)
}

/// The enterprise of T25 by behaviour.
pub(super) fn small_enterprise_role(code: &str) -> Role {
    match code {
        "DSC.SET" => Role::Applicant,
        "END.SGN" => Role::Endorser,
        _ => Role::Drawer,
    }
}

/// Whose shares T30 counts: who takes the position (acceptor, discounter, buyer, lender).
pub(super) fn concentrated_role(code: &str) -> Role {
    match code {
        "DSC.SET" => Role::Discounter,
        "IBT.SET" => Role::Buyer,
        "RPO.SET" => Role::RepoBuyer,
        _ => Role::Acceptor,
    }
}

/// The two areas between which a bill moves (derived.csv `measure.net_flow_fen`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The area of who gets it.
    Into,
    /// The area of who gives it.
    OutOf,
}

/// Who gives the bill in facts of a behaviour of T32, and who gets it.
pub(super) fn mover(code: &str, side: Side) -> Role {
    let (giver, receiver) = match code {
        "DSC.SET" => (Role::Applicant, Role::Discounter),
        "END.SGN" => (Role::Endorser, Role::Endorsee),
        "IBT.SET" => (Role::Seller, Role::Buyer),
        _ => (Role::Drawer, Role::Payee),
    };
    match side {
        Side::Into => receiver,
        Side::OutOf => giver,
    }
}

/// True for a quote (derived.csv `measure.quotes`).
pub(super) fn is_quote(code: &str) -> bool {
    names(QUOTES, code)
}

/// True for a cancelled quote (derived.csv `measure.cancels`).
pub(super) fn is_cancel(code: &str) -> bool {
    names(CANCELS, code)
}
