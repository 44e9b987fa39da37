//! What the catalogue says about each behaviour and day, compiled once: groups, roles, defaults, codes in `message_ref`.
//!
//! Source: behaviours.csv, fields.csv `default_when_absent`, derived.csv `event.*`.

use std::sync::Arc;

use super::day_types::{DAY_TYPES, day_type_bits};
use crate::{
    bill::{BillKind, Flag, PayState, Risk, Status},
    catalogue::{Catalogue, calendar::Calendar},
    defaults::settlement_result,
    fact::{BEHAVIOUR_CODES, Behaviour, FIELDS, Field, SOURCES, Source},
    ids::Day,
    items::{Enumeration, Item, Items, MissingEnumeration, Row, Vocabulary},
};

/// A party's seat in the envelope of a fact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seat {
    Initiator,
    Counterparty,
}

/// Group of behaviours, as far as rules tell them apart by the first letters of the code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub(crate) enum Family {
    Issue,
    Acceptance,
    Receipt,
    Endorsement,
    Guarantee,
    Enhancement,
    Pledge,
    Discount,
    DiscountThrough,
    Interbank,
    PledgedRepo,
    BuyoutRepo,
    Rediscount,
    Payment,
    Recourse,
    LossFreeze,
    Paper,
    Cash,
    Disclosure,
    Other,
}

/// One behaviour.
#[derive(Debug)]
pub(crate) struct BehaviourMeaning {
    pub family: Family,
    pub item: Item,
    pub group: Item,
    pub initiating_role: Row,
    pub counterparty_role: Row,
    pub business_kind: Item,
    pub product: Item,
    /// From the behaviour; `None`: of the opening request.
    pub quote_method: Option<Item>,
    pub side: Item,
    /// Items of absent fields that are not `UNKNOWN`.
    defaults: Vec<(Field, Item)>,
}

impl BehaviourMeaning {
    /// The item of a coded field when the fact does not carry it.
    pub fn default_item(&self, field: Field) -> Item {
        self.defaults.iter().find(|(known, _)| *known == field).map_or(Item::UNKNOWN, |(_, item)| *item)
    }
}

/// Rows of enumeration `role` that rules name.
#[derive(Debug)]
#[allow(missing_docs)]
pub(crate) struct RoleRows {
    pub drawer: Row,
    pub acceptor: Row,
    pub payee: Row,
    pub holder: Row,
    pub endorsee: Row,
    pub guarantor: Row,
    pub pledgor: Row,
    pub pledgee: Row,
    pub discount_applicant: Row,
    pub discounter: Row,
    pub seller: Row,
    pub buyer: Row,
    pub repo_seller: Row,
    pub repo_buyer: Row,
    pub enh_bank: Row,
    pub creditor: Row,
    pub debtor: Row,
    pub broker: Row,
    pub pboc: Row,
}

/// Items of the state codes of a lot, by the order of their enums.
#[derive(Debug)]
pub(crate) struct StateItems {
    pub status: Vec<Item>,
    pub flag: Vec<Item>,
    pub risk: Vec<Item>,
    pub pay_state: Vec<Item>,
    pub kind: [Item; 3],
}

/// Everything compiled.
#[derive(Debug)]
pub struct Meanings {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) vocabulary: Arc<Vocabulary>,
    pub(crate) behaviours: Vec<BehaviourMeaning>,
    pub(crate) roles: RoleRows,
    pub(crate) states: StateItems,
    /// Enumeration of each field that is a code, by field number.
    field_enumerations: Vec<Option<Enumeration>>,
    /// Price classes BCL1 ... BCL7, and which of the first three an institution type is.
    pub(crate) price_classes: [Row; 7],
    pub(crate) bank_class_of_kind: Vec<Row>,
    pub(crate) state_owned_flag: Row,
    pub(crate) no_flag: Item,
    pub(crate) supply_chain_product: Item,
    pub(crate) buy_side: Item,
    pub(crate) sell_side: Item,
    pub(crate) yes: Item,
    pub(crate) no: Item,
    pub(crate) curve_rate_kind: Item,
    pub(crate) transferable: [Item; 2],
    /// Items of the first digit of a bill number.
    pub(crate) kind_digits: [Item; 10],
    sources: [Item; SOURCES.len()],
    failures: Vec<Item>,
    queued: Item,
    finance_company: Item,
    years: Vec<(i32, Item)>,
    day_types: Vec<u8>,
    first_day: Day,
}

impl Meanings {
    /// Compiles a catalogue.
    pub fn new(catalogue: Arc<Catalogue>) -> Result<Self, MissingEnumeration> {
        let vocabulary = Arc::new(Vocabulary::of(&catalogue)?);
        let known = vocabulary.known;
        let row = |enumeration, code: &str| vocabulary.row_of_text(enumeration, code);
        let item = |enumeration, code: &str| row(enumeration, code).item(enumeration);
        let codes = |enumeration, codes: &mut dyn Iterator<Item = &'static str>| -> Vec<Item> {
            codes.map(|code| item(enumeration, code)).collect()
        };
        let behaviours = (0..BEHAVIOUR_CODES.len() as u16)
            .map(|number| behaviour_meaning(Behaviour(number), &catalogue, &vocabulary))
            .collect();
        let price_classes =
            ["BCL1", "BCL2", "BCL3", "BCL4", "BCL5", "BCL6", "BCL7"].map(|code| row(known.bill_class, code));
        let bank_class = |kind: &String| match kind.as_str() {
            "201" | "202" | "203" => price_classes[0],
            "205" => price_classes[1],
            _ => price_classes[2],
        };
        let first_day = Day::from_ymd(2009, 1, 1).expect("a day");
        let last_day = Day::from_ymd(2035, 12, 31).expect("a day");
        let role = |code| row(known.role, code);
        Ok(Meanings {
            behaviours,
            roles: RoleRows {
                drawer: role("DRAWER"),
                acceptor: role("ACCEPTOR"),
                payee: role("PAYEE"),
                holder: role("HOLDER"),
                endorsee: role("ENDORSEE"),
                guarantor: role("GUARANTOR"),
                pledgor: role("PLEDGOR"),
                pledgee: role("PLEDGEE"),
                discount_applicant: role("DISCOUNT_APPLICANT"),
                discounter: role("DISCOUNTER"),
                seller: role("SELLER"),
                buyer: role("BUYER"),
                repo_seller: role("REPO_SELLER"),
                repo_buyer: role("REPO_BUYER"),
                enh_bank: role("ENH_BANK"),
                creditor: role("RECOURSE_CREDITOR"),
                debtor: role("RECOURSE_DEBTOR"),
                broker: role("BROKER"),
                pboc: role("PBOC"),
            },
            states: StateItems {
                status: codes(known.bill_status, &mut Status::ALL.iter().map(|value| value.code())),
                flag: codes(known.circulation_flag, &mut Flag::ALL.iter().map(|value| value.code())),
                risk: codes(known.risk_status, &mut Risk::ALL.iter().map(|value| value.code())),
                pay_state: codes(known.pay_state, &mut PayState::ALL.iter().map(|value| value.code())),
                kind: [BillKind::Bab, BillKind::Fab, BillKind::Cab].map(|kind| item(known.bill_kind, kind.code())),
            },
            field_enumerations: FIELDS
                .iter()
                .map(|field| {
                    let name = field.type_name();
                    vocabulary.enumeration(name.strip_prefix("enum:").or(name.strip_prefix("list:enum:"))?)
                })
                .collect(),
            bank_class_of_kind: vocabulary.codes(known.institution_type).iter().map(bank_class).collect(),
            price_classes,
            state_owned_flag: row(known.special_flag, "CSOE"),
            no_flag: item(known.special_flag, "NONE"),
            supply_chain_product: item(known.product, "P07"),
            buy_side: item(known.trade_side, "B"),
            sell_side: item(known.trade_side, "S"),
            yes: item(known.yes_no, "Y"),
            no: item(known.yes_no, "N"),
            curve_rate_kind: item(known.rate_kind, "RK08"),
            transferable: ["EM00", "EM01"].map(|code| item(known.transferable_mark, code)),
            kind_digits: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
                .map(|digit| item(known.bill_number_kind_digit, digit)),
            failures: vocabulary
                .codes(known.settlement_result)
                .iter()
                .filter(|code| code.starts_with("FAIL_"))
                .map(|code| item(known.settlement_result, code))
                .collect(),
            queued: item(known.settlement_result, "QUEUED"),
            finance_company: item(known.institution_type, "301"),
            sources: SOURCES.map(|source| item(known.source_system, source.code())),
            years: vocabulary
                .codes(known.year)
                .iter()
                .filter_map(|code| Some((code.parse().ok()?, item(known.year, code))))
                .collect(),
            day_types: (first_day.0..=last_day.0).map(|day| day_type_bits(Day(day), &catalogue.calendar)).collect(),
            first_day,
            catalogue,
            vocabulary,
        })
    }

    /// The numbers of its enumerations.
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.vocabulary
    }

    /// What it was compiled from.
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// Business days.
    pub fn calendar(&self) -> &Calendar {
        &self.catalogue.calendar
    }

    pub(crate) fn behaviour_item(&self, behaviour: Behaviour) -> Item {
        self.of(behaviour).item
    }

    pub(crate) fn of(&self, behaviour: Behaviour) -> &BehaviourMeaning {
        &self.behaviours[usize::from(behaviour.0)]
    }

    /// The enumeration of a field that holds a code.
    pub fn field_enumeration(&self, field: Field) -> Option<Enumeration> {
        self.field_enumerations[field as usize]
    }

    /// The seat of the party that plays a role in a behaviour.
    pub(crate) fn seat(&self, behaviour: Behaviour, role: Row) -> Option<Seat> {
        let meaning = self.of(behaviour);
        if meaning.initiating_role == role {
            Some(Seat::Initiator)
        } else if meaning.counterparty_role == role {
            Some(Seat::Counterparty)
        } else {
            None
        }
    }

    /// True for a settlement_result FAIL_*.
    pub fn is_failure(&self, result: Item) -> bool {
        self.failures.contains(&result)
    }

    /// True for settlement_result QUEUED.
    pub fn is_queued(&self, result: Item) -> bool {
        result == self.queued
    }

    /// True for institution type 301.
    pub fn is_finance_company(&self, kind: Item) -> bool {
        kind == self.finance_company
    }

    /// Item of a source.
    pub fn source_item(&self, source: Source) -> Item {
        self.sources[usize::from(source.rank())]
    }

    /// Item of the year of a day.
    pub fn year_item(&self, day: Day) -> Item {
        let (year, _, _) = day.ymd();
        self.years.iter().find(|(known, _)| *known == year).map_or(Item::UNKNOWN, |(_, item)| *item)
    }

    /// Item of the month 01..12 of a day.
    pub fn month_item(&self, day: Day) -> Item {
        let (_, month, _) = day.ymd();
        Row(month as u16 - 1).item(self.vocabulary.known.month)
    }

    /// Item of the quarter Q1..Q4 of a day.
    pub fn quarter_item(&self, day: Day) -> Item {
        let (_, month, _) = day.ymd();
        Row((month as u16 - 1) / 3).item(self.vocabulary.known.quarter)
    }

    /// Items of the day types that a day has (derived.csv `calendar.day_type`).
    pub fn day_type_items(&self, day: Day) -> Items {
        let place = i64::from(day.0) - i64::from(self.first_day.0);
        let kept = usize::try_from(place).ok().and_then(|place| self.day_types.get(place).copied());
        let bits = kept.unwrap_or_else(|| day_type_bits(day, self.calendar()));
        let enumeration = self.vocabulary.known.day_type;
        let has = |place: &usize| bits >> place & 1 == 1;
        (0..DAY_TYPES.len())
            .filter(has)
            .map(|place| self.vocabulary.row_of_text(enumeration, DAY_TYPES[place]).item(enumeration))
            .collect()
    }
}

fn family(code: &str) -> Family {
    match &code[..4] {
        "ISS." => Family::Issue,
        "ACC." => Family::Acceptance,
        "RCV." => Family::Receipt,
        "END." | "NTR." => Family::Endorsement,
        "GUD." | "GUA." | "GUE." => Family::Guarantee,
        "ENH." => Family::Enhancement,
        "PLG." | "PLR." => Family::Pledge,
        "DSC." | "DSR." | "DRD." => Family::Discount,
        "DTH." => Family::DiscountThrough,
        "IBT." => Family::Interbank,
        "RPO." => Family::PledgedRepo,
        "BRP." => Family::BuyoutRepo,
        "RDC." => Family::Rediscount,
        "PAY." => Family::Payment,
        "RCS." | "PDR." => Family::Recourse,
        "LSF." => Family::LossFreeze,
        "PPR." => Family::Paper,
        "CSH." => Family::Cash,
        "DIS." => Family::Disclosure,
        _ => Family::Other,
    }
}

fn behaviour_meaning(behaviour: Behaviour, catalogue: &Catalogue, vocabulary: &Vocabulary) -> BehaviourMeaning {
    let known = vocabulary.known;
    let row = catalogue.behaviour_row(behaviour);
    let code = behaviour.code();
    let family = family(code);
    let item = |enumeration, code: &str| vocabulary.row_of_text(enumeration, code).item(enumeration);
    let ends = |tails: &[&str]| tails.iter().any(|tail| code.ends_with(tail));
    // Codes in brackets, as in "NES.007.001 (BC08)" or "CAS.001.002 (BC27 RE1022)".
    let in_message = |enumeration, head: &str| {
        let words = row.message_ref.split(|letter: char| !letter.is_ascii_alphanumeric());
        words
            .filter(|word| word.starts_with(head))
            .map(|word| item(enumeration, word))
            .find(|item| *item != Item::UNKNOWN)
    };
    let product = match &*row.group {
        "discount" => "P01",
        "interbank" => "P02",
        "repo" if family == Family::BuyoutRepo => "P04",
        "repo" => "P03",
        "rediscount" => "P05",
        "standardised-note" => "P06",
        "online-payment" => "P08",
        "discount-through" => "P09",
        "acceptance" => "P10",
        "endorsement" => "P11",
        "pledge" => "P12",
        "guarantee" => "P13",
        _ => "",
    };
    let tail = &code[4..];
    let quote_method = match (family, tail) {
        (Family::Interbank | Family::PledgedRepo | Family::BuyoutRepo, "INQ" | "INX") => Some("QM01"),
        (Family::Interbank, "QTE" | "QMD" | "QAC" | "QRJ") => Some("QM02"),
        (Family::PledgedRepo | Family::BuyoutRepo | Family::DiscountThrough, "QTE" | "QAC" | "QRJ") => Some("QM02"),
        (Family::Interbank, _) if tail.starts_with("CK") => Some("QM03"),
        (Family::PledgedRepo, _) if tail.starts_with("AN") => Some("QM04"),
        (Family::DiscountThrough, "LST" | "LSX" | "PCK") => Some("QM05"),
        (Family::Rediscount, _) => Some("QM06"),
        _ => None,
    };
    let side = match &*row.initiating_role {
        "SELLER" => "S",
        "BUYER" => "B",
        "REPO_SELLER" => "RS",
        "REPO_BUYER" => "RB",
        _ => "",
    };
    let mut defaults = vec![
        (Field::AccountIdentity, item(known.account_identity, "DT02")),
        (Field::Currency, item(known.currency, "CNY")),
        (Field::SettlementMethod, item(known.settlement_method, "DVP")),
        (Field::SettlementSpeed, item(known.settlement_speed, "T0")),
        (Field::DiscountType, item(known.discount_type, if code.starts_with("DSR.") { "RM01" } else { "RM00" })),
        (Field::RecourseType, item(known.recourse_type, if code == "RCS.NDN" { "RT01" } else { "RT00" })),
    ];
    if ends(&[".SGN", ".QAC", ".AGS"]) {
        defaults.push((Field::AnswerCode, item(known.answer_code, "SU00")));
        // Who agrees gives no reason.
        defaults.push((Field::RejectReason, Item::NA));
    } else if ends(&[".REJ", ".QRJ", ".AGJ"]) {
        defaults.push((Field::AnswerCode, item(known.answer_code, "SU01")));
        defaults.push((Field::RejectReason, item(known.reject_reason, "RJ99")));
    } else {
        defaults.push((Field::RejectReason, Item::NA));
    }
    let result = settlement_result(code).map(|code| item(known.settlement_result, code));
    let guarantee = match &code[..3] {
        "GUD" => Some("GT1"),
        "GUA" => Some("GT2"),
        "GUE" => Some("GT3"),
        "ENH" => Some("GT4"),
        _ if code == "PPR.GUA" => Some("GT2"),
        _ => None,
    };
    let cash = match code {
        "CSH.DEP" => Some("T10003"),
        "CSH.WDL" => Some("T10002"),
        "CSH.INT" => Some("T10006"),
        "CSH.FEE" => Some("T10008"),
        _ => None,
    };
    let payer = match code {
        "PAY.SET" => Some("PR01"),
        "PAY.SUB" => Some("PR02"),
        _ => None,
    };
    defaults.extend(result.map(|item| (Field::SettlementResult, item)));
    defaults.extend(guarantee.map(|code| (Field::GuaranteeType, item(known.guarantee_type, code))));
    defaults.extend(cash.map(|code| (Field::CashBusiness, item(known.cash_business, code))));
    defaults.extend(payer.map(|code| (Field::PayerRole, item(known.payer_role, code))));
    defaults.extend(in_message(known.settlement_business, "RE").map(|item| (Field::SettlementBusiness, item)));
    if code.starts_with("END.") {
        defaults.push((Field::EndorsementKind, item(known.endorsement_kind, "ET05")));
    }
    defaults.push((Field::RediscountPurpose, item(known.rediscount_purpose, "RP06")));
    BehaviourMeaning {
        family,
        item: item(known.behaviour, code),
        group: item(known.behaviour_group, &row.group),
        initiating_role: vocabulary.row_of_text(known.role, &row.initiating_role),
        counterparty_role: vocabulary.row_of_text(known.role, &row.counterparty_role),
        business_kind: in_message(known.business_kind, "BC").unwrap_or(Item::UNKNOWN),
        product: if product.is_empty() { Item::NA } else { item(known.product, product) },
        quote_method: quote_method.map(|code| item(known.quote_method, code)),
        side: if side.is_empty() { Item::UNKNOWN } else { item(known.trade_side, side) },
        defaults,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day_types(meanings: &Meanings, day: &str) -> Vec<String> {
        let items = meanings.day_type_items(Day::parse(day).unwrap());
        items.iter().map(|item| meanings.vocabulary.item_text(*item)).collect()
    }

    #[test]
    fn days_have_their_types() {
        let meanings = Meanings::new(Catalogue::embedded()).unwrap();
        assert_eq!(day_types(&meanings, "2025-06-14"), ["NBD"]);
        assert_eq!(day_types(&meanings, "2025-06-18"), ["BD"]);
        assert_eq!(day_types(&meanings, "2025-12-31"), ["BD", "ME", "QE", "YE", "HB"]);
        assert_eq!(day_types(&meanings, "2025-10-09"), ["BD", "MS", "HA"]);
    }

    #[test]
    fn behaviours_have_their_codes_and_defaults() {
        let meanings = Meanings::new(Catalogue::embedded()).unwrap();
        let text = |item| meanings.vocabulary.item_text(item);
        let of = |code| meanings.of(Behaviour::parse(code).unwrap());
        assert_eq!(text(of("RPO.RED").business_kind), "BC27");
        assert_eq!(text(of("RPO.RED").default_item(Field::SettlementBusiness)), "RE1022");
        assert_eq!(text(of("BRP.DEL").product), "P04");
        assert_eq!(text(of("IBT.CKH").quote_method.unwrap()), "QM03");
        assert_eq!(text(of("ACC.SGN").default_item(Field::AnswerCode)), "SU00");
        assert_eq!(text(of("ACC.REJ").default_item(Field::RejectReason)), "RJ99");
    }
}
