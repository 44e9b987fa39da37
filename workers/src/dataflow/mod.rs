//! The dataflow of one worker: what happens in an epoch.
//!
//! ```text
//! input ─► Lives ─┬─ cells ──────► exchange by cell ───► Cells ───────────────┐
//!                 ├─ crosses ────► exchange by cell ───► Crosses ────────────┤
//!                 ├─ deltas ─────► exchange by key ────► Windows ─► judges ─┐ ├─► probe
//!                 └─ hits ───────────────────────────────────────────────┬──┴─► exchange by alert ─► Alerts
//! ```
//!
//! One input container carries a whole epoch. Lives works when it arrives; the owners downstream gather what comes and apply
//! it when their frontier has passed the epoch, so the order of arrival between workers cannot matter. All state lies in
//! [`Shard`], behind `Rc`s that the worker loop shares: between two epochs it reads and answers.

pub mod alerts;
pub mod cells;
mod copies;
pub mod crosses;
pub mod lives;
mod series;
pub mod series_store;
mod touched;
mod unsaved;
pub mod valuation;
pub mod windows;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Instant};

use timely::{
    container::CapacityContainerBuilder,
    container::NoopBuilder,
    dataflow::{
        InputHandle, ProbeHandle, Stream,
        channels::pact::Pipeline,
        operators::{
            Capability, Concat, Probe,
            generic::{Operator, OutputBuilder, builder_rc::OperatorBuilder},
        },
    },
    worker::Worker,
};

use self::{alerts::AlertRow, cells::CellRow, crosses::CrossRow, windows::WindowRow};
use crate::{
    command::EpochInput,
    counters::Stage,
    parcel::{Outbox, Parcel, by_address},
    shard::Shard,
};

/// The way in: one container an epoch.
pub type Input = InputHandle<u64, CapacityContainerBuilder<Vec<EpochInput>>>;

/// Builds the dataflow of a worker. Every worker of a mesh calls this once, first.
pub fn build(worker: &mut Worker, shard: &Rc<Shard>) -> (Input, ProbeHandle<u64>) {
    let mut input = Input::new();
    let probe = ProbeHandle::new();
    let threads = shard.seat.threads;
    let local = shard.seat.process * threads..(shard.seat.process + 1) * threads;
    let peers = worker.peers();
    worker.dataflow_named("market", |scope| {
        let epochs = input.to_stream(scope);
        let (cells, crosses, windows, hits) = lives_operator(epochs, shard, peers, local.clone());
        let owner = shard.clone();
        gather(cells, "Cells", move |_epoch, parcels| {
            let mut cells = owner.cells.borrow_mut();
            let started = Instant::now();
            for parcel in parcels {
                parcel.open(|rows| cells.add(rows));
            }
            owner.spent(Stage::Cells, started);
        })
        .probe_with(&probe);
        let owner = shard.clone();
        gather(crosses, "Crosses", move |_epoch, parcels| {
            let mut crosses = owner.crosses.borrow_mut();
            let started = Instant::now();
            for parcel in parcels {
                parcel.open(|rows| crosses.add(rows));
            }
            owner.spent(Stage::Cells, started);
        })
        .probe_with(&probe);
        let judged = windows_operator(windows, shard, peers, local);
        let owner = shard.clone();
        gather(hits.concat(judged), "Alerts", move |_epoch, parcels| {
            let mut alerts = owner.alerts.borrow_mut();
            let started = Instant::now();
            for parcel in parcels {
                parcel.open(|rows: &[AlertRow]| rows.iter().for_each(|row| alerts.add(row)));
            }
            owner.spent(Stage::Alerts, started);
        })
        .probe_with(&probe);
    });
    (input, probe)
}

type Parcels<'scope, R> = Stream<'scope, u64, Parcel<R>>;

fn lives_operator<'scope>(
    epochs: Stream<'scope, u64, Vec<EpochInput>>,
    shard: &Rc<Shard>,
    peers: usize,
    local: std::ops::Range<usize>,
) -> (Parcels<'scope, CellRow>, Parcels<'scope, CrossRow>, Parcels<'scope, WindowRow>, Parcels<'scope, AlertRow>) {
    let mut builder = OperatorBuilder::new("Lives".to_owned(), epochs.scope());
    let mut input = builder.new_input(epochs, Pipeline);
    let (cells_out, cells) = builder.new_output::<Parcel<CellRow>>();
    let (crosses_out, crosses) = builder.new_output::<Parcel<CrossRow>>();
    let (windows_out, windows) = builder.new_output::<Parcel<WindowRow>>();
    let (hits_out, hits) = builder.new_output::<Parcel<AlertRow>>();
    let mut cells_out = OutputBuilder::<_, NoopBuilder<_>>::from(cells_out);
    let mut crosses_out = OutputBuilder::<_, NoopBuilder<_>>::from(crosses_out);
    let mut windows_out = OutputBuilder::<_, NoopBuilder<_>>::from(windows_out);
    let mut hits_out = OutputBuilder::<_, NoopBuilder<_>>::from(hits_out);
    let shard = shard.clone();
    let mut boxes = lives::Outboxes {
        cells: Outbox::new(peers, local.clone()),
        crosses: Outbox::new(peers, local.clone()),
        windows: Outbox::new(peers, local.clone()),
        hits: Outbox::new(peers, local),
    };
    builder.build(move |_capabilities| {
        move |_frontiers| {
            let (mut cells_out, mut crosses_out) = (cells_out.activate(), crosses_out.activate());
            let (mut windows_out, mut hits_out) = (windows_out.activate(), hits_out.activate());
            input.for_each(|capability, epochs| {
                for epoch in epochs.drain(..) {
                    let started = Instant::now();
                    if let Err(error) = shard.lives.borrow_mut().apply(&shard, &epoch, &mut boxes) {
                        shard.fail(&error);
                    }
                    // So that the owner of windows sees the epoch even when nobody sends it a delta.
                    boxes.windows.push(shard.seat.index(), WindowRow::Tick);
                    shard.spent(Stage::Lives, started);
                }
                let started = Instant::now();
                ship(&mut boxes.cells, &capability, 0, &mut cells_out);
                ship(&mut boxes.crosses, &capability, 1, &mut crosses_out);
                ship(&mut boxes.windows, &capability, 2, &mut windows_out);
                ship(&mut boxes.hits, &capability, 3, &mut hits_out);
                shard.spent(Stage::Exchange, started);
            });
        }
    });
    (cells, crosses, windows, hits)
}

type Session<'a, R> = timely::dataflow::operators::generic::OutputBuilderSession<'a, u64, NoopBuilder<Parcel<R>>>;

fn ship<R: crate::parcel::Row>(
    outbox: &mut Outbox<R>,
    capability: &timely::dataflow::operators::InputCapability<u64>,
    port: usize,
    out: &mut Session<'_, R>,
) {
    let Some(capability) = capability.retain_least(port) else { return };
    outbox.ship(|mut parcel| out.session_with_builder(&capability).give_container(&mut parcel));
}

/// Gathers the parcels of an epoch and hands them over once the frontier has passed it. Nothing leaves but progress.
fn gather<'scope, R: crate::parcel::Row>(
    parcels: Parcels<'scope, R>,
    name: &str,
    mut apply: impl FnMut(u64, Vec<Parcel<R>>) + 'static,
) -> Stream<'scope, u64, Vec<()>> {
    parcels.unary_frontier::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
        by_address(),
        name,
        move |_capability, _info| {
            let mut stash: BTreeMap<u64, (Capability<u64>, Vec<Parcel<R>>)> = BTreeMap::new();
            move |(input, frontier), _output| {
                input.for_each(|capability, parcel| {
                    if let Some(capability) = capability.retain_least(0) {
                        let epoch = *capability.time();
                        stash.entry(epoch).or_insert_with(|| (capability, Vec::new())).1.push(std::mem::take(parcel));
                    }
                });
                while let Some(entry) = stash.first_entry() {
                    if frontier.less_equal(entry.key()) {
                        break;
                    }
                    let (epoch, (_capability, parcels)) = entry.remove_entry();
                    apply(epoch, parcels);
                }
            }
        },
    )
}

fn windows_operator<'scope>(
    rows: Parcels<'scope, WindowRow>,
    shard: &Rc<Shard>,
    peers: usize,
    local: std::ops::Range<usize>,
) -> Parcels<'scope, AlertRow> {
    let shard = shard.clone();
    let outbox = RefCell::new(Outbox::new(peers, local));
    rows.unary_frontier::<NoopBuilder<Parcel<AlertRow>>, _, _, _>(by_address(), "Windows", move |_capability, _info| {
        let mut stash: BTreeMap<u64, (Capability<u64>, Vec<Parcel<WindowRow>>)> = BTreeMap::new();
        move |(input, frontier), output| {
            input.for_each(|capability, parcel| {
                if let Some(capability) = capability.retain_least(0) {
                    let epoch = *capability.time();
                    stash.entry(epoch).or_insert_with(|| (capability, Vec::new())).1.push(std::mem::take(parcel));
                }
            });
            while let Some(entry) = stash.first_entry() {
                if frontier.less_equal(entry.key()) {
                    break;
                }
                let (_epoch, (capability, parcels)) = entry.remove_entry();
                let mut outbox = outbox.borrow_mut();
                shard.apply_windows(parcels, |to, row| outbox.push(to, row));
                outbox.ship(|mut parcel| output.session_with_builder(&capability).give_container(&mut parcel));
            }
        }
    })
}
