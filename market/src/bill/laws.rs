//! The laws of bills: the state machine of `transitions.csv`, and who may send what in answer to what (facts.md 4.2-4.4).
//!
//! Everything is looked up by behaviour number and worked out once, when the catalogue is loaded; the fold only compares
//! numbers. What the tables say by a naming convention (an `X.SGN` answers an `X.REQ`) or only in prose (which quote a
//! deal goes on with) is written here in [`answered_requests`] and [`redeemed_deals`]. [`Laws::new`] refuses a table
//! with a behaviour that acts on a locked lot and has no entry there.

use smallvec::SmallVec;

use super::{
    checks, journal,
    lot::Lot,
    state::{Flag, Risk, Status},
};
use crate::{
    catalogue::{
        Catalogue,
        behaviours::{Condition as Written, StateAfter, StateBefore},
        calendar::Calendar,
    },
    fact::{BEHAVIOUR_CODES, Behaviour, behaviour},
    ids::Code,
};

/// Which class of effect a behaviour has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// No state: INFORMATIONAL. Also an SPL fact that a source sends (facts.md 3).
    Informational,
    /// ISS.REG, PPR.ACC.
    MakesBill,
    /// PAY.MAT, PAY.EXP: acts on each lot in a legal state and skips the others (facts.md 4.3).
    EachLot,
    /// Acts on all lots of the range, or has no effect.
    AllLots,
}

/// Who must send (facts.md 4.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sender {
    /// No check.
    Anybody,
    Holder,
    /// PAY.REQ and the like: the holder, on a pledged lot the pledgee.
    Presenter,
    Pledgee,
    Drawer,
    Acceptor,
    Payee,
    /// The holder, or the pledgee on record.
    Creditor,
    /// The counterparty of the open request.
    Answerer,
    /// The sender of the open request.
    Requester,
    /// A quote may be ended or countered by either side.
    EitherSide,
    /// DRD.REQ: who sold.
    DealSeller,
    /// RPO.ERJ: who lent.
    DealBuyer,
    /// The parties named in the fact must be those of the state.
    System,
}

/// What a recourse fact needs on the lot, and who the debtor is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Recourse {
    /// Not a recourse fact, or one that needs nothing.
    Nothing,
    /// Opens a notice to the counterparty.
    Notifies,
    /// RCS.NWD: an open notice to the counterparty.
    EndsNotice,
    /// RCS.AGR: an open notice to the initiator, and no pending agreement of another debtor.
    Agrees,
    /// RCS.PRT: an open notice to the initiator.
    PaysPart,
    /// RCS.AGW: the pending agreement of the initiator.
    AgreementOfInitiator,
    /// RCS.AGS, RCS.AGJ: the pending agreement of the counterparty.
    AgreementOfCounterparty,
    /// RCS.SET, RCS.FLD: the pending agreement of `debtor_id`.
    AgreementOfDebtor,
}

/// What else must hold for a transition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Condition {
    Always,
    Transferable(bool),
    Risk { from: Risk, to: Option<Risk> },
    LastOpenNotice(bool),
    LastObligor(bool),
}

/// One row of `transitions.csv`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transition {
    /// `None` = any live state.
    from: Option<(Status, Flag)>,
    /// `None` = unchanged.
    pub to: Option<(Status, Flag)>,
    pub condition: Condition,
}

impl Transition {
    /// Legal for (status, flag, risk); the other conditions only choose between rows.
    pub fn admits(&self, status: Status, flag: Flag, risk: Risk) -> bool {
        let risk_fits = match self.condition {
            Condition::Risk { from, .. } => from == risk,
            _ => true,
        };
        risk_fits && self.from.is_none_or(|from| from == (status, flag))
    }
}

/// All laws of one behaviour.
#[derive(Clone, Debug)]
pub(super) struct BehaviourLaw {
    pub kind: Kind,
    pub sender: Sender,
    pub recourse: Recourse,
    /// May cut a lot (facts.md 4.3).
    pub may_cut: bool,
    /// Forbidden on a lot with a risk flag.
    pub blocked_by_risk: bool,
    /// Locks the lot, or presents it.
    pub opens: bool,
    /// Ends a request without success: a cut is followed by SPL.RST.
    pub fails_request: bool,
    /// Kept in the journal.
    pub kept: bool,
    /// Requests that it may find on a locked lot.
    pub answers: SmallVec<[Behaviour; 4]>,
    /// The behaviour that opened the deal that it may find on a lot awaiting redemption.
    pub redeems: Option<Behaviour>,
    pub transitions: SmallVec<[Transition; 6]>,
}

impl BehaviourLaw {
    /// Its transitions name states; those of LSF.PUB and the like only a risk flag.
    pub fn names_states(&self) -> bool {
        self.transitions.iter().any(|row| row.from.is_some())
    }
}

/// A table that the fold cannot follow.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{behaviour}: {problem}; {remedy}")]
pub struct LawsError {
    /// The behaviour whose rows are at fault.
    pub behaviour: &'static str,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: &'static str,
}

/// The laws, by behaviour; and the business days, by which the adjusted due date is found.
#[derive(Clone, Debug)]
pub struct Laws {
    behaviours: Vec<BehaviourLaw>,
    pub(super) calendar: Calendar,
}

impl Laws {
    /// Works out the laws of a catalogue.
    ///
    /// # Errors
    /// A transition names a state that the fold does not know, or lets a behaviour act on a locked or repo lot although
    /// nothing says which request or deal it belongs to.
    pub fn new(catalogue: &Catalogue) -> Result<Laws, LawsError> {
        let mut transitions = vec![SmallVec::<[Transition; 6]>::new(); catalogue.behaviours.len()];
        for row in &catalogue.transitions {
            let code = row.behaviour.code();
            transitions[usize::from(row.behaviour.0)].push(Transition {
                from: match row.before {
                    StateBefore::Nothing | StateBefore::Any => None,
                    StateBefore::Is(status, flag) => Some(state(code, status, flag)?),
                },
                to: match row.after {
                    StateAfter::Same => None,
                    StateAfter::Is(status, flag) => Some(state(code, status, flag)?),
                },
                condition: condition(code, row.condition)?,
            });
        }
        let behaviours = catalogue
            .behaviours
            .iter()
            .zip(transitions)
            .map(|(row, transitions)| law(row.code, &row.group, &row.initiating_role, transitions))
            .collect::<Result<_, _>>()?;
        Ok(Laws { behaviours, calendar: catalogue.calendar.clone() })
    }

    pub(super) fn of(&self, behaviour: Behaviour) -> &BehaviourLaw {
        &self.behaviours[usize::from(behaviour.0)]
    }

    /// True when some transition of the behaviour starts from the state of this live lot (P011 reads the same).
    pub fn admits(&self, behaviour: Behaviour, lot: &Lot) -> bool {
        let law = self.of(behaviour);
        matches!(law.kind, Kind::AllLots | Kind::EachLot) && checks::is_legal(lot, law)
    }
}

fn law(
    code: &'static str,
    group: &str,
    role: &str,
    transitions: SmallVec<[Transition; 6]>,
) -> Result<BehaviourLaw, LawsError> {
    let number = Behaviour::parse(code).expect("the catalogue has the compiled codes");
    let kind = match code {
        _ if transitions.is_empty() || group == "split" => Kind::Informational,
        "ISS.REG" | "PPR.ACC" => Kind::MakesBill,
        "PAY.MAT" | "PAY.EXP" => Kind::EachLot,
        _ => Kind::AllLots,
    };
    let answers = answered_requests(code);
    let redeems = redeemed_deals(code);
    if kind == Kind::AllLots {
        let comes_from = |flag: Flag| transitions.iter().any(|row| row.from.is_some_and(|from| from.1 == flag));
        let lacks = |what: &str, flag: Flag| LawsError {
            behaviour: code,
            problem: format!("acts on {} but belongs to no {what}", flag.code()),
            remedy: "remove the rows of transitions.csv: this build does not know the behaviour so",
        };
        if comes_from(Flag::Locked) && answers.is_empty() {
            return Err(lacks("request", Flag::Locked));
        }
        if comes_from(Flag::AwaitingRedemption) && redeems.is_none() {
            return Err(lacks("deal", Flag::AwaitingRedemption));
        }
    }
    let suffix = code.rsplit('.').next().unwrap_or(code);
    let opens = transitions.iter().any(|row| {
        let to = row.to.map(|to| to.1);
        let locks = to == Some(Flag::Locked) || to == Some(Flag::InCollection);
        locks && row.from.is_some_and(|from| Some(from.1) != to)
    });
    Ok(BehaviourLaw {
        kind,
        sender: sender(code, suffix, role, !answers.is_empty()),
        recourse: recourse(code),
        may_cut: may_cut(number),
        blocked_by_risk: blocked_by_risk(code, suffix, group),
        opens,
        fails_request: matches!(suffix, "REJ" | "WDR" | "CLR") || matches!(code, "DTH.ENX" | "OPY.ULK"),
        kept: journal::is_kept(number),
        answers,
        redeems,
        transitions,
    })
}

/// facts.md 4.3.
const MAY_CUT: [Behaviour; 8] = [
    behaviour::END_REQ,
    behaviour::PLG_REQ,
    behaviour::DSC_REQ,
    behaviour::DSR_REQ,
    behaviour::GUE_REQ,
    behaviour::DTH_ENT,
    behaviour::OPY_LCK,
    behaviour::SCB_DSC,
];

/// True when a fact of the behaviour may cut a lot.
pub fn may_cut(behaviour: Behaviour) -> bool {
    MAY_CUT.contains(&behaviour)
}

/// facts.md 4.2 number 6.
fn blocked_by_risk(code: &str, suffix: &str, group: &str) -> bool {
    const GROUPS: [&str; 7] =
        ["endorsement", "pledge", "discount", "discount-through", "interbank", "repo", "rediscount"];
    const PASS: [&str; 10] = ["REJ", "WDR", "CLR", "FLD", "QRJ", "CKX", "RDF", "ENX", "ERJ", "CXL"];
    let of_group = GROUPS.contains(&group) && !PASS.contains(&suffix) && code != "PLG.DUE";
    of_group || matches!(code, "PAY.SET" | "PAY.ESG" | "PAY.SUB")
}

/// facts.md 4.4 "Who must send", from the role in `behaviours.csv`. IBT.QMD: counter-offers alternate between the sides
/// (notes of `behaviours.csv`).
fn sender(code: &str, suffix: &str, role: &str, answers: bool) -> Sender {
    match (code, role) {
        ("IBT.QMD", _) => Sender::EitherSide,
        ("DRD.REQ", _) => Sender::DealSeller,
        ("RPO.ERJ", _) => Sender::DealBuyer,
        ("PPR.PLG", _) => Sender::Anybody,
        (_, "COURT") => Sender::Anybody,
        _ if ["LSF.", "DTH.", "OPY."].iter().any(|group| code.starts_with(group)) => Sender::Anybody,
        (_, "SYSTEM") => Sender::System,
        _ if suffix == "WDR" => Sender::Requester,
        _ if suffix == "QRJ" => Sender::EitherSide,
        (_, "DRAWER") => Sender::Drawer,
        (_, "ACCEPTOR") => Sender::Acceptor,
        (_, "PAYEE") => Sender::Payee,
        (_, "HOLDER") if code.starts_with("PAY.") => Sender::Presenter,
        (_, "HOLDER" | "SELLER" | "REPO_SELLER") => Sender::Holder,
        (_, "RECOURSE_CREDITOR") => Sender::Creditor,
        _ if answers => Sender::Answerer,
        (_, "PLEDGEE") => Sender::Pledgee,
        _ => Sender::Anybody,
    }
}

fn recourse(code: &str) -> Recourse {
    match code {
        "RCS.NTC" | "RCS.NDN" | "RCS.RRN" | "PDR.REQ" => Recourse::Notifies,
        "RCS.NWD" => Recourse::EndsNotice,
        "RCS.AGR" => Recourse::Agrees,
        "RCS.PRT" => Recourse::PaysPart,
        "RCS.AGW" => Recourse::AgreementOfInitiator,
        "RCS.AGS" | "RCS.AGJ" => Recourse::AgreementOfCounterparty,
        "RCS.SET" | "RCS.FLD" => Recourse::AgreementOfDebtor,
        _ => Recourse::Nothing,
    }
}

/// The requests that a behaviour answers, ends or goes on with.
fn answered_requests(code: &str) -> SmallVec<[Behaviour; 4]> {
    let written: &[&str] = match code {
        "DSC.SGN" | "DSC.REJ" | "DSC.WDR" | "DSC.CLR" => &["DSC.REQ", "SCB.DSC"],
        "DSC.SET" | "DSC.FLD" => &["DSC.REQ", "SCB.DSC", "DTH.ENT"],
        "DTH.ENX" | "DTH.LST" | "DTH.LSX" | "DTH.PCK" | "DTH.QTE" | "DTH.QAC" | "DTH.QRJ" | "DTH.DEL" => &["DTH.ENT"],
        "IBT.QMD" | "IBT.QAC" | "IBT.QRJ" => &["IBT.QTE"],
        "IBT.CKX" | "IBT.CKH" => &["IBT.CKS"],
        "IBT.DEL" | "IBT.SET" | "IBT.FLD" => &["IBT.QTE", "IBT.CKS"],
        "RPO.QAC" | "RPO.QRJ" => &["RPO.QTE"],
        "RPO.DEL" | "RPO.SET" | "RPO.FLD" => &["RPO.QTE", "RPO.ANB"],
        "BRP.QAC" | "BRP.QRJ" | "BRP.DEL" | "BRP.SET" => &["BRP.QTE"],
        "RDC.APR" | "RDC.REJ" | "RDC.CXL" => &["RDC.BRQ", "RDC.RRQ"],
        "RDC.BST" => &["RDC.BRQ"],
        "RDC.RST" => &["RDC.RRQ"],
        "PAY.CNF.RES" => &["PAY.CNF.REQ"],
        "SDN.ACK" => &["SDN.REQ"],
        "OPY.ULK" | "OPY.RES" => &["OPY.LCK"],
        _ => &[],
    };
    if !written.is_empty() {
        return written.iter().map(|code| Behaviour::parse(code).expect("a compiled code")).collect();
    }
    match code.rsplit_once('.') {
        Some((stem, "SGN" | "REJ" | "WDR" | "CLR")) => {
            let request = |known: &&&str| known.strip_suffix(".REQ") == Some(stem);
            BEHAVIOUR_CODES.iter().find(request).and_then(|code| Behaviour::parse(code)).into_iter().collect()
        }
        _ => SmallVec::new(),
    }
}

/// What opened the deal that a behaviour redeems, extends or ends.
fn redeemed_deals(code: &str) -> Option<Behaviour> {
    match code {
        "DRD.REQ" | "DRD.OVD" => Some(behaviour::DSR_SGN),
        "RPO.RED" | "RPO.RDF" | "RPO.ERQ" | "RPO.ERJ" | "RPO.ERD" | "RPO.ORD" => Some(behaviour::RPO_SET),
        "BRP.RED" | "BRP.RDF" => Some(behaviour::BRP_SET),
        "RDC.RED" | "RDC.ERD" | "RDC.ORD" => Some(behaviour::RDC_RST),
        _ => None,
    }
}

fn unknown(behaviour: &'static str, code: Code) -> LawsError {
    LawsError {
        behaviour,
        problem: format!("transitions.csv names {code}, which the fold never sets"),
        remedy: "use CS01..CS06, TF.. and RS00..RS03 only",
    }
}

fn state(behaviour: &'static str, status: Code, flag: Code) -> Result<(Status, Flag), LawsError> {
    Ok((
        Status::parse(status.as_str()).ok_or_else(|| unknown(behaviour, status))?,
        Flag::parse(flag.as_str()).ok_or_else(|| unknown(behaviour, flag))?,
    ))
}

fn condition(behaviour: &'static str, written: Written) -> Result<Condition, LawsError> {
    let risk = |code: Code| Risk::parse(code.as_str()).ok_or_else(|| unknown(behaviour, code));
    Ok(match written {
        Written::Always => Condition::Always,
        Written::Transferable(transferable) => Condition::Transferable(transferable),
        Written::Risk { from, to } => Condition::Risk { from: risk(from)?, to: to.map(risk).transpose()? },
        Written::LastOpenNotice => Condition::LastOpenNotice(true),
        Written::OtherNoticesOpen => Condition::LastOpenNotice(false),
        Written::LastObligorPaid => Condition::LastObligor(true),
        Written::DebtorHasPriorParties => Condition::LastObligor(false),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laws() -> Laws {
        Laws::new(&Catalogue::embedded()).unwrap()
    }

    fn of(code: &str) -> BehaviourLaw {
        laws().of(Behaviour::parse(code).unwrap()).clone()
    }

    #[test]
    fn every_behaviour_has_its_law() {
        let laws = laws();
        for (number, row) in Catalogue::embedded().behaviours.iter().enumerate() {
            let law = laws.of(Behaviour(number as u16));
            assert_eq!(law.kind == Kind::Informational, !row.has_state || row.code.starts_with("SPL."), "{}", row.code);
        }
    }

    #[test]
    fn senders_follow_the_roles() {
        for (code, expected) in [
            ("END.REQ", Sender::Holder),
            ("END.SGN", Sender::Answerer),
            ("END.WDR", Sender::Requester),
            ("END.CLR", Sender::System),
            ("ACC.SGN", Sender::Acceptor),
            ("ACC.REQ", Sender::Drawer),
            ("RCV.SGN", Sender::Payee),
            ("PLG.SGN", Sender::Answerer),
            ("PLR.REQ", Sender::Pledgee),
            ("PLR.SGN", Sender::Answerer),
            ("PPR.PLR", Sender::Pledgee),
            ("IBT.CKH", Sender::Answerer),
            ("IBT.CKX", Sender::Holder),
            ("RPO.QRJ", Sender::EitherSide),
            ("RDC.APR", Sender::Answerer),
            ("PAY.REQ", Sender::Presenter),
            ("PAY.WDR", Sender::Requester),
            ("PAY.SUB", Sender::Anybody),
            ("LSF.STP", Sender::Anybody),
            ("DTH.QAC", Sender::Anybody),
            ("DTH.DEL", Sender::Anybody),
            ("SDN.ACK", Sender::Answerer),
            ("SDN.RET", Sender::Anybody),
            ("RCS.AGS", Sender::Creditor),
            ("RCS.AGR", Sender::Anybody),
            ("ENH.GUA.SGN", Sender::Answerer),
        ] {
            assert_eq!(of(code).sender, expected, "{code}");
        }
    }

    #[test]
    fn risk_blocks_what_moves_the_bill_and_nothing_else() {
        for (code, expected) in [
            ("END.SGN", true),
            ("END.REJ", false),
            ("PLG.DUE", false),
            ("PLR.SGN", true),
            ("IBT.CKX", false),
            ("RPO.RED", true),
            ("RPO.RDF", false),
            ("RDC.CXL", false),
            ("PAY.SET", true),
            ("PAY.REQ", false),
            ("GUE.SGN", false),
            ("LSF.UNF", false),
        ] {
            assert_eq!(of(code).blocked_by_risk, expected, "{code}");
        }
    }

    #[test]
    fn only_requests_and_presentations_open() {
        for (code, expected) in
            [("END.REQ", true), ("PAY.AUT", true), ("PAY.MAT", false), ("IBT.CKH", false), ("PLR.REQ", true)]
        {
            assert_eq!(of(code).opens, expected, "{code}");
        }
    }
}
