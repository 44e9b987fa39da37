//! Leases of agents, with agents and workers that only speak the protocol.

mod common;

use billwatch_proto::v1::{
    self, attend_response::Message as Told, work_request::Message as Say, work_response::Message as Hear,
};
use common::{Door, FakeAgent, FakeWorker, as_strs, example, wait_for};
use tonic::Code;

/// Two agents, their compute processes in a running generation, and its number.
async fn two(door: &Door) -> ([FakeAgent; 2], [FakeWorker; 2], u64) {
    let mut agents = [
        FakeAgent::attend(door, FakeAgent::enrol(0, "a")).await.unwrap(),
        FakeAgent::attend(door, FakeAgent::enrol(1, "b")).await.unwrap(),
    ];
    let mut workers = [
        FakeWorker::join(door, FakeWorker::register(0, &[])).await.unwrap(),
        FakeWorker::join(door, FakeWorker::register(1, &[])).await.unwrap(),
    ];
    let mut generation = 0;
    for worker in &mut workers {
        generation = worker.start().await.generation;
    }
    for agent in &mut agents {
        assert_eq!(agent.next().await, Some(Told::Begins(v1::GenerationBegins { generation })));
    }
    (agents, workers, generation)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_agent_ends_the_generation_for_all() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 2).await;
    let ([mut first, second], mut workers, generation) = two(&door).await;
    drop(second);
    let Some(Told::Ends(ends)) = first.next().await else { panic!("the end of the generation") };
    assert_eq!(ends.generation, generation);
    assert!(ends.reason.contains("the agent of process 1"), "{}", ends.reason);
    for worker in &mut workers {
        assert!(matches!(worker.next().await, Some(Hear::Stop(_))));
    }
    assert_eq!((door.status().await.generation, door.status().await.members.len()), (0, 0));

    // A compute process whose agent is lost while others are waited for is no member either.
    let _waiting = FakeWorker::join(&door, FakeWorker::register(0, &[])).await.unwrap();
    assert_eq!(door.status().await.members.len(), 1);
    drop(first);
    wait_for("the member to go", async || door.status().await.members.is_empty()).await;
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_compute_process_ends_the_generation_and_the_agents_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 2).await;
    let (agents, [first, _second], generation) = two(&door).await;
    drop(first);
    for mut agent in agents {
        assert!(matches!(agent.next().await, Some(Told::Ends(ends)) if ends.generation == generation));
    }
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_agent_a_process_and_only_of_this_build_and_catalogue() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 2).await;
    let good = FakeAgent::enrol(1, "a");
    let _held = FakeAgent::attend(&door, good.clone()).await.unwrap();
    for (enrol, code, word) in [
        (v1::Enrol { process: 2, ..good.clone() }, Code::FailedPrecondition, "process 2"),
        (v1::Enrol { build: "0.0.1".into(), ..good.clone() }, Code::FailedPrecondition, "build 0.0.1"),
        (v1::Enrol { catalogue_fingerprint: 1, ..good.clone() }, Code::FailedPrecondition, "catalogue"),
        (v1::Enrol { agent: "other".into(), ..good.clone() }, Code::AlreadyExists, "agent a"),
    ] {
        let status = FakeAgent::attend(&door, enrol).await.err().expect(word);
        assert_eq!(status.code(), code);
        assert!(status.message().contains(word), "{status}");
    }
    // The same agent on another connection: it knows that the first one is lost.
    let again = FakeAgent::attend(&door, good.clone()).await.unwrap();
    drop(again);
    let other = v1::Enrol { agent: "other".into(), ..good };
    wait_for("the lease to be free", async || FakeAgent::attend(&door, other.clone()).await.is_ok()).await;
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_leaves_behind_a_checkpoint_and_several_behind_one() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 2).await;
    let cut = door.send_lines(&as_strs(&example("a-reference"))).await.epoch;
    let ([mut first, mut second], mut workers, _) = two(&door).await;
    for worker in &mut workers {
        worker.do_until(cut).await;
    }
    first.leave().await;
    for worker in &mut workers {
        assert!(matches!(worker.next().await, Some(Hear::Checkpoint(v1::Checkpoint { epoch })) if epoch == cut));
    }
    // While it is taken, more comes in, and the second one wants to leave as well.
    let last = door.send_lines(&as_strs(&example("c-split-package"))).await.epoch;
    second.leave().await;
    for worker in &mut workers {
        worker.do_until(last).await;
        worker.tell(Say::CheckpointDone(v1::CheckpointDone { epoch: cut, bytes: 1, error: String::new() })).await;
    }
    assert_eq!(first.next().await, Some(Told::MayLeave(v1::MayLeave { checkpoint_epoch: cut })));
    drop(first);
    // The generation is over: nothing more can be kept, and the second may leave too.
    let mut told = Vec::new();
    while told.len() < 2 {
        told.push(second.next().await.expect("it is told"));
    }
    assert!(told.contains(&Told::MayLeave(v1::MayLeave { checkpoint_epoch: 0 })), "{told:?}");
    assert_eq!(door.status().await.checkpoint_epoch, cut);

    // Nothing runs: nothing to wait for.
    let mut alone = FakeAgent::attend(&door, FakeAgent::enrol(0, "c")).await.unwrap();
    alone.leave().await;
    assert_eq!(alone.next().await, Some(Told::MayLeave(v1::MayLeave { checkpoint_epoch: 0 })));
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_agent_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    let enrol = FakeAgent::enrol(0, "a");
    let begun = std::time::Instant::now();
    let mut silent = FakeAgent::attend(&door, enrol.clone()).await.unwrap();
    // It would say a beat a second; the coordinator goes on saying the pace until then.
    let ended = tokio::time::timeout(billwatch_coordinator::limits::LEASE * 2, async {
        while let Ok(Some(_)) = silent.hear.message().await {}
    });
    assert!(ended.await.is_ok() && begun.elapsed() >= billwatch_coordinator::limits::LEASE);
    FakeAgent::attend(&door, v1::Enrol { agent: "b".into(), ..enrol }).await.unwrap();
    door.close().await;
}
