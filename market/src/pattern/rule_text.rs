//! The form of `catalogue/features.json` and `catalogue/rules_*.json`, one file a family.
//!
//! `features` are named and shared by all files; `rules` say how each pattern of patterns.csv is judged. Expressions are in the language of
//! `parser`. An unknown entry is an error, so that a slip of the pen cannot pass as a rule that never fires.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::rules::Judged;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileText {
    pub features: BTreeMap<String, FeatureText>,
    pub rules: Vec<RuleText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FeatureText {
    /// Why, where the entry does not say it itself.
    #[allow(dead_code)]
    pub note: Option<String>,
    /// Bucket width in ms of event time; absent: business day.
    pub bucket_ms: Option<i64>,
    /// Facts count when they came (`ingest_time`), not when they happened.
    #[serde(default)]
    pub by_arrival: bool,
    /// Nearly every fact feeds it: what an epoch adds to a cell is added up before it leaves its worker. Only for rules that
    /// compare keys.
    #[serde(default)]
    pub added_up: bool,
    pub emit: Vec<EmitText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EmitText {
    /// Behaviours whose applied (or informational) facts count; absent: a stock, from every change of a lot.
    pub on: Option<Vec<String>>,
    /// Every accepted fact counts, whatever its effect (facts.md 4.2).
    #[serde(default)]
    pub any_effect: bool,
    #[serde(rename = "if")]
    pub condition: Option<String>,
    pub key: Vec<String>,
    pub member: Option<String>,
    pub amount: Option<String>,
    /// Stock only: once for each surety of the lot, with roles guarantor and guaranteed.
    #[serde(default)]
    pub each_surety: bool,
    /// Stock only: first day on which the lot counts, when later than the fact.
    pub from: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExtraParameter {
    pub value: serde_json::Number,
    /// Why patterns.csv needs this addition.
    #[allow(dead_code)]
    pub why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WindowText {
    pub name: String,
    pub feature: String,
    /// In buckets; absent: everything up to the judged bucket.
    pub length: Option<String>,
    /// Shift of the whole window back, in buckets.
    pub before: Option<String>,
    /// First day, where it hangs on the judged one: `month_start(biz_date)`. Days before the length stay out.
    pub from: Option<String>,
    /// Last day, likewise.
    pub to: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SideText {
    pub on: Vec<String>,
    #[serde(rename = "if")]
    pub condition: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum ScopeText {
    Bill,
    Keyed,
    Peer,
    Timer,
    Orphan,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleText {
    pub id: String,
    pub scope: ScopeText,
    /// Decisions that the domain tables leave open.
    #[allow(dead_code)]
    pub note: Option<String>,
    #[serde(default)]
    pub parameters: BTreeMap<String, ExtraParameter>,
    #[serde(default)]
    pub on: Vec<String>,
    /// Bill scope: read every accepted fact, whatever its effect (facts.md 4.2).
    #[serde(default)]
    pub any_effect: bool,
    #[serde(default)]
    pub for_each: Vec<String>,
    #[serde(default)]
    pub windows: Vec<WindowText>,
    #[serde(default)]
    pub trigger: Vec<String>,
    pub judged: Option<Judged>,
    /// Days between the end of the period and the judged day.
    pub delay: Option<String>,
    pub key: Option<String>,
    /// The condition is asked for each member of this window.
    pub each: Option<String>,
    pub when: Option<String>,
    pub warn: Option<String>,
    pub metric: Option<String>,
    #[serde(default)]
    pub group: Vec<String>,
    /// Peers: all who take part are judged, not only those with a triggering fact.
    #[serde(default)]
    pub everyone: bool,
    pub eligible: Option<String>,
    pub start: Option<SideText>,
    pub answers: Option<SideText>,
    /// Timer: answers before the start count too.
    #[serde(default)]
    pub early_answers: bool,
    /// Timer: last day for an answer.
    pub limit: Option<String>,
    /// Timer: last time of that day, ms since midnight; absent: its end.
    pub limit_time: Option<String>,
}
