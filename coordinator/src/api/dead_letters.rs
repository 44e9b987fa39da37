//! Dead letters: listing them, and sending the record of one again.
//!
//! A record that is sent again goes through the same door as any fact, under a number of its source that is not used: the
//! refusal used the old one up (facts.md 9.1). Its letter is marked once the record is in the log; after a crash between the two
//! the same call finds the record known, and marks it.

use std::time::{SystemTime, UNIX_EPOCH};

use billwatch_market::{catalogue::Catalogue, fact::Source, ndjson::parse_line, refusal::RefusalCode};
use billwatch_proto::v1;
use serde_json::{Map, Value};

use super::{
    errors::{ApiError, bad_request, internal, no_such},
    pages::page_size,
};
use crate::ingest::{dead_letters::DeadLetters, door::IngestDoor};

/// A page.
pub async fn list(
    store: &DeadLetters,
    request: v1::ListDeadLettersRequest,
) -> Result<v1::ListDeadLettersResponse, ApiError> {
    let size = page_size(request.page_size)?;
    let after = match request.page_token.as_str() {
        "" => request.after,
        text => text.parse().map_err(|_| bad_request("page_token", text, "use the token of the page before"))?,
    };
    let letters = page(store, after, size).await?;
    let total_size = store.count();
    let last = letters.last().map_or(after, |letter| letter.number);
    let next_page_token = if last < total_size { last.to_string() } else { String::new() };
    Ok(v1::ListDeadLettersResponse { letters, next_page_token, total_size, dropped: store.dropped() })
}

async fn page(store: &DeadLetters, after: u64, size: usize) -> Result<Vec<v1::DeadLetter>, ApiError> {
    let store = store.clone();
    let page = tokio::task::spawn_blocking(move || store.page(after, size)).await;
    page.map_err(|_| internal("the list broke off"))?
        .map_err(|error| internal(&format!("the dead letters cannot be read ({error}): check the coordinator's disk")))
}

/// Sends the record of a letter again, as it is or corrected.
pub async fn resubmit(
    door: &IngestDoor,
    request: v1::ResubmitDeadLetterRequest,
) -> Result<v1::ResubmitDeadLetterResponse, ApiError> {
    let store = &door.dead_letters;
    let _turn = store.turn().await;
    let number = request.number;
    let unknown = || no_such(format!("dead letter {number}: list them to see which exist"));
    let before = number.checked_sub(1).ok_or_else(unknown)?;
    let letter = page(store, before, 1).await?.pop().ok_or_else(unknown)?;
    if let Some(v1::Resubmission { source, source_seq, epoch, .. }) = &letter.resubmission {
        let remedy =
            format!("it was resubmitted as {source} {source_seq}, in epoch {epoch}: correct that fact instead");
        return Err(bad_request("number", &number.to_string(), &remedy));
    }
    let is_whole = ![RefusalCode::NotJson, RefusalCode::LineTooLong].map(RefusalCode::as_str).contains(&&*letter.code);
    let record = match (request.record.is_empty(), is_whole) {
        (false, _) => request.record.to_vec(),
        (true, true) => letter.record.to_vec(),
        (true, false) => {
            return Err(bad_request("record", "", "what was kept is no whole JSON object: send the corrected record"));
        }
    };
    let record = with_number(record, request.source_seq, &door.catalogue);
    let (source, source_seq) = sequence(&record, &door.catalogue);
    let is_used_up = (source, source_seq) == used_up(&letter, &door.catalogue);
    if let (true, Some(source), Some(used)) = (is_used_up, source, source_seq) {
        let remedy = format!(
            "the refused record used this number of {} up: give it one that the source has not used and will not use",
            source.code()
        );
        return Err(bad_request("source_seq", &used.to_string(), &remedy));
    }
    let answer = door.submit(record, request.replay).await?;
    if let Some(refusal) = answer.refusals.into_iter().next() {
        return Ok(v1::ResubmitDeadLetterResponse { refusal: Some(refusal), ..Default::default() });
    }
    let time_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    let resubmission = v1::Resubmission {
        time_ms,
        source: source.map_or_else(String::new, |source| source.code().to_owned()),
        source_seq: source_seq.unwrap_or(0),
        epoch: answer.epoch,
    };
    store.note(number, resubmission.clone()).await.map_err(|_| {
        internal("the record is in the log, but its dead letter could not be marked: mend the coordinator's disk")
    })?;
    Ok(v1::ResubmitDeadLetterResponse {
        resubmission: Some(resubmission),
        known_before: answer.duplicates > 0,
        refusal: None,
    })
}

/// The record under another number. What is no JSON object stays as it is, and is refused at the door.
fn with_number(record: Vec<u8>, number: u64, catalogue: &Catalogue) -> Vec<u8> {
    let is_object = |record: &[u8]| match parse_line(record, catalogue) {
        Ok(_) => true,
        Err(refusal) => !matches!(refusal.code, RefusalCode::NotJson | RefusalCode::LineTooLong),
    };
    if number == 0 || !is_object(&record) {
        return record;
    }
    match serde_json::from_slice::<Map<String, Value>>(&record) {
        Ok(mut fields) => {
            fields.insert("source_seq".to_owned(), number.into());
            Value::Object(fields).to_string().into_bytes()
        }
        Err(_) => record,
    }
}

/// Source and number of a record, as far as they can be read.
fn sequence(record: &[u8], catalogue: &Catalogue) -> (Option<Source>, Option<u64>) {
    match parse_line(record, catalogue) {
        Ok(record) => {
            let (source, number) = record.sequence();
            (Some(source), Some(number))
        }
        Err(refusal) => (refusal.source.as_deref().and_then(Source::parse), refusal.source_seq),
    }
}

/// The number that the refusal used up. Letters of older builds say it in their record alone.
fn used_up(letter: &v1::DeadLetter, catalogue: &Catalogue) -> (Option<Source>, Option<u64>) {
    match (Source::parse(&letter.source), letter.source_seq) {
        (Some(source), number) if number > 0 => (Some(source), Some(number)),
        _ => sequence(&letter.record, catalogue),
    }
}
