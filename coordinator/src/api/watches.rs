//! Subscriptions: what all streams that follow something share. How many there may be, and how they end.

use std::{future::Future, sync::Arc};

use tokio::sync::{Semaphore, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status};

use super::errors::{ApiError, busy, not_serving};
use crate::{limits, server::ended};

/// What a subscriber reads.
pub type Watched<T> = ReceiverStream<Result<T, Status>>;
/// Where a subscription writes; a failed send: nobody listens any more.
pub type Answers<T> = mpsc::Sender<Result<T, Status>>;

/// The subscriptions of one service. Cheap to clone.
#[derive(Clone)]
pub struct Watches {
    /// Subscriptions at once.
    places: Arc<Semaphore>,
    /// True once the coordinator ends.
    ending: watch::Receiver<bool>,
}

impl Watches {
    /// None yet.
    pub fn new(ending: watch::Receiver<bool>) -> Self {
        Watches { places: Arc::new(Semaphore::new(limits::WATCHES)), ending }
    }

    /// Runs a subscription until it ends, nobody listens, or the coordinator ends; why it ended is the last that is told.
    pub fn begin<T, R>(&self, run: impl FnOnce(Answers<T>) -> R) -> Result<Response<Watched<T>>, Status>
    where
        T: Send + 'static,
        R: Future<Output = Result<(), ApiError>> + Send + 'static,
    {
        let place = self.places.clone().try_acquire_owned().map_err(|_| busy("subscriptions", limits::WATCHES))?;
        let (answers, responses) = mpsc::channel(limits::FEED_AHEAD);
        let (running, ending) = (run(answers.clone()), self.ending.clone());
        tokio::spawn(async move {
            let _place = place;
            let ended = tokio::select! {
                ended = running => ended,
                () = answers.closed() => return,
                () = ended(ending) => Err(not_serving("the coordinator is ending")),
            };
            if let Err(error) = ended {
                let _ = answers.send(Err(error.into())).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(responses)))
    }
}
