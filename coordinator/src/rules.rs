//! How rules stand: parts of all workers at one epoch, finished here (`market::pattern::liveness`); and the watch over them.
//!
//! One task looks every few seconds, without figures, whatever the number of subscribers; alarms and metrics are read off
//! what it saw. Nothing is kept: after a restart the next look tells the same.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use billwatch_market::{
    catalogue::Catalogue,
    ids::Day,
    pattern::{
        PatternIndex, Patterns,
        liveness::{Liveness, Part, RuleLiveness, SPAN_DAYS},
    },
};
use billwatch_proto::v1::{self, shard_answer, shard_question::Kind};
use billwatch_telemetry::codes;
use tokio::{sync::watch, task::JoinHandle, time::sleep};

use crate::{
    api::errors::{ApiError, internal},
    cluster::Cluster,
    ledger::AsOf,
    limits,
};

/// How all rules stand at one epoch.
#[derive(Debug)]
pub struct Standing {
    /// When it holds.
    pub as_of: AsOf,
    /// Days that figures are about.
    pub span: (Day, Day),
    /// What the workers said, added up.
    pub part: Part,
    /// In the order of the catalogue.
    pub rules: Vec<RuleLiveness>,
}

impl Standing {
    /// Rules with an alarm.
    pub fn dead(&self) -> impl Iterator<Item = &RuleLiveness> {
        self.rules.iter().filter(|rule| rule.dead_since.is_some())
    }
}

/// What the watch saw last; `None` before the first watermark.
pub type RulesSeen = watch::Receiver<Option<Arc<Standing>>>;

/// Who asks how rules stand. Cheap to clone.
#[derive(Clone)]
pub struct Rules {
    /// Names and business days.
    pub catalogue: Arc<Catalogue>,
    /// The rules; their parameters do not matter here.
    pub patterns: Arc<Patterns>,
    /// Their inputs.
    pub liveness: Arc<Liveness>,
    cluster: Cluster,
}

/// What is to be worked out.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Business days that figures are about; 0 = the usual.
    pub business_days: u32,
    /// Places are to be judged again.
    pub figures: bool,
    /// Rules whose figures are wanted; empty = all.
    pub patterns: Vec<String>,
}

impl Rules {
    /// Of a catalogue.
    pub fn new(catalogue: Arc<Catalogue>, patterns: Patterns, cluster: Cluster) -> Self {
        let liveness = Arc::new(Liveness::new(&catalogue, &patterns));
        Rules { catalogue, patterns: Arc::new(patterns), liveness, cluster }
    }

    /// How all rules stand now. Before the first watermark there is nothing to say but when.
    pub async fn standing(&self, wanted: Wanted) -> Result<(AsOf, Option<Standing>), ApiError> {
        let business_days = if wanted.business_days == 0 { SPAN_DAYS } else { wanted.business_days };
        let question = v1::RuleLivenessQuestion { business_days, figures: wanted.figures, patterns: wanted.patterns };
        let asked = self.cluster.ask(Kind::RuleLiveness(question)).await?;
        let as_of = asked.as_of;
        let mut parts = Vec::new();
        for (_, answer) in asked.all().await? {
            if let Some(shard_answer::Kind::RuleLiveness(bytes)) = answer.kind {
                parts.push(Part::decode(&bytes).ok_or_else(|| internal("a worker's answer does not decode"))?);
            }
        }
        let Some(clock) = as_of.market_clock_ms else { return Ok((as_of, None)) };
        let (liveness, catalogue) = (self.liveness.clone(), self.catalogue.clone());
        let finish = move || {
            let span = Liveness::span(clock, business_days, &catalogue.calendar);
            let part = Part::gather(parts, liveness.rule_count());
            let rules = liveness.finish(&part, (span, clock), &catalogue.calendar);
            Standing { as_of, span, part, rules }
        };
        let standing =
            tokio::task::spawn_blocking(finish).await.map_err(|_| internal("the states could not be formed"))?;
        Ok((as_of, Some(standing)))
    }
}

/// Starts the watch, which looks so often; ends when it is aborted or nobody listens.
pub fn watch_rules(rules: Rules, pause: Duration) -> (JoinHandle<()>, RulesSeen) {
    let (sender, seen) = watch::channel(None);
    let task = async move {
        let mut dead: BTreeSet<PatternIndex> = BTreeSet::new();
        while !sender.is_closed() {
            sleep(pause).await;
            // Without workers the next look will tell.
            let Ok((_, Some(standing))) = rules.standing(Wanted::default()).await else { continue };
            let now: BTreeSet<PatternIndex> = standing.dead().map(|rule| rule.pattern).collect();
            let died: Vec<&str> = now.difference(&dead).map(|rule| rules.patterns.id(*rule)).collect();
            if !died.is_empty() {
                let (number, named) = (died.len(), died[..died.len().min(limits::DEAD_RULES_LOGGED)].join(" "));
                tracing::warn!(code = codes::RULES_DEAD, rules = number, %named, "rules died: they can find nothing");
            }
            dead = now;
            sender.send_replace(Some(Arc::new(standing)));
        }
    };
    (tokio::spawn(task), seen)
}
