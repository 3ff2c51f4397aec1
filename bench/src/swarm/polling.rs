//! The obvious alternative: clients that poll the metrics every second.

use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at};

use super::client::age;
use super::storm::{Outcome, Passed, Storm, query, resident};
use super::{Stage, Watched};
use crate::Result;
use crate::drive::{Connection, histogram};
use crate::options::Options;

/// How often a client polls.
const EVERY: Duration = Duration::from_secs(1);

/// Lets so many clients poll while facts arrive.
pub(super) async fn over(stage: &Stage, options: &Options, count: usize) -> Result<Outcome> {
    let end = Instant::now() + options.swarm_duration();
    let mut pollers = JoinSet::new();
    for (number, watched) in (0..u32::try_from(count)?).zip(stage.watched.iter().cycle()) {
        let connection = Connection::open(stage.server.address).await?;
        // Spread over the second, as clients that do not know each other are.
        let begin = Instant::now() + EVERY * (number * 7 % 1_000) / 1_000;
        pollers.spawn(poll(connection, watched.clone(), begin, end));
    }
    let storm = Storm::begin(stage, options.swarm_facts).await?;
    tokio::time::sleep_until(end).await;
    let Passed { elapsed, cpu, facts_per_second, transactions_per_second } = storm.end(stage).await?;
    let memory = resident(stage)?;
    let mut ages = histogram()?;
    while let Some(seen) = pollers.join_next().await {
        ages.add(seen??)?;
    }
    let frames = ages.len();
    Ok(Outcome { clients: count, elapsed, cpu, frames, ages, facts_per_second, transactions_per_second, memory })
}

/// What a client shows is as old as what it was told, and then a second older.
async fn poll(mut connection: Connection, watched: Watched, begin: Instant, end: Instant) -> Result<Histogram<u64>> {
    let (mut ages, mut ticks) = (histogram()?, interval_at(begin, EVERY));
    let query = query(&watched)?;
    while ticks.tick().await < end {
        let answer = connection.send(query.clone()).await?;
        let half_way = u64::try_from(EVERY.as_micros() / 2)?;
        ages.saturating_record(age(std::str::from_utf8(&answer)?).ok_or("an answer without a time")? + half_way);
    }
    Ok(ages)
}
