//! Subscriptions to the features of a key and to a bill: they look again and again, and tell what differs.
//!
//! A look is a question like any other, so all of an answer holds at one epoch. No epoch since the last look: nothing is asked,
//! only progress is told.

use billwatch_proto::v1;
use tokio::time::sleep;

use super::{errors::ApiError, known::Known, query::QueryApi, watches::Answers};
use crate::limits;

impl QueryApi {
    /// The features, then what changed, for as long as somebody listens.
    pub(super) async fn follow_features(
        &self,
        query: &v1::QueryFeaturesRequest,
        answers: &Answers<v1::WatchFeaturesResponse>,
    ) -> Result<(), ApiError> {
        let mut known = Known::default();
        let mut last: Option<v1::AsOf> = None;
        loop {
            let (as_of, rows) = match self.unmoved(last).await? {
                Some(as_of) => (as_of, Vec::new()),
                None => {
                    let answer = self.features(query.clone()).await?;
                    (answer.as_of.unwrap_or_default(), changed_features(&mut known, answer.rows))
                }
            };
            let response = v1::WatchFeaturesResponse { as_of: Some(as_of), snapshot: last.is_none(), rows };
            if answers.send(Ok(response)).await.is_err() {
                return Ok(());
            }
            last = Some(as_of);
            sleep(limits::FEATURES_EVERY).await;
        }
    }

    /// The life of a bill, then what changed in it, for as long as somebody listens.
    pub(super) async fn follow_bill(
        &self,
        bill_id: &str,
        answers: &Answers<v1::WatchBillResponse>,
    ) -> Result<(), ApiError> {
        let mut known = KnownBill::default();
        let mut last: Option<v1::AsOf> = None;
        loop {
            let (as_of, (life, lots)) = match self.unmoved(last).await? {
                Some(as_of) => (as_of, Default::default()),
                None => {
                    let bill = self.life(bill_id).await?;
                    (bill.as_of.unwrap_or_default(), known.take(bill.life, bill.lots))
                }
            };
            let response = v1::WatchBillResponse { as_of: Some(as_of), snapshot: last.is_none(), life, lots };
            if answers.send(Ok(response)).await.is_err() {
                return Ok(());
            }
            last = Some(as_of);
            sleep(limits::BILL_EVERY).await;
        }
    }

    /// When the last look held, if no epoch came since.
    async fn unmoved(&self, last: Option<v1::AsOf>) -> Result<Option<v1::AsOf>, ApiError> {
        let epoch = self.cluster.status().await?.completed.epoch;
        Ok(last.filter(|last| last.epoch == epoch))
    }
}

/// Feature and bucket.
type FeatureBucket = (String, String);

fn changed_features(known: &mut Known<FeatureBucket, v1::FeatureRow>, now: Vec<v1::FeatureRow>) -> Vec<v1::FeatureRow> {
    let key = |row: &v1::FeatureRow| (row.feature.clone(), row.bucket.clone());
    let (mut rows, gone) = known.take(now.into_iter().map(|row| (key(&row), row)));
    rows.extend(gone.into_iter().map(|((feature, bucket), _)| v1::FeatureRow {
        feature,
        bucket,
        ..Default::default()
    }));
    rows
}

/// What a subscriber knows of a bill.
#[derive(Default)]
struct KnownBill {
    /// By the row form: a fact never changes, and variants of one event are facts of their own.
    life: Known<prost::bytes::Bytes, v1::LifeFact>,
    /// By range.
    lots: Known<String, v1::LotRow>,
}

impl KnownBill {
    fn take(&mut self, life: Vec<v1::LifeFact>, lots: Vec<v1::LotRow>) -> (Vec<v1::LifeFact>, Vec<v1::LotRow>) {
        let row = |step: &v1::LifeFact| step.fact.as_ref().map(|row| row.json.clone()).unwrap_or_default();
        let (life, _) = self.life.take(life.into_iter().map(|step| (row(&step), step)));
        let (mut lots, gone) = self.lots.take(lots.into_iter().map(|lot| (lot.range.clone(), lot)));
        lots.extend(gone.into_iter().map(|(range, _)| v1::LotRow { range, ..Default::default() }));
        (life, lots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_that_are_gone_come_without_facts() {
        let row = |bucket: &str, count, sum: &str| v1::FeatureRow {
            feature: "F001".into(),
            bucket: bucket.into(),
            count,
            sum_fen: sum.into(),
            members: 0,
        };
        let mut known = Known::default();
        let first = vec![row("2025-04-08", 1, "5"), row("2025-04-09", 2, "7")];
        assert_eq!(changed_features(&mut known, first.clone()), first);
        assert_eq!(changed_features(&mut known, first), []);
        let told = changed_features(&mut known, vec![row("2025-04-08", 1, "6")]);
        assert_eq!(told, [row("2025-04-08", 1, "6"), row("2025-04-09", 0, "")]);
    }

    #[test]
    fn a_fact_whose_effect_changes_is_told_again_and_a_lot_that_is_gone_by_its_range() {
        let step = |json: &str, effect: &str| v1::LifeFact {
            fact: Some(v1::Row { json: json.to_owned().into() }),
            effect: effect.into(),
        };
        let lot =
            |range: &str, holder: &str| v1::LotRow { range: range.into(), holder: holder.into(), ..Default::default() };
        let mut known = KnownBill::default();
        let (life, lots) = (vec![step("a", "APPLIED"), step("c", "APPLIED")], vec![lot("1-9", "E1")]);
        assert_eq!(known.take(life.clone(), lots.clone()), (life, lots));
        // A late fact takes its place between the two and outdoes the second; the lot is split.
        let life = vec![step("a", "APPLIED"), step("b", "APPLIED"), step("c", "ILLEGAL_STATE")];
        let (told, lots) = known.take(life.clone(), vec![lot("1-5", "E2"), lot("6-9", "E1")]);
        assert_eq!(told, life[1..]);
        assert_eq!(lots, [lot("1-5", "E2"), lot("6-9", "E1"), lot("1-9", "")]);
        assert_eq!(known.take(life, vec![lot("1-5", "E2"), lot("6-9", "E1")]), (vec![], vec![]));
    }
}
