//! What each token may spend: the cost of its operations, per minute.
//!
//! A token may spend a whole minute's worth at once, and gets it back evenly. What it has left is told in the headers that
//! the IETF's draft `RateLimit header fields for HTTP` describes.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_graphql::ServerError;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::error::Code;
use crate::domain::id::TokenId;

/// What a minute has, in seconds.
const WINDOW_SECONDS: u64 = 60;

/// From so many tokens on, those are forgotten that have all of theirs back; and again whenever there are twice as many.
const MANY_TOKENS: usize = 10_000;

/// The budgets of all tokens on this node.
pub(crate) struct Budgets {
    per_minute: NonZeroU32,
    limiter: RateLimiter<TokenId, HashMapStateStore<TokenId>, DefaultClock, StateInformationMiddleware>,
    /// How many tokens are too many to go on without forgetting some.
    too_many: AtomicUsize,
}

/// What is told of a token's budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    /// What may be spent in a minute.
    pub per_minute: u32,
    /// What is left of it.
    pub left: u32,
    /// How long to wait before the operation can be paid for, if it cannot now.
    pub wait: Option<Duration>,
}

impl Budgets {
    /// Budgets of so much per minute.
    pub(crate) fn new(per_minute: NonZeroU32) -> Self {
        let limiter = RateLimiter::hashmap(Quota::per_minute(per_minute)).with_middleware();
        Self { per_minute, limiter, too_many: AtomicUsize::new(MANY_TOKENS) }
    }

    /// Pays for an operation, if the token can.
    pub(crate) fn spend(&self, token: TokenId, cost: usize) -> Budget {
        self.forget();
        // Nothing is for free; and what costs more than a minute's worth costs just that.
        let cost = NonZeroU32::new(u32::try_from(cost).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN);
        let (cost, per_minute) = (cost.min(self.per_minute), self.per_minute.get());
        match self.limiter.check_key_n(&token, cost) {
            Ok(Ok(state)) => Budget { per_minute, left: state.remaining_burst_capacity(), wait: None },
            Ok(Err(not_until)) => {
                let wait = not_until.wait_time_from(DefaultClock::default().now());
                Budget { per_minute, left: 0, wait: Some(wait) }
            }
            // It cannot cost more than there is.
            Err(_) => Budget { per_minute, left: 0, wait: Some(Duration::from_secs(WINDOW_SECONDS)) },
        }
    }

    /// Forgets tokens that have spent nothing lately. That takes as long as there are tokens, and so is done rarely.
    fn forget(&self) {
        if self.limiter.len() > self.too_many.load(Ordering::Relaxed) {
            self.limiter.retain_recent();
            self.too_many.store(MANY_TOKENS.max(self.limiter.len() * 2), Ordering::Relaxed);
        }
    }
}

impl Budget {
    /// The error of an operation that cannot be paid for.
    pub(crate) fn refusal(self) -> Option<ServerError> {
        let wait = self.wait?;
        let message = format!(
            "The token has spent its {} of cost per minute; try again in {} seconds",
            self.per_minute,
            whole_seconds(wait)
        );
        let mut error = ServerError::new(message, None);
        Code::RateLimited.mark(&mut error);
        Some(error)
    }

    /// What is told in a response's head: names and values.
    pub(crate) fn headers(self) -> impl Iterator<Item = (&'static str, String)> {
        let reset = self.wait.map_or(WINDOW_SECONDS, whole_seconds);
        let policy = format!("\"cost\";q={};w={WINDOW_SECONDS}", self.per_minute);
        let state = format!("\"cost\";r={};t={reset}", self.left);
        let retry = self.wait.map(|wait| ("retry-after", whole_seconds(wait).to_string()));
        [("ratelimit-policy", policy), ("ratelimit", state)].into_iter().chain(retry)
    }
}

const fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::new_key;

    #[test]
    fn a_token_spends_its_own_budget_only() {
        let budgets = Budgets::new(NonZeroU32::new(100).unwrap());
        let (one, other) = (TokenId(new_key()), TokenId(new_key()));
        assert_eq!(budgets.spend(one, 60).left, 40);
        let refused = budgets.spend(one, 60);
        assert!(refused.wait.is_some() && refused.refusal().is_some());
        let headers: Vec<_> = refused.headers().collect();
        assert_eq!(headers[0], ("ratelimit-policy", "\"cost\";q=100;w=60".to_owned()));
        assert_eq!((headers[1].0, headers[2].0), ("ratelimit", "retry-after"));
        // A refusal costs nothing.
        assert_eq!(budgets.spend(one, 40).left, 0);
        assert_eq!(budgets.spend(other, 0).left, 99);
    }

    #[test]
    fn tokens_that_are_still_paying_are_remembered_however_many_there_are() {
        let budgets = Budgets::new(NonZeroU32::new(100).unwrap());
        let first = TokenId(new_key());
        budgets.spend(first, 100);
        for _ in 0..MANY_TOKENS * 2 {
            budgets.spend(TokenId(new_key()), 100);
        }
        assert!(budgets.limiter.len() > MANY_TOKENS && budgets.too_many.load(Ordering::Relaxed) > MANY_TOKENS);
        assert!(budgets.spend(first, 100).wait.is_some());
    }

    #[test]
    fn what_costs_more_than_a_minute_can_still_be_paid_for() {
        let budgets = Budgets::new(NonZeroU32::new(100).unwrap());
        let paid = budgets.spend(TokenId(new_key()), usize::MAX);
        assert_eq!((paid.left, paid.wait), (0, None));
        assert_eq!(paid.headers().count(), 2);
    }
}
