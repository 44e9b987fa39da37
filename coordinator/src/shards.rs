//! Which worker gets a record: from its scope to an audience, from the audience to workers.
//!
//! Owns the assignment of key groups and the cutting of an epoch into what each process needs. Invariant: the audience of a
//! record is a function of the record alone; only the assignment knows how many workers there are. So the same log serves
//! any layout.

use billwatch_market::{
    fact::{ControlKind, Record},
    fact_scope::{FactScope, scope},
    key_group::{KEY_GROUPS, key_group_of_bill, key_group_of_party},
};
use billwatch_proto::v1;

use crate::epochs::SealedEpoch;

/// Who reads a record: nobody (control, but for books of members), the owner of one key group, everybody, or both of the last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Audience(u16);

const AND_EVERYBODY: u16 = 0x8000;

impl Audience {
    /// Control records, but for books: the coordinator alone reads them.
    pub const NOBODY: Audience = Audience(u16::MAX);
    /// Reference data.
    pub const EVERYBODY: Audience = Audience(u16::MAX - 1);

    /// The owner of a key group.
    pub fn group(group: u16) -> Self {
        debug_assert!(group < KEY_GROUPS);
        Audience(group)
    }

    /// The audience of a record.
    pub fn of(record: &Record) -> Self {
        let fact = match record {
            Record::Fact(fact) => fact,
            Record::Control(control) => {
                return match control.kind {
                    // As `scope` says of the facts in whose form workers read them (`market::books`).
                    ControlKind::BookLine { holder, .. } | ControlKind::BookEnd { holder, .. } => {
                        Audience(key_group_of_party(holder))
                    }
                    ControlKind::Watermark(_) | ControlKind::Idle | ControlKind::Resume => Audience::NOBODY,
                };
            }
        };
        match scope(fact) {
            FactScope::Bill(bill) => Audience(key_group_of_bill(bill)),
            FactScope::BillAndReference(bill) => Audience(key_group_of_bill(bill) | AND_EVERYBODY),
            FactScope::Reference => Audience::EVERYBODY,
            FactScope::Party(party) => Audience(key_group_of_party(party)),
        }
    }

    /// The bits, as the log writes them.
    pub fn bits(self) -> u16 {
        self.0
    }

    /// The audience of these bits; `None` when they are no audience.
    pub fn from_bits(bits: u16) -> Option<Self> {
        let audience = Audience(bits);
        let known = audience == Self::NOBODY || audience == Self::EVERYBODY || bits & !AND_EVERYBODY < KEY_GROUPS;
        known.then_some(audience)
    }

    /// The key group whose owner reads it.
    pub fn key_group(self) -> Option<u16> {
        (self != Self::NOBODY && self != Self::EVERYBODY).then_some(self.0 & !AND_EVERYBODY)
    }

    /// True when every worker reads it.
    pub fn includes_everybody(self) -> bool {
        self != Self::NOBODY && self.0 & AND_EVERYBODY != 0
    }
}

/// Owner of every key group: contiguous ranges of groups, as even as they go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    processes: u32,
    threads: u32,
    /// Worker index (process * threads + thread) by key group.
    owners: Vec<u32>,
}

impl Assignment {
    /// Assignment for a mesh of this layout.
    pub fn contiguous(processes: u32, threads: u32) -> Self {
        let workers = u64::from(processes) * u64::from(threads);
        let owners = (0..u64::from(KEY_GROUPS)).map(|group| (group * workers / u64::from(KEY_GROUPS)) as u32).collect();
        Assignment { processes, threads, owners }
    }

    /// Worker index by key group.
    pub fn owners(&self) -> &[u32] {
        &self.owners
    }

    /// Number of key groups that the workers of a process own.
    pub fn groups_of(&self, process: u32) -> u32 {
        self.owners.iter().filter(|&&worker| worker / self.threads == process).count() as u32
    }

    /// What each process gets of an epoch, by process number. Records keep the order of acceptance within a worker.
    pub fn cut(&self, epoch: &SealedEpoch) -> Vec<v1::Epoch> {
        let workers = (self.processes * self.threads) as usize;
        let mut shards: Vec<Shard> = (0..workers).map(|_| Shard::default()).collect();
        let mut reference = Vec::new();
        let mut reference_count = 0;
        for batch in &epoch.batches {
            let mut rest: &[u8] = &batch.records;
            for &(audience, length) in &batch.placed {
                let (record, tail) = rest.split_at(length as usize);
                rest = tail;
                if let Some(group) = audience.key_group() {
                    let shard = &mut shards[self.owners[usize::from(group)] as usize];
                    shard.records.extend_from_slice(record);
                    shard.record_count += 1;
                }
                if audience.includes_everybody() {
                    reference.extend_from_slice(record);
                    reference_count += 1;
                }
            }
        }
        for (audience, record) in &epoch.copies {
            let owner = audience.key_group().map(|group| self.owners[usize::from(group)] as usize);
            for (worker, shard) in shards.iter_mut().enumerate() {
                if owner == Some(worker) || audience.includes_everybody() {
                    shard.variants.extend_from_slice(record);
                    shard.variant_count += 1;
                }
            }
        }
        let reference = prost::bytes::Bytes::from(reference);
        let mut shards = shards.into_iter().enumerate();
        (0..self.processes)
            .map(|_| v1::Epoch {
                epoch: epoch.epoch,
                market_clock_ms: epoch.market_clock_ms,
                shards: shards.by_ref().take(self.threads as usize).filter_map(Shard::finish).collect(),
                reference: reference.clone(),
                reference_count,
                orders: epoch.orders.clone(),
                parameters: epoch.parameters.clone(),
            })
            .collect()
    }
}

/// What one worker gets.
#[derive(Default)]
struct Shard {
    records: Vec<u8>,
    record_count: u32,
    variants: Vec<u8>,
    variant_count: u32,
}

impl Shard {
    /// Workers without anything are left out.
    fn finish((worker, shard): (usize, Shard)) -> Option<v1::ShardRecords> {
        (shard.record_count + shard.variant_count > 0).then(|| v1::ShardRecords {
            worker: worker as u32,
            records: shard.records.into(),
            record_count: shard.record_count,
            variants: shard.variants.into(),
            variant_count: shard.variant_count,
        })
    }
}

#[cfg(test)]
mod tests {
    use prost::bytes::Bytes;

    use super::*;
    use crate::epochs::PlacedBatch;

    #[test]
    fn groups_are_contiguous_and_even() {
        for (processes, threads) in [(1, 1), (2, 1), (3, 2), (2, 2), (7, 3)] {
            let assignment = Assignment::contiguous(processes, threads);
            assert!(assignment.owners().is_sorted());
            let mut counts = vec![0u32; (processes * threads) as usize];
            for &owner in assignment.owners() {
                counts[owner as usize] += 1;
            }
            assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
            assert_eq!((0..processes).map(|process| assignment.groups_of(process)).sum::<u32>(), u32::from(KEY_GROUPS));
        }
    }

    #[test]
    fn audiences_come_back_from_their_bits() {
        for bits in 0..=u16::MAX {
            if let Some(audience) = Audience::from_bits(bits) {
                assert_eq!(audience.bits(), bits);
                assert!(
                    audience == Audience::NOBODY || audience.key_group().is_some() || audience.includes_everybody()
                );
            }
        }
        assert_eq!(Audience::from_bits(KEY_GROUPS), None);
        assert!(!Audience::NOBODY.includes_everybody());
        assert!(Audience::EVERYBODY.includes_everybody());
    }

    #[test]
    fn an_epoch_is_cut_by_owner_and_reference_goes_to_all() {
        let epoch = SealedEpoch {
            epoch: 4,
            market_clock_ms: Some(9),
            batches: vec![PlacedBatch {
                records: Bytes::from_static(b"aabcccd"),
                placed: vec![
                    (Audience::group(0), 2),
                    (Audience::group(1023), 1),
                    (Audience::EVERYBODY, 3),
                    (Audience::NOBODY, 1),
                ],
            }],
            copies: vec![
                (Audience::group(1023), Bytes::from_static(b"aa")),
                (Audience::EVERYBODY, Bytes::from_static(b"x")),
            ],
            orders: Vec::new(),
            parameters: None,
            records: 4,
            sealed_at: std::time::Instant::now(),
        };
        let cut = Assignment::contiguous(2, 2).cut(&epoch);
        assert_eq!(cut.len(), 2);
        assert_eq!((cut[0].epoch, cut[0].market_clock_ms, cut[0].reference_count), (4, Some(9), 1));
        assert_eq!(cut[1].reference, Bytes::from_static(b"ccc"));
        assert_eq!(cut[0].shards.len(), 2);
        assert_eq!((cut[0].shards[0].worker, &cut[0].shards[0].records[..]), (0, &b"aa"[..]));
        assert_eq!((cut[0].shards[1].worker, &cut[0].shards[1].variants[..]), (1, &b"x"[..]));
        let last = &cut[1].shards[1];
        assert_eq!(
            (last.worker, &last.records[..], &last.variants[..], last.variant_count),
            (3, &b"b"[..], &b"aax"[..], 2)
        );
    }
}
