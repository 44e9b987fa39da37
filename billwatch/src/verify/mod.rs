//! `billwatch verify`: are the live views what a plain evaluation of the accepted facts gives?
//!
//! The cluster is asked for one hash a view, all at one epoch. The accepted facts up to that epoch are read from its log and
//! evaluated here, in this process, with the reference evaluator: one pass, no increments, no shards. Equal hashes mean
//! equal rows. Where a hash differs, the rows of that view are fetched and the first difference is shown. Reports, which are
//! made when asked for, are compared line by line: [`reports`].

pub mod reports;

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use billwatch_bench::client::{self, MAX_ANSWER_BYTES};
use billwatch_market::{
    aggregate::cross::CrossDefinition,
    books,
    catalogue::Catalogue,
    codec,
    evaluator::{EveryView, Mark},
    fact::Fact,
    pattern::Parameters,
};
use billwatch_proto::v1::{
    AsOf, CustomReportState, DumpViewsRequest, GetStatusRequest, ListCustomReportsRequest, ReadLogRequest, ViewHash,
    admin_service_client::AdminServiceClient,
};
use serde_json::json;
use tonic::transport::Channel;

use self::reports::Chosen;
use crate::{
    catalogue,
    cli::{Format, VerifyArgs},
    custom_reports,
    failure::{Failure, Outcome},
    output::{Listing, print_json, print_line},
    parameters,
    progress::Progress,
    query::{as_of_json, as_of_text},
};

/// Pause between two looks at custom reports that are being filled.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Runs the command.
pub async fn run(args: VerifyArgs) -> Outcome {
    let comparison = compare(&args.cluster.address, args.catalogue.as_deref(), args.periods).await?;
    comparison.print(args.output.format)?;
    if comparison.is_equal() { Ok(()) } else { Err(Failure::Differs) }
}

/// One view on both sides; `None` = the side does not have it.
struct Pair {
    view: String,
    live: Option<Mark>,
    reference: Option<Mark>,
    difference: Option<Difference>,
}

/// The first row that one side has and the other has not.
struct Difference {
    live: Option<String>,
    reference: Option<String>,
}

/// What was compared, and how it came out.
pub struct Comparison {
    as_of: AsOf,
    /// Facts that were evaluated.
    pub facts: u64,
    pairs: Vec<Pair>,
    /// Reports that were compared, and periods with facts whose reports were not.
    reports: (usize, usize),
}

impl Comparison {
    /// True when every view is the same on both sides.
    pub fn is_equal(&self) -> bool {
        self.pairs.iter().all(|pair| pair.live == pair.reference)
    }

    /// Prints one line a view, then the verdict.
    pub fn print(&self, format: Format) -> Outcome {
        let mut listing = Listing::new(["view", "live", "reference", "rows", "equal"]);
        for pair in &self.pairs {
            let hash = |mark: Option<Mark>| mark.map_or("absent".to_owned(), |mark| format!("{:032x}", mark.hash));
            let rows = pair.reference.or(pair.live).map_or(0, |mark| mark.rows);
            let equal = if pair.live == pair.reference { "yes" } else { "NO" };
            listing.push([
                json!(pair.view),
                json!(hash(pair.live)),
                json!(hash(pair.reference)),
                json!(rows),
                json!(equal),
            ]);
        }
        match format {
            Format::Json => {
                let differences = self.pairs.iter().filter_map(|pair| {
                    let difference = pair.difference.as_ref()?;
                    Some(json!({"view": pair.view, "live": difference.live, "reference": difference.reference}))
                });
                print_json(&json!({
                    "as_of": as_of_json(Some(self.as_of)),
                    "facts": self.facts,
                    "equal": self.is_equal(),
                    "views": listing.json(),
                    "first_differences": differences.collect::<Vec<_>>(),
                    "reports": {"compared": self.reports.0, "left_out": self.reports.1},
                }))
            }
            Format::Csv => listing.print(Format::Csv),
            Format::Table => {
                listing.print(Format::Table)?;
                print_line(&as_of_text(Some(self.as_of)))?;
                let (compared, left_out) = self.reports;
                print_line(&format!(
                    "reports: {compared} compared, of periods spread over those with facts; {left_out} others left out (`--periods`)"
                ))?;
                for pair in &self.pairs {
                    if let Some(Difference { live, reference }) = &pair.difference {
                        let shown = |row: &Option<String>| row.clone().unwrap_or_else(|| "(no further row)".to_owned());
                        print_line(&format!("{}: first difference", pair.view))?;
                        print_line(&format!("  live      {}", shown(live)))?;
                        print_line(&format!("  reference {}", shown(reference)))?;
                    }
                }
                print_line(if self.is_equal() { "verify: all views equal" } else { "verify: views DIFFER" })
            }
        }
    }
}

/// Compares the cluster at `address` with the reference evaluator; and of each report `periods` periods.
pub async fn compare(address: &str, catalogue: Option<&Path>, periods: u32) -> Result<Comparison, Failure> {
    let tables = catalogue::load(catalogue)?;
    let channel = client::connect(address).await?;
    let mut admin = AdminServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES);
    let status = admin.get_status(GetStatusRequest {}).await?.into_inner();
    if status.catalogue_fingerprint != tables.fingerprint() {
        return Err(Failure::Usage(format!(
            "the cluster runs on catalogue {:016x}, here is {:016x}: name its directory with --catalogue",
            status.catalogue_fingerprint,
            tables.fingerprint()
        )));
    }
    let crosses = whole_crosses(address).await?;
    let (as_of, live) = live_marks(&mut admin).await?;
    let evaluated = evaluate(&mut admin, address, as_of, (&tables, &crosses), status.accepted_facts).await?;
    let (facts, views) = (evaluated.facts.clone(), evaluated.views.clone());
    let reference = evaluated.views.marks();

    let names = live.keys().chain(reference.keys()).cloned().collect::<std::collections::BTreeSet<_>>();
    let count = facts.len() as u64;
    let mut pairs = Vec::new();
    for view in names {
        let (live, reference) = (live.get(&view).copied(), reference.get(&view).copied());
        let difference = match live == reference {
            true => None,
            false => first_difference(&mut admin, &view, as_of, &views).await?,
        };
        pairs.push(Pair { view, live, reference, difference });
    }
    let chosen = Chosen::of(&facts, &views, periods)?;
    let counts = (chosen.count(), chosen.left_out);
    let live = chosen.ask(address, as_of).await?;
    let Evaluated { facts, views } = match live.as_of == as_of {
        true => evaluated,
        // Facts came meanwhile: these answers hold at a later epoch.
        false => evaluate(&mut admin, address, live.as_of, (&tables, &crosses), status.accepted_facts).await?,
    };
    pairs.extend(chosen.compare(address, live, facts, views).await?);
    Ok(Comparison { as_of, facts: count, pairs, reports: counts })
}

/// The accepted facts up to an epoch, and all views of them.
struct Evaluated {
    facts: Arc<Vec<Fact>>,
    views: Arc<EveryView>,
}

/// Reads the log up to an epoch and evaluates it; `expected`: about how many facts.
async fn evaluate(
    admin: &mut AdminServiceClient<Channel>,
    address: &str,
    as_of: AsOf,
    (catalogue, crosses): (&Arc<Catalogue>, &[CrossDefinition]),
    expected: u64,
) -> Result<Evaluated, Failure> {
    let facts = Arc::new(read_facts(admin, as_of.epoch, expected).await?);
    let parameters = in_force(address, as_of.epoch).await?;
    let (records, catalogue, crosses) = (facts.clone(), catalogue.clone(), crosses.to_vec());
    let evaluating =
        move || EveryView::evaluate_under(&records, as_of.market_clock_ms, &catalogue, &crosses, &parameters);
    let views = tokio::task::spawn_blocking(evaluating).await.map_err(|error| anyhow!(error))?;
    Ok(Evaluated { facts, views: Arc::new(views.context("rules of the catalogue")?) })
}

/// Parameters of patterns in force at an epoch.
async fn in_force(address: &str, epoch: u64) -> Result<Parameters, Failure> {
    let history = parameters::fetch(address, Vec::new()).await?.history;
    let mut parameters = Parameters::default();
    for change in history.into_iter().filter_map(|entry| entry.change).filter(|change| change.epoch <= epoch) {
        let values = change.values.iter().map(|value| (value.name.as_str(), value.value.as_str()));
        parameters
            .apply(change.version, &change.pattern, values)
            .with_context(|| format!("version {} of the parameters cannot be read here", change.version))?;
    }
    Ok(parameters)
}

/// The custom reports that are kept, once none is being filled: a half-filled one is no view of anything.
async fn whole_crosses(address: &str) -> Result<Vec<CrossDefinition>, Failure> {
    let mut reports = custom_reports::connect(address).await?;
    loop {
        let list = reports.list_custom_reports(ListCustomReportsRequest {}).await?.into_inner().reports;
        if list.iter().all(|report| report.state() != CustomReportState::Filling) {
            let live = list.into_iter().filter(|report| report.state() == CustomReportState::Live);
            return Ok(live.map(|report| custom_reports::definition(&report)).collect());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// One hash a view, and when they hold.
pub async fn live_marks(admin: &mut AdminServiceClient<Channel>) -> Result<(AsOf, BTreeMap<String, Mark>), Failure> {
    let mut stream = admin.dump_views(DumpViewsRequest { view: String::new() }).await?.into_inner();
    let mut as_of = None;
    let mut marks = BTreeMap::new();
    while let Some(answer) = stream.message().await? {
        as_of = answer.as_of.or(as_of);
        for ViewHash { view, high, low, rows } in answer.hashes {
            marks.insert(view, Mark { hash: u128::from(high) << 64 | u128::from(low), rows });
        }
    }
    Ok((as_of.ok_or_else(|| anyhow!("the cluster did not say at which epoch its hashes hold"))?, marks))
}

/// Accepted facts, and records of books, of the log up to an epoch. `expected`: about how many.
pub async fn read_facts(
    admin: &mut AdminServiceClient<Channel>,
    to_epoch: u64,
    expected: u64,
) -> Result<Vec<Fact>, Failure> {
    let mut stream = admin.read_log(ReadLogRequest { to_epoch }).await?.into_inner();
    let mut progress = Progress::new("reading the log", expected, "facts");
    let mut facts = Vec::with_capacity(usize::try_from(expected).unwrap_or(0));
    while let Some(part) = stream.message().await? {
        let mut bytes = &part.records[..];
        while !bytes.is_empty() {
            // Control records but those of books move the clock only, and the clock came with the hashes.
            facts.extend(books::read(codec::decode_record(&mut bytes).context("a record of the log")?));
        }
        progress.set(facts.len() as u64);
    }
    progress.finish();
    Ok(facts)
}

async fn first_difference(
    admin: &mut AdminServiceClient<Channel>,
    view: &str,
    as_of: AsOf,
    reference: &EveryView,
) -> Result<Option<Difference>, Failure> {
    let mut stream = admin.dump_views(DumpViewsRequest { view: view.to_owned() }).await?.into_inner();
    let mut live = Vec::new();
    while let Some(answer) = stream.message().await? {
        if answer.as_of.is_some_and(|now| now.epoch != as_of.epoch) {
            tracing::warn!(
                code = billwatch_telemetry::codes::CLUSTER_MOVED_ON,
                "the cluster has moved on since the hashes were taken: the rows shown may differ for that alone"
            );
        }
        live.extend(answer.rows);
    }
    live.sort_unstable();
    let mut reference = reference.rows(view);
    reference.sort_unstable();
    let at = live.iter().zip(&reference).take_while(|(live, reference)| live == reference).count();
    let difference = Difference { live: live.get(at).cloned(), reference: reference.get(at).cloned() };
    Ok((difference.live.is_some() || difference.reference.is_some()).then_some(difference))
}
