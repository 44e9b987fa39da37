//! `billwatch query`: aggregates, features, one bill. Values are printed as the cluster gave them; ratios as decimals for
//! people, as numerator and denominator for programs.

mod whole_bill;

use billwatch_bench::client::{self, MAX_ANSWER_BYTES};
use billwatch_proto::v1::{
    AsOf, CellRow, GetBillRequest, Grain, MeasureValue, QueryCellsRequest, QueryFeaturesRequest, WatchCellsRequest,
    query_service_client::QueryServiceClient,
};
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::{
    cli::{AggregatesArgs, BillArgs, FeaturesArgs, Format, GrainArg, QueryCommand},
    failure::{Failure, Outcome},
    output::{Listing, market_time, print_json, print_line},
};

/// Decimals of a ratio in a table.
const RATIO_DECIMALS: u32 = 4;

/// Runs the command.
pub async fn run(command: QueryCommand) -> Outcome {
    match command {
        QueryCommand::Aggregates(args) => aggregates(args).await,
        QueryCommand::Features(args) => features(args).await,
        QueryCommand::Bill(args) => bill(args).await,
    }
}

/// Connects to the query service.
pub async fn connect(address: &str) -> Result<QueryServiceClient<Channel>, Failure> {
    let channel = client::connect(address).await?;
    Ok(QueryServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES))
}

/// When an answer holds, for people.
pub fn as_of_text(as_of: Option<AsOf>) -> String {
    let Some(as_of) = as_of else { return String::new() };
    let clock = as_of.market_clock_ms.map_or("no watermark yet".to_owned(), market_time);
    format!("as of epoch {}, market clock {clock}", as_of.epoch)
}

/// When an answer holds, for programs.
pub fn as_of_json(as_of: Option<AsOf>) -> Value {
    as_of.map_or(Value::Null, |as_of| json!({"epoch": as_of.epoch, "market_clock_ms": as_of.market_clock_ms}))
}

/// The grain of a request.
pub fn grain(grain: GrainArg) -> Grain {
    match grain {
        GrainArg::Day => Grain::Day,
        GrainArg::Month => Grain::Month,
        GrainArg::Quarter => Grain::Quarter,
        GrainArg::Year => Grain::Year,
        GrainArg::Total => Grain::Total,
    }
}

async fn aggregates(args: AggregatesArgs) -> Outcome {
    let request = QueryCellsRequest {
        theme: args.theme,
        dimension: args.dimension,
        items: args.items,
        from_date: args.figures.from,
        to_date: args.figures.to,
        grain: grain(args.figures.grain).into(),
        measures: args.figures.measures,
    };
    let format = args.output.format;
    let mut client = connect(&args.cluster.address).await?;
    if !args.watch {
        let answer = client.query_cells(request).await?.into_inner();
        let listing = cell_listing(&answer.measures, &answer.rows, format);
        return match format {
            Format::Json => print_json(&json!({"as_of": as_of_json(answer.as_of), "rows": listing.json()})),
            Format::Csv => listing.stamped(answer.as_of).print(format),
            Format::Table => {
                listing.print(format)?;
                print_line(&as_of_text(answer.as_of))
            }
        };
    }
    let mut stream = client.watch_cells(WatchCellsRequest { query: Some(request) }).await?.into_inner();
    let mut measures = Vec::new();
    while let Some(answer) = stream.message().await? {
        if !answer.measures.is_empty() {
            measures = answer.measures;
        }
        if answer.rows.is_empty() && !answer.snapshot {
            continue; // Progress only.
        }
        let listing = cell_listing(&measures, &answer.rows, format);
        match format {
            Format::Json => print_line(
                &json!({"as_of": as_of_json(answer.as_of), "snapshot": answer.snapshot, "rows": listing.json()})
                    .to_string(),
            )?,
            Format::Csv => {
                let listing = listing.with("snapshot", &json!(answer.snapshot)).stamped(answer.as_of);
                if answer.snapshot { listing.print(format)? } else { listing.print_more(format)? }
            }
            Format::Table => {
                listing.print(format)?;
                print_line(&as_of_text(answer.as_of))?;
            }
        }
    }
    Ok(())
}

/// Cells as a listing: item, names, period, then a column a measure.
pub fn cell_listing(measures: &[String], rows: &[CellRow], format: Format) -> Listing {
    let fixed = ["item", "item_name_en", "item_name_zh", "period"].into_iter().map(String::from);
    let mut listing = Listing::new(fixed.chain(measures.iter().cloned()));
    for row in rows {
        // The one period of a total without dates has no bounds.
        let period = if row.period == ".." && format == Format::Table { "all dates" } else { &row.period };
        let names = [&row.item, &row.item_name_en, &row.item_name_zh, period].map(|text| json!(text));
        let mut values: Vec<_> = row.values.iter().map(|value| measure(value, format)).collect();
        values.resize(measures.len(), Value::Null);
        listing.push(names.into_iter().chain(values));
    }
    listing
}

/// A value: null, an integer as text (it may exceed 64 bits), or a ratio.
pub fn measure(value: &MeasureValue, format: Format) -> Value {
    match (value.value.as_str(), value.denominator.as_str(), format) {
        ("", _, _) => Value::Null,
        (value, "", _) => json!(value),
        (numerator, denominator, Format::Table) => json!(decimal(numerator, denominator)),
        (numerator, denominator, Format::Csv) => json!(format!("{numerator}/{denominator}")),
        (numerator, denominator, Format::Json) => json!({"numerator": numerator, "denominator": denominator}),
    }
}

/// A ratio with a few decimals, cut towards zero; as `a/b` when it cannot be formed in 128 bits.
pub fn decimal(numerator: &str, denominator: &str) -> String {
    let scale = 10i128.pow(RATIO_DECIMALS);
    let scaled = || -> Option<i128> {
        numerator.parse::<i128>().ok()?.checked_mul(scale)?.checked_div(denominator.parse().ok()?)
    };
    match scaled() {
        Some(scaled) => {
            let sign = if scaled < 0 { "-" } else { "" };
            let (whole, rest) = (scaled.unsigned_abs() / scale as u128, scaled.unsigned_abs() % scale as u128);
            format!("{sign}{whole}.{rest:0width$}", width = RATIO_DECIMALS as usize)
        }
        None => format!("{numerator}/{denominator}"),
    }
}

async fn features(args: FeaturesArgs) -> Outcome {
    let request = QueryFeaturesRequest { key: args.key, from_date: args.from, to_date: args.to };
    let answer = connect(&args.cluster.address).await?.query_features(request).await?.into_inner();
    let mut listing = Listing::new(["feature", "bucket", "count", "sum_fen", "members"]);
    for row in &answer.rows {
        listing.push([json!(row.feature), json!(row.bucket), json!(row.count), json!(row.sum_fen), json!(row.members)]);
    }
    match args.output.format {
        Format::Json => print_json(&json!({"as_of": as_of_json(answer.as_of), "rows": listing.json()})),
        Format::Csv => listing.stamped(answer.as_of).print(Format::Csv),
        Format::Table => {
            listing.print(Format::Table)?;
            print_line(&as_of_text(answer.as_of))
        }
    }
}

/// The facts of a row form, parsed; what does not parse is shown as text.
pub fn fact_json(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(json)))
}

async fn bill(args: BillArgs) -> Outcome {
    let request = GetBillRequest { bill_id: args.bill_id };
    let answer = connect(&args.cluster.address).await?.get_bill(request).await?.into_inner();
    let mut life =
        Listing::new(["event_time", "behaviour", "effect", "initiator_id", "counterparty_id", "range", "event_id"]);
    let mut lots = Listing::new(["range", "holder", "status", "flag", "risk", "pay_state", "hops", "lineage"]);
    for step in &answer.life {
        let fact = fact_json(step.fact.as_ref().map_or(&[], |row| &row.json[..]));
        let range = format!("{}-{}", fact["sub_start"], fact["sub_end"]).replace("null-null", "");
        let time = fact["event_time"].as_i64().map_or(String::new(), market_time);
        life.push([
            json!(time),
            fact["behaviour"].clone(),
            json!(step.effect),
            fact["initiator_id"].clone(),
            fact["counterparty_id"].clone(),
            json!(range),
            fact["event_id"].clone(),
        ]);
    }
    for lot in &answer.lots {
        let steps = lot.lineage.iter().map(|step| format!("{} ({} {})", step.holder, step.behaviour, step.biz_date));
        lots.push([
            json!(lot.range),
            json!(lot.holder),
            json!(lot.status),
            json!(lot.flag),
            json!(lot.risk),
            json!(lot.pay_state),
            json!(lot.hops),
            json!(steps.collect::<Vec<_>>().join(" → ")),
        ]);
    }
    match args.output.format {
        Format::Json => {
            let life = answer.life.iter().map(|step| {
                json!({"effect": step.effect, "fact": fact_json(step.fact.as_ref().map_or(&[], |row| &row.json[..]))})
            });
            print_json(&json!({
                "as_of": as_of_json(answer.as_of),
                "life": life.collect::<Vec<_>>(),
                "lots": lots.json(),
            }))
        }
        Format::Csv => whole_bill::listing(&answer).stamped(answer.as_of).print(Format::Csv),
        Format::Table => {
            print_line("life (票据生命周期)")?;
            life.print(Format::Table)?;
            print_line("lots (子票区间)")?;
            lots.print(Format::Table)?;
            print_line(&as_of_text(answer.as_of))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_cut_not_rounded() {
        assert_eq!(decimal("2", "3"), "0.6666");
        assert_eq!(decimal("-7", "2"), "-3.5000");
        assert_eq!(decimal("1", "0"), "1/0");
        assert_eq!(decimal(&i128::MAX.to_string(), "7"), format!("{}/7", i128::MAX));
    }
}
