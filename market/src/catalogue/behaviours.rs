//! Bill behaviours (`behaviours.csv`) and the state machine (`transitions.csv`).
//!
//! The rows of `behaviours.csv` are compiled in, because the log writes their numbers and the fold names them: a table on
//! disk may change names and notes, never codes or order.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    enums::Enums,
    fields::Fields,
    table::{CatalogueError, Distinct, Row, read_rows},
};
use crate::{
    fact::{BEHAVIOUR_CODES, Behaviour},
    ids::Code,
};

pub(super) const FILE: &str = "behaviours.csv";
pub(super) const TRANSITIONS_FILE: &str = "transitions.csv";

/// A row of `behaviours.csv`; its index is the number of the [`Behaviour`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BehaviourRow {
    /// Its code, for instance `END.SGN`.
    pub code: &'static str,
    /// Name.
    pub english: Box<str>,
    /// 名称.
    pub chinese: Box<str>,
    /// Code of enumeration `behaviour_group`.
    pub group: Box<str>,
    /// Code of enumeration `role`: who sends.
    pub initiating_role: Box<str>,
    /// Code of enumeration `role`: the other side.
    pub counterparty_role: Box<str>,
    /// False for a behaviour that is INFORMATIONAL: no row in `transitions.csv`.
    pub has_state: bool,
    /// States before, as written.
    pub legal_prior_states: Box<str>,
    /// State after, as written.
    pub resulting_state: Box<str>,
    /// Message of the system, as written; `derived.csv` reads codes from it.
    pub message_ref: Box<str>,
    /// Notes.
    pub notes: Box<str>,
}

/// State before a transition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StateBefore {
    /// There is no bill yet.
    Nothing,
    /// Any state; the risk flag decides.
    Any,
    /// This bill status and circulation flag.
    Is(Code, Code),
}

/// State after a transition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StateAfter {
    /// Status and flag stay.
    Same,
    /// This bill status and circulation flag.
    Is(Code, Code),
}

/// What else must hold for a transition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Condition {
    /// Nothing else.
    Always,
    /// The mark of the answer or request is EM00 (`true`) or EM01 (`false`).
    Transferable(bool),
    /// The risk flag is `from`, and becomes `to`.
    Risk {
        /// Before.
        from: Code,
        /// After; `None` = the lot ends.
        to: Option<Code>,
    },
    /// Recourse: the notice withdrawn is the last open one.
    LastOpenNotice,
    /// Recourse: other notices stay open.
    OtherNoticesOpen,
    /// Recourse: the debtor that paid is the last obligor.
    LastObligorPaid,
    /// Recourse: the debtor that paid goes on against its prior parties.
    DebtorHasPriorParties,
}

/// A row of `transitions.csv`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Transition {
    /// What happens.
    pub behaviour: Behaviour,
    /// Before.
    pub before: StateBefore,
    /// After.
    pub after: StateAfter,
    /// What else must hold.
    pub condition: Condition,
}

/// The behaviour that a cell names, or the error of that cell.
pub(super) fn require(row: &Row, column: &str, code: &str) -> Result<Behaviour, CatalogueError> {
    Behaviour::parse(code).ok_or_else(|| row.error_at(column, code, "write a code of behaviours.csv"))
}

pub(super) fn read(text: &str, enums: &Enums, fields: &Fields) -> Result<Vec<BehaviourRow>, CatalogueError> {
    let columns = [
        "code",
        "english_name",
        "chinese_name",
        "group",
        "initiating_role",
        "counterparty_role",
        "legal_prior_states",
        "resulting_state",
        "amount_fields",
        "notes",
        "message_ref",
    ];
    let mut rows: Vec<BehaviourRow> = Vec::with_capacity(BEHAVIOUR_CODES.len());
    let mut distinct = Distinct::default();
    read_rows(FILE, text, &columns, |row| {
        let code = row.filled("code")?;
        distinct.take(row, "code", code)?;
        let expected = BEHAVIOUR_CODES.get(rows.len()).copied();
        if expected != Some(code) {
            let remedy = match expected {
                Some(expected) => format!("row {expected} belongs here: codes and their order are compiled in"),
                None => "this build knows no further behaviour: rebuild it with this table".to_owned(),
            };
            return Err(row.error("code", remedy));
        }
        enums.require_item(row, "code", code, "behaviour")?;
        enums.require_item(row, "group", row.filled("group")?, "behaviour_group")?;
        for role in ["initiating_role", "counterparty_role"] {
            enums.require_item(row, role, row.filled(role)?, "role")?;
        }
        for field in row.parts("amount_fields", ';') {
            fields.require(row, "amount_fields", field)?;
        }
        rows.push(BehaviourRow {
            code: BEHAVIOUR_CODES[rows.len()],
            english: row.filled("english_name")?.into(),
            chinese: row.filled("chinese_name")?.into(),
            group: row.get("group").into(),
            initiating_role: row.get("initiating_role").into(),
            counterparty_role: row.get("counterparty_role").into(),
            has_state: row.filled("legal_prior_states")? != "n/a",
            legal_prior_states: row.get("legal_prior_states").into(),
            resulting_state: row.filled("resulting_state")?.into(),
            message_ref: row.get("message_ref").into(),
            notes: row.get("notes").into(),
        });
        Ok(())
    })?;
    if let Some(missing) = BEHAVIOUR_CODES.get(rows.len()) {
        return Err(CatalogueError {
            file: FILE.to_owned(),
            row: rows.len() as u64 + 2,
            column: "code".to_owned(),
            value: String::new(),
            remedy: format!("row {missing} is missing: codes and their order are compiled in"),
        });
    }
    Ok(rows)
}

/// Reads the transitions and checks them against `legal_prior_states`, and that no lot ever goes back to an earlier status:
/// that would be a cycle of lives.
pub(super) fn read_transitions(
    text: &str,
    enums: &Enums,
    behaviours: &[BehaviourRow],
) -> Result<Vec<Transition>, CatalogueError> {
    let columns = ["behaviour", "from_status", "from_flag", "to_status", "to_flag", "condition"];
    let mut transitions = Vec::new();
    let mut distinct = Distinct::default();
    // The states that transitions name, and the row of the last of them, by behaviour.
    let mut named: BTreeMap<Behaviour, BTreeSet<String>> = BTreeMap::new();
    read_rows(TRANSITIONS_FILE, text, &columns, |row| {
        let behaviour = require(row, "behaviour", row.filled("behaviour")?)?;
        let key = columns.map(|column| row.get(column)).join(",");
        distinct.take(row, "behaviour", &key)?;
        let before = match (row.filled("from_status")?, row.get("from_flag")) {
            ("NONE", "") => StateBefore::Nothing,
            ("*", "*") => StateBefore::Any,
            _ => {
                let (status, flag) = state(row, enums, "from_status", "from_flag")?;
                StateBefore::Is(status, flag)
            }
        };
        let after = match (row.filled("to_status")?, row.get("to_flag")) {
            ("same", "same") => StateAfter::Same,
            _ => {
                let (status, flag) = state(row, enums, "to_status", "to_flag")?;
                StateAfter::Is(status, flag)
            }
        };
        if let (StateBefore::Is(from, _), StateAfter::Is(to, _)) = (before, after)
            && to < from
        {
            return Err(row.error("to_status", "a bill never goes back to an earlier status: this makes a cycle"));
        }
        let condition = condition(row, enums)?;
        let prior = match (before, condition) {
            (StateBefore::Any, Condition::Risk { from, .. }) => format!("risk={from}"),
            (StateBefore::Is(status, flag), _) => format!("{status}/{flag}"),
            (StateBefore::Nothing, _) => "NONE".to_owned(),
            (StateBefore::Any, _) => {
                return Err(row.error("condition", "a transition from any state names its risk flag: risk=RS.. -> .."));
            }
        };
        let row_of_behaviour = &behaviours[usize::from(behaviour.0)];
        if !row_of_behaviour.legal_prior_states.split('|').any(|known| known == prior) {
            let column = if before == StateBefore::Any { "condition" } else { "from_status" };
            let remedy = format!(
                "behaviours.csv allows {} for {}: change one of them",
                row_of_behaviour.legal_prior_states, row_of_behaviour.code
            );
            return Err(row.error_at(column, &prior, remedy));
        }
        named.entry(behaviour).or_default().insert(prior);
        transitions.push(Transition { behaviour, before, after, condition });
        Ok(())
    })?;
    for (number, row) in behaviours.iter().enumerate().filter(|(_, row)| row.has_state) {
        let named = named.get(&Behaviour(number as u16));
        for prior in row.legal_prior_states.split('|') {
            if !named.is_some_and(|named| named.contains(prior)) {
                return Err(CatalogueError {
                    file: FILE.to_owned(),
                    row: number as u64 + 2,
                    column: "legal_prior_states".to_owned(),
                    value: prior.to_owned(),
                    remedy: format!("transitions.csv has no row for {} from this state: add it", row.code),
                });
            }
        }
    }
    Ok(transitions)
}

fn state(row: &Row, enums: &Enums, status: &str, flag: &str) -> Result<(Code, Code), CatalogueError> {
    enums.require_item(row, status, row.filled(status)?, "bill_status")?;
    enums.require_item(row, flag, row.filled(flag)?, "circulation_flag")?;
    let code = |column: &str| Code::parse(row.get(column)).ok_or_else(|| row.error(column, "write 1-16 capitals"));
    Ok((code(status)?, code(flag)?))
}

fn condition(row: &Row, enums: &Enums) -> Result<Condition, CatalogueError> {
    let text = row.get("condition");
    Ok(match text {
        "" => Condition::Always,
        "transferable=EM00" => Condition::Transferable(true),
        "transferable=EM01" => Condition::Transferable(false),
        "last open notice" => Condition::LastOpenNotice,
        "other notices still open" => Condition::OtherNoticesOpen,
        "last obligor paid in full" => Condition::LastObligorPaid,
        "debtor still has prior parties: debtor becomes holder" => Condition::DebtorHasPriorParties,
        _ => {
            let unknown =
                || row.error("condition", "write one of the conditions of the other rows: the fold knows no other");
            let rest = text.strip_prefix("risk=").ok_or_else(unknown)?;
            let (from, to) = match rest.split_once(" -> risk=") {
                Some((from, to)) => (from, Some(to)),
                None => (rest.strip_suffix("; ends the lot").ok_or_else(unknown)?, None),
            };
            for code in [Some(from), to].into_iter().flatten() {
                enums.require_item(row, "condition", code, "risk_status")?;
            }
            let from = Code::parse(from).ok_or_else(unknown)?;
            Condition::Risk { from, to: to.map(|to| Code::parse(to).ok_or_else(unknown)).transpose()? }
        }
    })
}
