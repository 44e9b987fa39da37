//! `billwatch dead-letters`: refused records, and sending one again.

use std::{io::Read as _, path::Path};

use anyhow::Context as _;
use billwatch_bench::client::{self, MAX_ANSWER_BYTES};
use billwatch_proto::v1::{
    DeadLetter, ListDeadLettersRequest, ResubmitDeadLetterRequest, admin_service_client::AdminServiceClient,
};
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::{
    cli::{DeadLettersCommand, DeadLettersListArgs, DeadLettersResubmitArgs, Format},
    failure::{Failure, Outcome},
    output::{Listing, grouped, market_time, print_json, print_line},
};

/// Letters asked for at once: their records may be 64 KiB each.
const PAGE: u32 = 200;

/// Runs the command.
pub async fn run(command: DeadLettersCommand) -> Outcome {
    match command {
        DeadLettersCommand::List(args) => list(args).await,
        DeadLettersCommand::Resubmit(args) => resubmit(args).await,
    }
}

async fn connect(address: &str) -> Result<AdminServiceClient<Channel>, Failure> {
    let channel = client::connect(address).await?;
    Ok(AdminServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES))
}

/// Letters, and how many there are and were not kept.
pub struct Letters {
    letters: Vec<DeadLetter>,
    total: u64,
    dropped: u64,
}

impl Letters {
    /// Letters after a number, page by page; `limit` 0 = all.
    pub async fn fetch(admin: &mut AdminServiceClient<Channel>, after: u64, limit: usize) -> Result<Self, Failure> {
        let mut request = ListDeadLettersRequest { page_size: PAGE, page_token: String::new(), after };
        let mut fetched = Letters { letters: Vec::new(), total: 0, dropped: 0 };
        loop {
            let page = admin.list_dead_letters(request.clone()).await?.into_inner();
            fetched.letters.extend(page.letters);
            (fetched.total, fetched.dropped) = (page.total_size, page.dropped);
            request.page_token = page.next_page_token;
            if limit > 0 && fetched.letters.len() >= limit {
                fetched.letters.truncate(limit);
                return Ok(fetched);
            }
            if request.page_token.is_empty() {
                return Ok(fetched);
            }
        }
    }

    /// With the records.
    pub fn json(&self) -> Value {
        let letters: Vec<Value> = self.letters.iter().map(letter_json).collect();
        json!({"total": self.total, "dropped": self.dropped, "letters": letters})
    }

    /// How many.
    pub fn words(&self) -> String {
        match self.dropped {
            0 => format!("dead letters: {}", grouped(self.total)),
            dropped => format!(
                "dead letters: {}; the store is full, {} were not kept since the coordinator started",
                grouped(self.total),
                grouped(dropped)
            ),
        }
    }

    /// A row each, without the record.
    pub fn listing(&self) -> Listing {
        let columns =
            ["number", "refused_at", "code", "field", "value", "source", "source_seq", "resubmitted", "remedy"];
        let mut listing = Listing::new(columns);
        for letter in &self.letters {
            let resubmitted = letter.resubmission.as_ref();
            listing.push([
                json!(letter.number),
                json!(market_time(letter.refused_time_ms)),
                json!(letter.code),
                json!(letter.field),
                json!(letter.value),
                json!(letter.source),
                json!(letter.source_seq),
                json!(resubmitted.map_or(String::new(), |how| format!("{} {}", how.source, how.source_seq))),
                json!(letter.remedy),
            ]);
        }
        listing
    }
}

fn letter_json(letter: &DeadLetter) -> Value {
    let resubmission = letter.resubmission.as_ref().map(|how| {
        json!({
            "at": market_time(how.time_ms),
            "source": how.source,
            "source_seq": how.source_seq,
            "epoch": how.epoch,
        })
    });
    json!({
        "number": letter.number,
        "refused_at": market_time(letter.refused_time_ms),
        "code": letter.code,
        "field": letter.field,
        "value": letter.value,
        "remedy": letter.remedy,
        "source": letter.source,
        "source_seq": letter.source_seq,
        "record": String::from_utf8_lossy(&letter.record),
        "resubmission": resubmission,
    })
}

async fn list(args: DeadLettersListArgs) -> Outcome {
    let mut admin = connect(&args.cluster.address).await?;
    let letters = Letters::fetch(&mut admin, args.after, args.limit).await?;
    match args.output.format {
        Format::Json => print_json(&letters.json()),
        Format::Csv => letters.listing().print(Format::Csv),
        Format::Table => {
            letters.listing().print(Format::Table)?;
            print_line(&letters.words())
        }
    }
}

async fn resubmit(args: DeadLettersResubmitArgs) -> Outcome {
    let record = match &args.record {
        None => Vec::new(),
        Some(path) => read(path)?,
    };
    if args.record.is_some() && record.is_empty() {
        return Err(Failure::Usage("the file of --record is empty: write the corrected record into it".to_owned()));
    }
    let DeadLettersResubmitArgs { number, source_seq, replay, .. } = args;
    let request = ResubmitDeadLetterRequest { number, record: record.into(), source_seq, replay };
    let answer = connect(&args.cluster.address).await?.resubmit_dead_letter(request).await?.into_inner();
    if let Some(refusal) = answer.refusal {
        let shown = json!({
            "number": number,
            "accepted": false,
            "code": refusal.code,
            "field": refusal.field,
            "value": refusal.value,
            "remedy": refusal.remedy,
        });
        let words = format!(
            "dead letter {number} is refused again: {} {} `{}`: {}",
            refusal.code, refusal.field, refusal.value, refusal.remedy
        );
        print(args.output.format, &shown, &words)?;
        return Err(Failure::Refused);
    }
    let how = answer.resubmission.unwrap_or_default();
    let shown = json!({
        "number": number,
        "accepted": true,
        "known_before": answer.known_before,
        "source": how.source,
        "source_seq": how.source_seq,
        "epoch": how.epoch,
    });
    let before = if answer.known_before { "known before" } else { "accepted" };
    let words = format!(
        "dead letter {number} resubmitted as {} {}: {before}; in epochs up to {}",
        how.source, how.source_seq, how.epoch
    );
    print(args.output.format, &shown, &words)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    Ok(std::fs::read(path).with_context(|| format!("{}", path.display()))?)
}

fn print(format: Format, shown: &Value, words: &str) -> Outcome {
    match format {
        Format::Json => print_json(shown),
        Format::Csv => {
            let fields = shown.as_object().into_iter().flatten();
            let (names, values): (Vec<String>, Vec<Value>) =
                fields.map(|(name, value)| (name.clone(), value.clone())).unzip();
            let mut listing = Listing::new(names);
            listing.push(values);
            listing.print(Format::Csv)
        }
        Format::Table => print_line(words),
    }
}
