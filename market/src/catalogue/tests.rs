//! The embedded tables hold what the product promises, and a fault in any table is named.

use std::path::PathBuf;

use super::{behaviours::*, fields::*, listing::*, payloads::*, *};
use crate::{
    fact::{Field, behaviour},
    ids::Code,
};

#[test]
fn the_embedded_tables_are_whole() {
    let catalogue = Catalogue::embedded();
    assert_eq!(catalogue.behaviours.len(), 235);
    assert_eq!(catalogue.transitions.len(), 247);
    assert_eq!(catalogue.themes.len(), 40);
    assert_eq!(catalogue.patterns.len(), 201);
    assert_eq!(catalogue.indicators.len(), 8);
    assert_eq!(catalogue.reports.len(), 22);
    assert_eq!(catalogue.fields.iter().count(), 213);
    assert_eq!(catalogue.behaviour("END.SGN"), Some(behaviour::END_SGN));
    assert_eq!(catalogue.behaviour("END.FOO"), None);
    assert_eq!(&*catalogue.behaviour_row(behaviour::END_SGN).chinese, "转让背书签收");
    assert_eq!(catalogue.enums.named("province").unwrap().item_index(Code::of("120000")), Some(1));
    assert!(!catalogue.enums.named("province").unwrap().contains(Code::of("999999")));
    assert_eq!(catalogue.trade.weight(Code::of("A"), Code::of("B")), Some(1));
    let kinds = catalogue.transitions.iter().filter(|row| row.behaviour == behaviour::RCV_SGN).count();
    assert_eq!(kinds, 2, "transferable or not");
    assert!(catalogue.transitions.iter().any(|row| {
        row.behaviour == behaviour::LSF_FRZ
            && row.condition == Condition::Risk { from: Code::of("RS00"), to: Some(Code::of("RS03")) }
    }));
}

#[test]
fn the_words_of_the_tables_are_read_as_rules() {
    let catalogue = Catalogue::embedded();
    let bound = |field: Field| catalogue.fields.get(field).bound.clone();
    assert_eq!(bound(Field::EventTime), Bound::Instant { min: 1_230_768_000_000, max: 4_102_444_800_000 });
    assert_eq!(bound(Field::SubEnd), Bound::Integer { min: 0, max: 999_999_999_999 });
    assert_eq!(bound(Field::LimitFen), Bound::Amount);
    assert_eq!(bound(Field::NetAssetsFen), Bound::None);
    assert_eq!(bound(Field::Remark), Bound::Text { max: 500 });
    assert_eq!(bound(Field::CounterpartyUscc), Bound::PrintableAscii { max: 32 });
    assert_eq!(bound(Field::DeviceId), Bound::Hex { min: 16, max: 64 });
    assert_eq!(bound(Field::BankNo), Bound::Digits { count: 12 });
    assert_eq!(bound(Field::SpecialFlags), Bound::Codes { max: 14 });
    assert_eq!(bound(Field::FieldName), Bound::FieldNameOf(vec![behaviour::MST_ENR, behaviour::MST_ISN]));
    assert_eq!(bound(Field::UboId), Bound::PersonOrEnterprise);
    assert_eq!(catalogue.fields.get(Field::DueDate).not_before, Some(Field::IssueDate));
    assert_eq!(catalogue.fields.get(Field::ToDate).not_before, Some(Field::FromDate));
    let texts_without_bound = catalogue
        .fields
        .iter()
        .filter(|row| matches!(row.kind, FieldKind::Text | FieldKind::Date) && row.bound == Bound::None);
    assert_eq!(texts_without_bound.count(), 0);

    let payload = catalogue.payloads.of(behaviour::ACC_SGN);
    assert_eq!(payload.refuses, [Field::BillId, Field::SubStart, Field::SubEnd, Field::InitiatorId]);
    let margin = payload.fields.iter().find(|row| row.field == Field::MarginFen).unwrap();
    let codes = vec![Code::of("BAB"), Code::of("FAB")];
    assert_eq!(margin.requirement, Requirement::AlertsIf(Presence::BillCode(Field::BillKind, codes)));
    let sender = payload.fields.iter().find(|row| row.field == Field::InitiatorId).unwrap();
    assert_eq!(sender.role.as_deref(), Some("ACCEPTOR"));
}

#[test]
fn the_listing_counts_what_is_live() {
    let catalogue = Catalogue::embedded();
    let all: Vec<(&str, &str)> = catalogue
        .themes
        .iter()
        .flat_map(|theme| theme.dimensions.iter().map(|dimension| (&*theme.id, &*dimension.id)))
        .collect();
    let features = ["dsc_amt_30d".to_owned()];
    let live = Live { dimensions: &all, features: &features, patterns: &["P001", "P176", "P999"] };
    let listing = listing(&catalogue, live);
    assert_eq!(listing.themes.count, 40);
    assert_eq!(listing.dimensions.count, 633);
    assert_eq!(listing.behaviours.count, 235);
    assert_eq!(listing.enumeration_items.count, 1896);
    assert_eq!((listing.patterns.count, listing.patterns.families), (2, 2));
    assert_eq!((listing.indicators.count, listing.reports.count, listing.features.count), (8, 22, 1));
    let json = serde_json::to_value(&listing).unwrap();
    assert_eq!(json["behaviours"]["items"][0]["code"], "ISS.REG");
}

/// A directory with one changed table, removed at the end.
struct Changed(PathBuf);

impl Changed {
    fn new(file: &str, change: impl Fn(&str) -> String) -> Self {
        let (_, text) = FILES.into_iter().find(|(name, _)| *name == file).expect(file);
        let changed = change(text);
        assert!(text != changed, "the change of {file} changes nothing");
        static COUNTER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("billwatch-catalogue-{}-{number}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(file), changed).unwrap();
        Changed(dir)
    }

    fn load(&self) -> Result<Arc<Catalogue>, CatalogueError> {
        Catalogue::load(&self.0)
    }
}

impl Drop for Changed {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn a_directory_replaces_tables_one_by_one() {
    let embedded = Catalogue::embedded();
    let changed = Changed::new("calendar.csv", |_| "date,kind\n2025-11-20,HOLIDAY\n".to_owned());
    let loaded = changed.load().unwrap();
    let day = |text| crate::ids::Day::parse(text).unwrap();
    assert!(!loaded.calendar.is_business_day(day("2025-11-20")));
    assert!(loaded.calendar.is_business_day(day("2025-10-01")), "the embedded holidays are gone");
    assert_eq!(loaded.patterns, embedded.patterns);
    assert_ne!(loaded.fingerprint(), embedded.fingerprint());
    assert_eq!(changed.load().unwrap().fingerprint(), loaded.fingerprint());
    assert_eq!(loaded.text("calendar.csv"), Some("date,kind\n2025-11-20,HOLIDAY\n"));

    let narrower = Changed::new("fields.csv", |text| text.replace("text of at most 500 ", "text of at most 5 "));
    assert_eq!(narrower.load().unwrap().fields.get(Field::Remark).bound, Bound::Text { max: 5 });

    fs::write(changed.0.join("fileds.csv"), "").unwrap();
    let error = changed.load().unwrap_err();
    assert_eq!(error.file, "fileds.csv");
    assert!(error.remedy.contains("fields.csv"), "{error}");
    assert!(Catalogue::load(&changed.0.join("none")).unwrap_err().file.ends_with("none"));
}

/// (file, text to find, text to put, row, column, value)
type Fault = (&'static str, &'static str, &'static str, u64, &'static str, &'static str);

const FAULTS: [Fault; 38] = [
    ("behaviours.csv", "\nISS.CLR,", "\nISS.CLX,", 3, "code", "ISS.CLX"),
    ("behaviours.csv", ",acceptance,DRAWER,", ",acceptances,DRAWER,", 5, "group", "acceptances"),
    ("behaviours.csv", ",issue,SYSTEM,DRAWER,", ",issue,SYSTEM,DRAWERS,", 3, "counterparty_role", "DRAWERS"),
    ("behaviours.csv", ",face_fen;margin_fen,", ",face_fen;margins_fen,", 5, "amount_fields", "margins_fen"),
    (
        "behaviours.csv",
        ",CS02/TF0302,CS02/TF0101,",
        ",CS02/TF0302|CS01/TF0302,CS02/TF0101,",
        0,
        "legal_prior_states",
        "CS01/TF0302",
    ),
    ("behaviours.csv", "english_name,", "english,", 1, "english_name", ""),
    ("transitions.csv", "ISS.CLR,CS01,", "ISS.CLX,CS01,", 3, "behaviour", "ISS.CLX"),
    ("transitions.csv", "ISS.CLR,CS01,TF0101,CS05", "ISS.CLR,CS01,TF0101,CS09", 3, "to_status", "CS09"),
    ("transitions.csv", "ISS.CLR,CS01,TF0101,CS05", "ISS.CLR,CS01,TF0199,CS05", 3, "from_flag", "TF0199"),
    ("transitions.csv", "ISS.CLR,CS01,TF0101,CS05", "ISS.CLR,CS03,TF0301,CS05", 3, "from_status", "CS03/TF0301"),
    ("transitions.csv", "ACC.SGN,CS01,TF0302,CS02,TF0101", "ACC.SGN,CS02,TF0302,CS01,TF0101", 0, "to_status", "CS01"),
    ("transitions.csv", ",transferable=EM01", ",transferable=maybe", 0, "condition", "transferable=maybe"),
    ("transitions.csv", "risk=RS00 -> risk=RS03", "risk=RS00 -> risk=RS93", 0, "condition", "RS93"),
    ("transitions.csv", "ISS.CLR,CS01,TF0101,CS05,TF0501,\n", "ISS.REG,NONE,,CS01,TF0101,\n", 3, "behaviour", ""),
    ("fields.csv", "\nref_event_id,u128", "\nrefs_event_id,u128", 3, "field", "refs_event_id"),
    ("fields.csv", "biz_date,date,", "biz_date,enum:dates,", 6, "type", "dates"),
    ("fields.csv", "biz_date,date,", "biz_date,i64,", 6, "type", "i64"),
    ("fields.csv", "refuse UNKNOWN_SOURCE unless", "refuse UNKNOWN_SOUCE unless", 7, "validation", "UNKNOWN_SOUCE"),
    (
        "fields.csv",
        "refuse FIELD_RANGE outside 2009-01-01T00:00Z..",
        "refuse FIELD_RANGE outside 2009..",
        5,
        "validation",
        "",
    ),
    ("fields.csv", "unless 16-64 lower-case hex characters", "unless 16-64 hex characters", 0, "validation", ""),
    ("payloads.csv", "\nISS.CLR,", "\nISS.CLX,", 0, "behaviour", "ISS.CLX"),
    ("payloads.csv", "*,channel,no,", "*,chanel,no,", 12, "field", "chanel"),
    ("payloads.csv", "*,event_id,yes,absence refuses (", "*,event_id,yes,absence (", 2, "note", ""),
    ("payloads.csv", "*,channel,no,", "*,channel,maybe,", 12, "required", "maybe"),
    ("payloads.csv", "if:bill_id is present", "if:bill_no is present", 0, "required", "bill_no"),
    ("payloads.csv", "*,batch_id,no,", "*,channel,no,", 13, "field", "*:channel"),
    ("payloads.csv", "control:idle,source,", "control:idle,bill_id,", 0, "field", "bill_id"),
    ("enums.csv", "province,120000,", "province,110000,", 3, "code", "province:110000"),
    ("enums.csv", "province,110000,Beijing,", "province,110000,,", 2, "english", ""),
    ("dimensions.csv", ",bill.kind,bill_kind,", ",bill.kind,bill_kinds,", 6, "enum_name", "bill_kinds"),
    ("dimensions.csv", ",bill.kind,bill_kind,", ",bill.kindness,bill_kind,", 6, "source_field", "bill.kindness"),
    ("dimensions.csv", "cnt;bills;amt_fen;avg_face_fen", "cnt;bills;amt;avg_face_fen", 2, "measures", "amt"),
    ("patterns.csv", "RCV.SGN;DSC.SET\n", "RCV.SGN;DSC.SAT\n", 2, "event_kinds", "DSC.SAT"),
    ("patterns.csv", ",lifecycle-sequence,bill,", ",life-sequence,bill,", 2, "engine_family", "life-sequence"),
    ("indicators.csv", "ACC.SGN; PAY.SET; PAY.FLD;", "ACC.SGN; PAY.SAT; PAY.FLD;", 2, "inputs", "PAY.SAT"),
    ("reports.csv", "日报,D,", "日报,Z,", 2, "frequency", "Z"),
    ("calendar.csv", "2024-02-10,HOLIDAY", "2024-02-30,HOLIDAY", 4, "date", "2024-02-30"),
    ("trade_matrix.csv", "A,B,1", "A,B,7", 3, "weight", "7"),
];

#[test]
fn a_fault_is_named_with_file_row_and_column() {
    for (file, find, put, row, column, value) in FAULTS {
        // The tables have either line end; the row must be right with both.
        let changed = Changed::new(file, |text| {
            let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
            text.replacen(&find.replace('\n', end), &put.replace('\n', end), 1)
        });
        let error = changed.load().err().unwrap_or_else(|| panic!("{file}: {put} was taken"));
        let found = (error.file.as_str(), error.column.as_str());
        assert_eq!(found, (file, column), "{put}: {error}");
        assert!(error.row == row || (row == 0 && error.row > 1), "{put}: {error}");
        assert!(value.is_empty() || error.value == value, "{put}: {error}");
        assert!(!error.remedy.is_empty());
    }
}

#[test]
fn a_cut_table_is_an_error() {
    for (file, _) in FILES {
        let error = Changed::new(file, |text| text.lines().next().unwrap().to_owned()).load().unwrap_err();
        assert_eq!(error.file, file, "{error}");
        Changed::new(file, |_| String::new()).load().unwrap_err();
        Changed::new(file, |text| text.replacen(',', ",\"", 40)).load().unwrap_err();
    }
    for file in ["behaviours.csv", "fields.csv"] {
        let last_row_gone = |text: &str| text.trim_end().rsplit_once('\n').unwrap().0.to_owned();
        assert_eq!(Changed::new(file, last_row_gone).load().unwrap_err().file, file);
        let one_more = |text: &str| {
            let last = text.trim_end().rsplit_once('\n').unwrap().1;
            format!("{}\n{}\n", text.trim_end(), last.replacen(|c: char| c.is_ascii_alphabetic(), "X", 1))
        };
        assert_eq!(Changed::new(file, one_more).load().unwrap_err().file, file);
    }
}

#[test]
fn a_directory_replaces_rules_and_the_patterns_follow() {
    use crate::pattern::{Parameters, Patterns};
    let changed = Changed::new("rules_graph_cycle.json", |_| r#"{"rules": []}"#.to_owned());
    let loaded = changed.load().unwrap();
    let count = |catalogue: &Catalogue| Patterns::of(catalogue, &Parameters::default()).unwrap().rule_count();
    assert!(count(&loaded) < count(&Catalogue::embedded()));

    let error = Changed::new("features.json", |_| r#"{"features": {}}"#.to_owned()).load().unwrap_err();
    assert!(error.to_string().contains("P0"), "names a pattern: {error}");
    let twice = |text: &str| text.replacen("\"rules\"", "\"features\": {\"drawn\": {\"emit\": []}}, \"rules\"", 1);
    let error = Changed::new("rules_graph_cycle.json", twice).load().unwrap_err();
    assert!(error.to_string().contains("drawn"), "{error}");
}

#[test]
fn each_rule_stands_in_the_file_of_its_family() {
    let catalogue = Catalogue::embedded();
    for (file, text) in crate::pattern::RULE_FILES {
        let Some(family) = file.strip_prefix("rules_").and_then(|rest| rest.strip_suffix(".json")) else { continue };
        let file: serde_json::Value = serde_json::from_str(text).unwrap();
        for rule in file["rules"].as_array().unwrap() {
            let id = rule["id"].as_str().unwrap();
            let of = &catalogue.pattern(id).unwrap().family;
            assert_eq!(of.replace(['-', '/'], "_"), family, "{id}");
        }
    }
}
