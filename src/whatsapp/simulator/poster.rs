//! Posts webhooks: a single task holds all that are waiting, and runs a bounded number of posts concurrently.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::agenda::{Agenda, Posting};
use super::provider::Provider;
use super::update::body;
use crate::whatsapp::signature;

/// The task that posts webhooks.
pub(super) struct Poster {
    provider: Arc<Provider>,
    http: Client,
    postings: mpsc::Receiver<Vec<Posting>>,
    agenda: Agenda,
    under_way: JoinSet<(Posting, bool)>,
}

impl Poster {
    pub(super) fn new(provider: Arc<Provider>, http: Client, postings: mpsc::Receiver<Vec<Posting>>) -> Self {
        Self { provider, http, postings, agenda: Agenda::default(), under_way: JoinSet::new() }
    }

    /// Posts each update when it is due, until `stopping`. Updates that are waiting then are dropped.
    pub(super) async fn run(mut self, stopping: CancellationToken) {
        loop {
            self.post_due();
            let due = self.agenda.next_due().filter(|_| self.has_room());
            tokio::select! {
                () = stopping.cancelled() => return self.under_way.shutdown().await,
                Some(postings) = self.postings.recv() => postings.into_iter().for_each(|one| self.agenda.add(one)),
                Some(ended) = self.under_way.join_next() => self.settle(ended),
                () = until(due), if due.is_some() => {}
            }
        }
    }

    fn post_due(&mut self) {
        let now = Instant::now();
        while self.has_room()
            && let Some(posting) = self.agenda.take_due(now, self.provider.settings.webhooks.updates_per_post)
        {
            // What is posted again was written before.
            if posting.failed == 0 {
                self.provider.hear(&posting.updates, now);
            }
            self.under_way.spawn(post(self.http.clone(), self.provider.clone(), posting));
        }
    }

    fn has_room(&self) -> bool {
        self.under_way.len() < self.provider.settings.webhooks.posts_at_once
    }

    fn settle(&mut self, ended: Result<(Posting, bool), JoinError>) {
        let Ok((posting, taken)) = ended else { return };
        let count = posting.updates.len();
        let again = if taken { None } else { self.again(posting) };
        let given_up = !taken && again.is_none();
        self.count(count, taken, given_up);
        match again {
            Some(again) => self.agenda.add(again),
            None => self.provider.done(count),
        }
    }

    fn count(&self, updates: usize, taken: bool, given_up: bool) {
        let updates = u64::try_from(updates).unwrap_or(u64::MAX);
        let counters = &mut self.provider.record().counters;
        counters.posted += u64::from(taken);
        counters.failed_posts += u64::from(!taken);
        counters.updates += if taken { updates } else { 0 };
        counters.given_up += if given_up { updates } else { 0 };
    }

    /// The next attempt at a posting that failed; `None` after the last attempt.
    fn again(&self, posting: Posting) -> Option<Posting> {
        let settings = &self.provider.settings;
        let wait = settings.real(settings.webhooks.first_retry).saturating_mul(2_u32.saturating_pow(posting.failed));
        let failed = posting.failed + 1;
        let due = Instant::now() + wait.min(MAX_WAIT);
        (failed < settings.webhooks.attempts).then_some(Posting { due, failed, ..posting })
    }
}

/// The longest delay between two attempts.
const MAX_WAIT: Duration = Duration::from_hours(1);

/// Waits until `due`; forever if there is none.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Posts updates once. Returns whether they were answered with 200.
async fn post(http: Client, provider: Arc<Provider>, posting: Posting) -> (Posting, bool) {
    let settings = &provider.settings;
    let body = body(&posting.updates);
    let signature = signature::sign(settings.app_secret.expose(), body.as_bytes()).unwrap_or_default();
    let request = http
        .post(settings.webhook_url.as_deref().unwrap_or_default())
        .header(CONTENT_TYPE, "application/json")
        .header(signature::HEADER, signature)
        .body(body);
    let answer = request.send().await;
    let taken = answer.is_ok_and(|answer| answer.status() == StatusCode::OK);
    (posting, taken)
}
