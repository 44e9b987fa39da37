//! Crosses that are observed together, found by behaviour.

use std::sync::Arc;

use super::{Aggregates, Cross, CrossDefinition, CrossError, CrossId, CrossSink};
use crate::{
    evaluator::RulesError,
    fact::{BEHAVIOUR_CODES, Behaviour, behaviour},
    observe::Observation,
};

/// Crosses by place. A fact that none of them reads costs two look-ups.
#[derive(Debug, Default)]
pub struct CrossSet {
    crosses: Vec<Arc<Cross>>,
    /// By behaviour: places of those that read it.
    readers: Vec<Vec<u16>>,
    cuts: Vec<u16>,
    stock: Vec<u16>,
}

impl CrossSet {
    /// Indexes crosses; their places are their order here.
    pub fn new(crosses: Vec<Arc<Cross>>) -> Self {
        let places = |wanted: &dyn Fn(&Cross) -> bool| -> Vec<u16> {
            let wanted = (0u16..).zip(&crosses).filter(|(_, cross)| wanted(cross));
            wanted.map(|(place, _)| place).collect()
        };
        let discloses = |read: Behaviour| matches!(read, behaviour::ACC_SGN | behaviour::PPR_ACC | behaviour::DIS_BIL);
        let readers = (0..BEHAVIOUR_CODES.len() as u16).map(|number| {
            let read = Behaviour(number);
            places(&|cross| cross.reads(read) || (cross.disclosure.is_some() && discloses(read)))
        });
        CrossSet {
            readers: readers.collect(),
            cuts: places(&|cross| cross.cuts.is_some()),
            stock: places(&|cross| cross.has_stock()),
            crosses,
        }
    }

    /// Compiles definitions.
    pub fn compile(aggregates: &Aggregates, definitions: &[CrossDefinition]) -> Result<Self, CrossError> {
        let compiled = definitions.iter().map(|definition| aggregates.cross(definition).map(Arc::new));
        let mut crosses: Vec<Arc<Cross>> = compiled.collect::<Result<_, _>>()?;
        let mut known = Vec::new();
        crosses.retain(|cross| {
            !known.contains(&cross.id) && {
                known.push(cross.id);
                true
            }
        });
        Ok(CrossSet::new(crosses))
    }

    /// Compiles definitions; the error names the one that is wrong.
    pub fn of_rules(aggregates: &Aggregates, definitions: &[CrossDefinition]) -> Result<Self, RulesError> {
        CrossSet::compile(aggregates, definitions).map_err(|error| {
            let wrong = definitions.iter().find(|definition| aggregates.cross(definition).is_err());
            RulesError::Cross { definition: Box::new(wrong.cloned().unwrap_or_default()), error }
        })
    }

    /// By place.
    pub fn crosses(&self) -> &[Arc<Cross>] {
        &self.crosses
    }

    /// The place of a cross.
    pub fn find(&self, id: CrossId) -> Option<usize> {
        self.crosses.iter().position(|cross| cross.id == id)
    }

    /// True when a fact of the behaviour that changes no lot can add nothing.
    pub fn ignores(&self, behaviour: Behaviour) -> bool {
        self.readers.get(usize::from(behaviour.0)).is_none_or(Vec::is_empty)
    }

    /// Adds what a fact does to every wanted cross, times a weight (+1, or -1 to take it back).
    pub fn observe(
        &self,
        aggregates: &Aggregates,
        seen: &Observation<'_>,
        weight: i64,
        wanted: impl Fn(u16) -> bool,
        sink: &mut CrossSink,
    ) {
        let Some(readers) = self.readers.get(usize::from(seen.fact.behaviour.0)) else { return };
        for place in readers.iter().copied().filter(|place| wanted(*place)) {
            let cross = &self.crosses[usize::from(place)];
            aggregates.cross_flow(cross, place, seen, weight, sink);
            aggregates.cross_disclosure(cross, place, seen, weight, sink);
        }
        if !seen.outcome.cuts.is_empty() {
            for place in self.cuts.iter().copied().filter(|place| wanted(*place)) {
                aggregates.cross_cuts(&self.crosses[usize::from(place)], place, seen, weight, sink);
            }
        }
        if !seen.outcome.changes.is_empty() && self.stock.iter().any(|place| wanted(*place)) {
            aggregates.cross_stock(
                &self.crosses,
                self.stock.iter().copied().filter(|place| wanted(*place)),
                seen,
                weight,
                sink,
            );
        }
    }
}
