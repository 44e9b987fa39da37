//! Checkpoints while epochs go on: what is cut is the state of its epoch and nothing younger; what cannot be written ends
//! the thread, and is no checkpoint.

mod common;

use std::{collections::BTreeMap, fs, path::Path};

use billwatch_market::{catalogue::Catalogue, fact::Fact};
use billwatch_workers::{
    harness::EngineHarness,
    store::{Store, Table, checkpoint, subject::SUBJECT_BYTES},
};
use common::{Dice, Market, corrected, examples, expected, multiplied};

type Hashes = BTreeMap<String, (u128, u64)>;

/// A market in many small epochs, with the market clock after each.
struct Story {
    market: Market,
    epochs: Vec<(Vec<Fact>, i64)>,
}

impl Story {
    fn new(seed: u64, catalogue: &Catalogue) -> Self {
        let mut dice = Dice(seed);
        let market = corrected(&multiplied(&examples("abcde", catalogue), 3), 40, &mut dice);
        let mut facts = market.facts.clone();
        if seed.is_multiple_of(2) {
            dice.shuffle(&mut facts);
        }
        let first = facts.iter().map(|fact| fact.event_time).min().unwrap();
        let parts: Vec<_> = facts.chunks(facts.len().div_ceil(60)).collect();
        let step = (market.clock - first) / parts.len() as i64;
        let clock = |place: usize| if place + 1 == parts.len() { market.clock } else { first + step * place as i64 };
        let epochs = parts.iter().enumerate().map(|(place, part)| (part.to_vec(), clock(place))).collect();
        Story { market, epochs }
    }

    /// Feeds the epoch after the engine's last one; false when there is none.
    fn go_on(&self, engine: &mut EngineHarness) -> bool {
        let Some((facts, clock)) = self.epochs.get(engine.epoch() as usize) else { return false };
        engine.feed(facts, Some(*clock)).unwrap();
        true
    }

    fn assert_told(&self, engine: &mut EngineHarness, catalogue: &std::sync::Arc<Catalogue>, name: &str) {
        while self.go_on(engine) {}
        let (_, wanted) = expected(&self.market, catalogue);
        let found = engine.view_hashes().unwrap();
        for (view, hash) in wanted {
            assert_eq!(found.get(&view), Some(&hash), "{name}: {view} at the end");
        }
    }
}

/// Epochs of the facts in the history of a checkpoint: the youngest.
fn youngest_fact(dir: &Path, epoch: u64) -> u64 {
    let store = Store::open(dir, epoch).unwrap();
    let mut youngest = 0;
    for group in 0..1_024 {
        let scanned = store.scan_group(Table::History, group, |key, _| {
            let bytes = key[SUBJECT_BYTES..SUBJECT_BYTES + 8].try_into().unwrap();
            youngest = youngest.max(u64::from_be_bytes(bytes));
            Ok(())
        });
        scanned.unwrap();
    }
    youngest
}

#[test]
fn what_is_cut_while_epochs_go_on_is_the_state_of_its_epoch() {
    let catalogue = Catalogue::embedded();
    let mut passed_meanwhile = 0;
    for seed in 300..305 {
        for threads in [1, 2] {
            let name = format!("seed {seed}, {threads} threads");
            let mut dice = Dice(seed + 1_000);
            let story = Story::new(seed, &catalogue);
            let dir = tempfile::tempdir().unwrap();
            let mut engine = EngineHarness::start_saving_always(&catalogue, threads, dir.path(), 0).unwrap();
            let mut at: BTreeMap<u64, Hashes> = BTreeMap::new();
            for _ in 0..3 {
                for _ in 0..2 + dice.roll(6) {
                    story.go_on(&mut engine);
                }
                let epoch = engine.epoch();
                at.insert(epoch, engine.view_hashes().unwrap());
                engine.begin_checkpoint().unwrap();
                for _ in 0..1 + dice.roll(10) {
                    if !engine.is_checkpoint_done() && story.go_on(&mut engine) {
                        passed_meanwhile += 1;
                    }
                }
                assert_eq!(engine.finish_checkpoint().unwrap().0, epoch, "{name}");
                engine.commit(epoch).unwrap();
            }
            story.assert_told(&mut engine, &catalogue, &format!("{name}, never stopped"));
            engine.stop();
            let kept = checkpoint::epochs(dir.path()).unwrap();
            assert_eq!(kept, at.keys().copied().collect::<Vec<_>>()[1..], "{name}: the last two");
            for epoch in kept.into_iter().rev() {
                assert!(youngest_fact(dir.path(), epoch) <= epoch, "{name}: history of epoch {epoch}");
                let mut engine = EngineHarness::start_saving_always(&catalogue, threads, dir.path(), epoch).unwrap();
                assert_eq!(engine.view_hashes().unwrap(), at[&epoch], "{name}: restored at epoch {epoch}");
                story.assert_told(&mut engine, &catalogue, &format!("{name}, from epoch {epoch}"));
            }
        }
    }
    assert!(passed_meanwhile > 10, "epochs must go on while a checkpoint is written: {passed_meanwhile} did");
}

#[test]
fn an_order_during_a_checkpoint_is_refused_or_right() {
    let catalogue = Catalogue::embedded();
    for seed in 400..404 {
        for threads in [1, 2] {
            let name = format!("seed {seed}, {threads} threads");
            let story = Story::new(seed, &catalogue);
            let dir = tempfile::tempdir().unwrap();
            let mut engine = EngineHarness::start_saving_always(&catalogue, threads, dir.path(), 0).unwrap();
            for _ in 0..20 {
                story.go_on(&mut engine);
            }
            let mut at: BTreeMap<u64, Hashes> = BTreeMap::new();
            let mut orders = 0;
            for _ in 0..6 {
                at.insert(engine.epoch(), engine.view_hashes().unwrap());
                engine.begin_checkpoint().unwrap();
                engine.begin_checkpoint().unwrap();
                orders += 2;
                story.go_on(&mut engine);
            }
            let mut taken = Vec::new();
            for order in 0..orders {
                match engine.finish_checkpoint() {
                    Ok((epoch, _)) => taken.push(epoch),
                    Err(error) => {
                        assert!(order > 0, "{name}: the first is taken: {error}");
                        assert!(error.to_string().contains("still being written"), "{name}: {error}");
                    }
                }
            }
            engine.stop();
            taken.dedup();
            assert_eq!(checkpoint::epochs(dir.path()).unwrap(), taken, "{name}");
            let epoch = *taken.last().unwrap();
            let mut engine = EngineHarness::start(&catalogue, threads, Some(dir.path()), epoch).unwrap();
            assert_eq!(engine.view_hashes().unwrap(), at[&epoch], "{name}: restored at epoch {epoch}");
            story.assert_told(&mut engine, &catalogue, &format!("{name}, from epoch {epoch}"));
        }
    }
}

#[test]
fn who_cannot_write_ends_loudly_and_has_no_checkpoint() {
    let catalogue = Catalogue::embedded();
    for threads in [1, 2] {
        // Rows cannot be written; the checkpoint cannot be cut.
        for gone in ["staging", "checkpoints"] {
            let name = format!("{threads} threads without {gone}");
            let story = Story::new(500, &catalogue);
            let dir = tempfile::tempdir().unwrap();
            let mut engine = EngineHarness::start_saving_always(&catalogue, threads, dir.path(), 0).unwrap();
            for _ in 0..5 {
                story.go_on(&mut engine);
            }
            engine.checkpoint().unwrap();
            for _ in 0..5 {
                story.go_on(&mut engine);
            }
            let lost = dir.path().join(gone);
            let aside = dir.path().join("aside");
            fs::rename(&lost, &aside).unwrap();
            fs::write(&lost, "no directory").unwrap();
            let error = engine.checkpoint().expect_err("nothing can be written").to_string();
            assert!(error.contains("data directory"), "{name}: it says what to look at: {error}");
            // Also when the disk is there again, nobody goes on as if nothing had been lost.
            fs::remove_file(&lost).unwrap();
            fs::rename(&aside, &lost).unwrap();
            let (facts, clock) = &story.epochs[10];
            let ends = (0..1_000).any(|_| engine.feed(facts, Some(*clock)).is_err());
            assert!(ends, "{name}: the thread ends");
            engine.stop();
            assert_eq!(checkpoint::epochs(dir.path()).unwrap(), [5], "{name}");
            let mut engine = EngineHarness::start(&catalogue, threads, Some(dir.path()), 5).unwrap();
            story.assert_told(&mut engine, &catalogue, &format!("{name}, from epoch 5"));
        }
    }
}
