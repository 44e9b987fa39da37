//! Limits of two crates that have to fit each other.

use billwatch_coordinator::limits as coordinator;
use billwatch_workers::limits as workers;

/// A worker thread never has more commands waiting than the coordinator may send: its answer to more is to end.
#[test]
fn a_worker_has_room_for_all_that_the_coordinator_may_send() {
    // Each subscription ends with a command, and as many may have begun while those wait.
    let ends = coordinator::WATCHES + coordinator::QUESTIONS_IN_FLIGHT;
    // A checkpoint, and the word that the one before is committed.
    let checkpoints = 2;
    let most = coordinator::QUESTIONS_IN_FLIGHT + ends + coordinator::EPOCHS_IN_FLIGHT_MOST as usize + checkpoints;
    assert!(most <= workers::COMMANDS_IN_FLIGHT, "{most}");
    assert!(most <= coordinator::WORKER_QUEUE, "{most}");
}
