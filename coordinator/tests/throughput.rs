//! Speed of the road from the gRPC door to the durable log. Not a test of right or wrong: run it with `--ignored --nocapture`.

mod common;

use std::time::Instant;

use billwatch_market::{catalogue::Catalogue, fact::Record, ndjson::parse_line};
use common::{Door, columns, rows};

const FACTS: u64 = 600_000;
const BATCH: usize = 5_000;

fn fact(n: u64) -> String {
    format!(
        r#"{{"event_id":"{}","behaviour":"END.REQ","event_time":{},"biz_date":"2025-07-08","source":"NGBS","source_seq":{n},"channel":"EBANK","bill_id":"5313331000117202507{:011}","sub_start":1,"sub_end":50000000,"amount_fen":50000000,"initiator_id":"E{:010}","initiator_inst":"100101002","counterparty_id":"E{:010}","counterparty_inst":"100103002","initiator_account":"6222020000{:08}","ref_event_id":"{}","transferable":"EM00"}}"#,
        93_000_000_000_000_000_000_000u128 + u128::from(n),
        1_751_958_000_000u64 + n,
        n % 100_000,
        n % 5_000,
        (n * 7) % 5_000,
        n % 100_000,
        93_000_000_000_000_000_000_000u128 + u128::from(n / 2),
    )
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn facts_a_second_into_the_log() {
    let catalogue = Catalogue::embedded();
    let lines: Vec<String> = (1..=FACTS).map(fact).collect();
    for form in ["columns", "rows"] {
        let batches: Vec<_> = lines
            .chunks(BATCH)
            .map(|lines| {
                if form == "rows" {
                    return rows(1, &lines.iter().map(String::as_str).collect::<Vec<_>>());
                }
                let parse = |line: &String| parse_line(line.as_bytes(), &catalogue).unwrap();
                columns(1, &lines.iter().map(parse).collect::<Vec<Record>>())
            })
            .collect();
        let dir = tempfile::tempdir().unwrap();
        let door = Door::open(dir.path(), 1).await;
        let begun = Instant::now();
        let answers = door.send(batches).await;
        let seconds = begun.elapsed().as_secs_f64();
        let accepted: u64 = answers.iter().map(|answer| u64::from(answer.as_ref().unwrap().accepted)).sum();
        assert_eq!(accepted, FACTS);
        let status = door.status().await;
        println!(
            "{form}: {:.0} facts/s, {} bytes a fact, epoch {}",
            FACTS as f64 / seconds,
            status.log_bytes / FACTS,
            status.sealed_epoch
        );
        for counter in status.counters.iter().filter(|counter| counter.name.starts_with("log_")) {
            println!("  {} {}", counter.name, counter.value);
        }
        door.close().await;
        let begun = Instant::now();
        let door = Door::open(dir.path(), 1).await;
        println!("  opened again: {:.0} facts/s", FACTS as f64 / begun.elapsed().as_secs_f64());
        door.close().await;
    }
}
