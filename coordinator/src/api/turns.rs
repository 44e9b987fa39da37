//! Calls that go one at a time: what one of them has tested must still hold when what it orders is known to all.
//!
//! A client may go in the middle of a call: its deadline passes, or its connection ends, and the server drops the call. What
//! the call has handed to the sequencer is written all the same, so the turn must last until that is known. Hence a call
//! waits for its turn in its own task, where it can be given up, and takes its turn in a task that nobody gives up.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::errors::{ApiError, internal};

/// Taken by one call at a time. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Turn(Arc<Mutex<()>>);

impl Turn {
    /// Waits until nobody else has the turn, then does the work to its end, also when the caller goes meanwhile.
    pub async fn take<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
    ) -> Result<T, ApiError> {
        let turn = self.0.clone().lock_owned().await;
        let task = tokio::spawn(async move {
            let _turn = turn;
            work.await
        });
        task.await.unwrap_or_else(|_| Err(internal("the call broke off: report it with the log of the coordinator")))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{sync::oneshot, time::timeout};

    use super::*;

    #[tokio::test]
    async fn the_turn_lasts_until_the_work_is_done_also_when_the_caller_has_gone() {
        let turn = Turn::default();
        let (release, held) = oneshot::channel::<()>();
        let first = turn.take(async move {
            drop(held.await);
            Ok(1)
        });
        assert!(timeout(Duration::from_millis(20), first).await.is_err());
        let second = turn.take(async { Ok(2) });
        assert!(timeout(Duration::from_millis(20), second).await.is_err(), "the first one has the turn still");
        drop(release);
        assert_eq!(turn.take(async { Ok(3) }).await, Ok(3));
    }
}
