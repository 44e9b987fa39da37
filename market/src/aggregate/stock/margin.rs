//! The share of a bill's margin that its lots carry.

use super::is_accepted;
use crate::{
    bill::{Header, Lot, LotChange},
    observe::Observation,
};

/// MRG: margin times the accepted live lots over the face, half-even per bill (derived.csv). The share of the bill changes
/// step by step with its lots, so that the sum over all changes is exactly the share of the whole.
pub(super) struct Margin {
    margin_fen: i64,
    face_fen: i64,
    accepted_fen: i64,
}

impl Margin {
    /// Before the changes of an observation.
    pub fn new(seen: &Observation<'_>, header: &Header) -> Self {
        if header.margin_fen == 0 {
            return Margin { margin_fen: 0, face_fen: header.face_fen, accepted_fen: 0 };
        }
        let amount = |lot: &Lot| if is_accepted(lot) { lot.amount_fen } else { 0 };
        let after: i64 = seen.bill.map_or(0, |bill| bill.lots.iter().map(amount).sum());
        let changes = &seen.outcome.changes;
        let come: i64 = changes.iter().map(|change| amount(&change.after)).sum();
        let gone: i64 = changes.iter().filter_map(|change| change.before.as_ref()).map(amount).sum();
        Margin { margin_fen: header.margin_fen, face_fen: header.face_fen, accepted_fen: after - come + gone }
    }

    /// The margin that the old version takes out and the new one puts in.
    pub fn step(&mut self, change: &LotChange) -> (i64, i64) {
        if self.margin_fen == 0 {
            return (0, 0);
        }
        let before = self.share();
        self.accepted_fen -= change.before.as_ref().filter(|lot| is_accepted(lot)).map_or(0, |lot| lot.amount_fen);
        let between = self.share();
        self.accepted_fen += if is_accepted(&change.after) { change.after.amount_fen } else { 0 };
        (before - between, self.share() - between)
    }

    fn share(&self) -> i64 {
        if self.face_fen <= 0 {
            return 0;
        }
        let over = i128::from(self.margin_fen) * i128::from(self.accepted_fen);
        let face = i128::from(self.face_fen);
        let (whole, rest) = (over.div_euclid(face), over.rem_euclid(face));
        let up = match (2 * rest).cmp(&face) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => whole % 2 != 0,
            std::cmp::Ordering::Greater => true,
        };
        i64::try_from(whole + i128::from(up)).unwrap_or(i64::MAX)
    }
}
