//! Work that the background does again and again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// When work is to be done again: at once, after each interval, and when somebody asks for it; until the shutdown.
pub struct Rounds {
    ticks: Interval,
    nudge: Arc<Notify>,
    shutdown: CancellationToken,
}

impl Rounds {
    /// A round at once, and one after each interval. After a round that took long there is a whole interval again.
    pub fn every(period: Duration, shutdown: CancellationToken) -> Self {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ticks, nudge: Arc::default(), shutdown }
    }

    /// A round also whenever this is notified.
    #[must_use]
    pub fn and_when(self, nudge: Arc<Notify>) -> Self {
        Self { nudge, ..self }
    }

    /// Waits for the next round; `false` once there are no more.
    pub async fn next(&mut self) -> bool {
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => false,
            _ = self.ticks.tick() => true,
            () = self.nudge.notified() => true,
        }
    }

    /// Does work that need not be finished: the shutdown breaks it off.
    pub async fn unless_ended(&self, work: impl Future<Output = ()>) {
        self.shutdown.run_until_cancelled(work).await;
    }

    /// Whether there are no more rounds.
    pub fn are_over(&self) -> bool {
        self.shutdown.is_cancelled()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_round_begins_at_once_and_when_asked_for() {
        let (nudge, shutdown) = (Arc::<Notify>::default(), CancellationToken::new());
        let mut rounds = Rounds::every(Duration::from_hours(1), shutdown.clone()).and_when(Arc::clone(&nudge));
        assert!(rounds.next().await);
        nudge.notify_one();
        assert!(rounds.next().await && !rounds.are_over());
        nudge.notify_one();
        shutdown.cancel();
        assert!(!rounds.next().await && rounds.are_over());
        rounds.unless_ended(std::future::pending()).await;
    }
}
