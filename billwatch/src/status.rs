//! `billwatch status`: one page on the cluster, and its dead letters.

use billwatch_bench::client::{self, MAX_ANSWER_BYTES};
use billwatch_proto::v1::{
    GetStatusRequest, GetStatusResponse, ListDeadLettersRequest, admin_service_client::AdminServiceClient,
};
use serde_json::json;

use crate::{
    cli::{Format, StatusArgs},
    failure::Outcome,
    output::{Listing, grouped, market_time, print_json, print_line},
    query::{as_of_json, as_of_text},
};

/// Runs the command.
pub async fn run(args: StatusArgs) -> Outcome {
    let channel = client::connect(&args.cluster.address).await?;
    let mut admin = AdminServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES);
    let status = admin.get_status(GetStatusRequest {}).await?.into_inner();
    let letters = match args.dead_letters {
        None => None,
        Some(most) => {
            let request = ListDeadLettersRequest { page_size: most.clamp(1, 1_000), page_token: String::new() };
            let page = admin.list_dead_letters(request).await?.into_inner();
            let mut listing = Listing::new(["number", "refused_at", "code", "field", "value", "remedy"]);
            for letter in page.letters.iter().take(most as usize) {
                listing.push([
                    json!(letter.number),
                    json!(market_time(letter.refused_time_ms)),
                    json!(letter.code),
                    json!(letter.field),
                    json!(letter.value),
                    json!(letter.remedy),
                ]);
            }
            Some((listing, page.total_size))
        }
    };
    let members = members(&status);
    let counters = counters(&status);
    match args.output.format {
        Format::Json => {
            let mut page = json!({
                "as_of": as_of_json(status.as_of),
                "sealed_epoch": status.sealed_epoch,
                "generation": status.generation,
                "serving": status.serving,
                "checkpoint_epoch": status.checkpoint_epoch,
                "log_bytes": status.log_bytes,
                "accepted_facts": status.accepted_facts,
                "catalogue_fingerprint": format!("{:016x}", status.catalogue_fingerprint),
                "members": members.json(),
                "counters": counters.json(),
            });
            if let Some((letters, total)) = letters {
                page["dead_letters"] = json!({"total": total, "letters": letters.json()});
            }
            print_json(&page)
        }
        Format::Csv => counters.print(Format::Csv),
        Format::Table => {
            let state = if status.serving { "serving" } else { "not serving: workers are missing or restoring" };
            print_line(&format!("{state}, {}", as_of_text(status.as_of)))?;
            print_line(&format!(
                "generation {}, sealed epoch {}, checkpoint of epoch {}, {} facts accepted, log {} bytes, catalogue {:016x}",
                status.generation,
                status.sealed_epoch,
                status.checkpoint_epoch,
                grouped(status.accepted_facts),
                grouped(status.log_bytes),
                status.catalogue_fingerprint
            ))?;
            members.print(Format::Table)?;
            counters.print(Format::Table)?;
            if let Some((letters, total)) = letters {
                print_line(&format!("dead letters: {}", grouped(total)))?;
                letters.print(Format::Table)?;
            }
            Ok(())
        }
    }
}

fn members(status: &GetStatusResponse) -> Listing {
    let mut listing = Listing::new(["process", "mesh_address", "threads", "epoch", "key_groups"]);
    for member in &status.members {
        listing.push([
            json!(member.process),
            json!(member.mesh_address),
            json!(member.threads),
            json!(member.epoch),
            json!(member.key_groups),
        ]);
    }
    listing
}

fn counters(status: &GetStatusResponse) -> Listing {
    let mut listing = Listing::new(["counter", "label", "value"]);
    for counter in &status.counters {
        listing.push([json!(counter.name), json!(counter.label), json!(counter.value)]);
    }
    listing
}
