//! Dead letters: all of them can be listed, and one is sent again through the same door as any fact.

mod common;

use billwatch_proto::v1;
use common::{Door, as_strs};
use tonic::Code;
use tonic_types::StatusExt as _;

const BILL: &str = "531333100011720250701000000229";

fn withdrawal(id: u64, seq: &str, initiator: &str) -> String {
    format!(
        r#"{{"event_id":"{id}","behaviour":"END.WDR","event_time":1751958000000,"biz_date":"2025-07-08","source":"NGBS","source_seq":{seq},"bill_id":"{BILL}","sub_start":1,"sub_end":5,"amount_fen":5,"initiator_id":"{initiator}"}}"#
    )
}

async fn list(door: &Door, after: u64, page_size: u32) -> v1::ListDeadLettersResponse {
    let request = v1::ListDeadLettersRequest { page_size, page_token: String::new(), after };
    door.admin().await.list_dead_letters(request).await.unwrap().into_inner()
}

async fn resubmit(
    door: &Door,
    number: u64,
    record: &str,
    source_seq: u64,
) -> Result<v1::ResubmitDeadLetterResponse, tonic::Status> {
    let record = record.as_bytes().to_vec().into();
    let request = v1::ResubmitDeadLetterRequest { number, record, source_seq, replay: true };
    Ok(door.admin().await.resubmit_dead_letter(request).await?.into_inner())
}

async fn refused_field(door: &Door, number: u64, record: &str, source_seq: u64) -> String {
    let status = resubmit(door, number, record, source_seq).await.expect_err("it is refused");
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    status.get_details_error_info().unwrap().metadata["field"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_record_comes_in_corrected_and_its_letter_says_so_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    let lines = [
        withdrawal(1, "1", "nobody"),
        "{\"event_id\":".to_owned(),
        withdrawal(3, "3", "E0000000002"),
        withdrawal(4, "3", "E0000000002"),
    ];
    let answer = door.send_lines(&as_strs(&lines)).await;
    assert_eq!((answer.accepted, answer.refusals.len()), (1, 3));
    let page = list(&door, 0, 0).await;
    let told: Vec<_> = page.letters.iter().map(|letter| (&*letter.code, &*letter.source, letter.source_seq)).collect();
    assert_eq!(told, [("PARTY_SYNTAX", "NGBS", 1), ("NOT_JSON", "", 0), ("SEQUENCE_CONFLICT", "NGBS", 3)]);

    // The refusal used the number up.
    let corrected = withdrawal(1, "1", "E0000000002");
    assert_eq!(refused_field(&door, 1, &corrected, 0).await, "source_seq");
    assert_eq!(refused_field(&door, 1, "", 0).await, "source_seq");
    assert_eq!(refused_field(&door, 3, "", 3).await, "source_seq");
    // What was kept is no record.
    assert_eq!(refused_field(&door, 2, "", 7).await, "record");
    let status = resubmit(&door, 9, "", 7).await.expect_err("there is none");
    assert_eq!(status.code(), Code::NotFound);

    // As it was kept it is refused again, and is a letter of its own.
    let again = resubmit(&door, 1, "", 10).await.unwrap();
    assert_eq!(again.refusal.unwrap().code, "PARTY_SYNTAX");
    assert!(again.resubmission.is_none());
    assert_eq!(list(&door, 3, 0).await.letters[0].source_seq, 10);

    let answer = resubmit(&door, 1, &corrected, 11).await.unwrap();
    let how = answer.resubmission.unwrap();
    assert_eq!((&*how.source, how.source_seq, answer.known_before), ("NGBS", 11, false));
    // Unchanged, under a number that is free.
    let other = resubmit(&door, 3, "", 12).await.unwrap().resubmission.unwrap();
    assert_eq!(other.source_seq, 12);
    assert_eq!(refused_field(&door, 1, &corrected, 13).await, "number");
    door.sealed(other.epoch.max(how.epoch)).await;
    let numbers: Vec<u64> = door.log().await.iter().map(|(_, record)| record.sequence().1).collect();
    assert_eq!(numbers, [3, 11, 12]);
    // A crash between the log and the letter: the record is known, and the letter is marked then.
    assert_eq!(door.send_lines(&[&withdrawal(2, "20", "E0000000002")]).await.accepted, 1);
    let answer = resubmit(&door, 2, &withdrawal(2, "20", "E0000000002"), 0).await.unwrap();
    assert!(answer.known_before && answer.resubmission.is_some());
    let letters = list(&door, 0, 0).await.letters;
    door.close().await;

    let door = Door::open(dir.path(), 1).await;
    assert_eq!(list(&door, 0, 0).await.letters, letters);
    let marked: Vec<_> =
        letters.iter().map(|letter| letter.resubmission.as_ref().map_or(0, |how| how.source_seq)).collect();
    assert_eq!(marked, [11, 20, 12, 0]);
    assert_eq!(letters[0].record, lines[0].as_bytes(), "the letter keeps what was refused");
    assert_eq!(door.counter("dead_letters", "").await, 4);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_letter_can_be_reached() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    let lines: Vec<String> = (1..=2_500).map(|seq| withdrawal(seq, &seq.to_string(), "nobody")).collect();
    door.send_lines(&as_strs(&lines)).await;
    let page = list(&door, 2_400, 1_000).await;
    let numbers: Vec<u64> = page.letters.iter().map(|letter| letter.number).collect();
    assert_eq!(numbers, (2_401..=2_500).collect::<Vec<u64>>());
    assert_eq!((page.total_size, page.next_page_token.as_str(), page.dropped), (2_500, "", 0));
    let first = list(&door, 1_000, 1_000).await;
    assert_eq!((first.letters[0].number, first.next_page_token.as_str()), (1_001, "2000"));
    door.close().await;
}
