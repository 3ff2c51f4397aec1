//! Queries, each against the limit, and at several sizes and depths.

use serde_json::Value;
use uuid::Uuid;

use crate::Result;
use crate::compare::{Contender, alternate, costs};
use crate::database::rows;
use crate::drive::{Connection, Load, repeated};
use crate::options::Options;
use crate::process::Server;
use crate::report::{Aim, Table};
use crate::requests::{self, Question, Request};
use crate::seed::Loaded;
use crate::world::World;

/// What each read is to reach of the limit's throughput per CPU second.
const OF_THE_LIMIT: Aim = Aim::AtLeast(0.6);

/// How many users' histories are asked for in turn.
const HISTORIES: u64 = 1_000;

/// Measures all reads.
pub(crate) async fn run(world: &World, options: &Options, table: &mut Table) -> Result<()> {
    metrics(world, options, table).await?;
    conversations(world, options, table).await?;
    users(world, options, table).await?;
    history(world, options, table).await
}

async fn metrics(world: &World, options: &Options, table: &mut Table) -> Result<()> {
    let mut contenders = Vec::new();
    let mut limit = None;
    for &size in &world.sizes {
        let question = requests::metrics(&world.large.token, size)?;
        same(world, &question).await?;
        contenders.push(ours(world, options, format!("metrics, {}", users_of(size)), repeated(vec![question.graphql])));
        limit = Some(question.limit);
    }
    let largest = world.largest()?;
    let counted = requests::counted(largest)?;
    let (at_least, at_most) = (contenders.len(), contenders.len() + 1);
    let limit = repeated(limit.into_iter().collect());
    contenders.push(limits(world, options, format!("metrics, {}: limit", users_of(largest)), limit));
    let name = format!("metrics, {}: counted by the limit", users_of(largest));
    contenders.push(limits(world, options, name, repeated(vec![counted])));
    let all = alternate(&contenders, options, true).await?;
    add(table, &contenders, &all);
    if let (Some(small), Some(large)) = (all.first(), all.get(at_least - 1)) {
        table.ratio("metrics, cost at the largest ÷ at the smallest", costs(large, small), Aim::AtMost(1.2));
        if let (Some(limit), Some(counted)) = (all.get(at_least), all.get(at_most)) {
            table.ratio("metrics, limit's cost ÷ ours", costs(limit, large), OF_THE_LIMIT);
            table.ratio("metrics, cost of counting ÷ ours", costs(counted, large), Aim::AtLeast(300.0));
        }
    }
    Ok(())
}

async fn conversations(world: &World, options: &Options, table: &mut Table) -> Result<()> {
    let question = requests::conversations(&world.listed.token, world.listed.id)?;
    same(world, &question).await?;
    let name = "50 conversations with metrics";
    pair(world, options, table, name, vec![question]).await
}

async fn users(world: &World, options: &Options, table: &mut Table) -> Result<()> {
    let largest = world.largest()?;
    let depth = largest.users * 2 / 5;
    let token = &world.large.token;
    let first = requests::users(token, largest, None)?;
    let deep = requests::users(token, largest, Some(place(world, largest, depth).await?))?;
    let small = requests::users(token, *world.sizes.first().ok_or("--users names no size")?, None)?;
    for question in [&first, &deep, &small] {
        same(world, question).await?;
    }
    let name = |which: &str| format!("50 users by status with totalCount, variables, history{which}");
    let load = |request: Request| repeated(vec![request]);
    let contenders = [
        ours(world, options, name(""), load(first.graphql)),
        ours(world, options, name(&format!(", {depth} rows deep")), load(deep.graphql)),
        limits(world, options, name(": limit"), load(first.limit)),
        limits(world, options, name(&format!(", {depth} rows deep: limit")), load(deep.limit)),
        ours(world, options, name(", smallest version"), load(small.graphql)),
    ];
    let all = alternate(&contenders, options, true).await?;
    add(table, &contenders, &all);
    if let [first, deep, first_limit, deep_limit, _] = all.as_slice() {
        table.ratio("50 users, cost deep ÷ first", costs(deep, first), Aim::AtMost(1.2));
        table.ratio("50 users, limit's cost ÷ ours", costs(first_limit, first), OF_THE_LIMIT);
        table.ratio("50 users deep, limit's cost ÷ ours", costs(deep_limit, deep), OF_THE_LIMIT);
    }
    Ok(())
}

async fn history(world: &World, options: &Options, table: &mut Table) -> Result<()> {
    let largest = world.largest()?;
    let mut questions = Vec::new();
    for n in 0..HISTORIES.min(largest.users) {
        questions.push(requests::history(&world.large.token, largest.user(n * (largest.users / HISTORIES).max(1)))?);
    }
    for question in questions.iter().take(50) {
        same(world, question).await?;
    }
    pair(world, options, table, "one user's history", questions).await
}

/// Measures one question against the limit.
async fn pair(world: &World, options: &Options, table: &mut Table, name: &str, questions: Vec<Question>) -> Result<()> {
    let (graphql, limit) = questions.into_iter().map(|question| (question.graphql, question.limit)).unzip();
    let contenders = [
        ours(world, options, name.to_owned(), repeated(graphql)),
        limits(world, options, format!("{name}: limit"), repeated(limit)),
    ];
    let all = alternate(&contenders, options, true).await?;
    add(table, &contenders, &all);
    if let [ours, limit] = all.as_slice() {
        table.ratio(&format!("{name}, limit's cost ÷ ours"), costs(limit, ours), OF_THE_LIMIT);
    }
    Ok(())
}

fn ours<'a>(world: &'a World, options: &Options, name: String, load: Load) -> Contender<'a> {
    Contender { name, server: &world.bluetick, load, concurrency: options.concurrency }
}

fn limits<'a>(world: &'a World, options: &Options, name: String, load: Load) -> Contender<'a> {
    Contender { name, server: &world.limit, load, concurrency: options.concurrency }
}

fn add(table: &mut Table, contenders: &[Contender<'_>], all: &[Vec<crate::drive::Slice>]) {
    for (contender, slices) in contenders.iter().zip(all) {
        table.add(&contender.name, slices, 1.0);
    }
}

fn users_of(version: Loaded) -> String {
    format!("{} users", version.users)
}

/// Fails unless both answer the same; what it cost is told by one of them only.
async fn same(world: &World, question: &Question) -> Result<()> {
    let (ours, limit) = (ask(&world.bluetick, &question.graphql).await?, ask(&world.limit, &question.limit).await?);
    if ours.get("data") == limit.get("data") {
        return Ok(());
    }
    Err(format!("the answers differ:\nBluetick: {ours}\nlimit: {limit}").into())
}

async fn ask(server: &Server, request: &Request) -> Result<Value> {
    let answer = Connection::open(server.address).await?.send(request.clone()).await?;
    Ok(serde_json::from_slice(&answer)?)
}

/// The place of the row that stands so deep in the list of users who have read.
async fn place(world: &World, version: Loaded, depth: u64) -> Result<(i64, Uuid)> {
    const SQL: &str = "SELECT deployed_at, id FROM users WHERE version_id = $1 AND status = 5 \
                       ORDER BY deployed_at DESC, id DESC LIMIT 1 OFFSET $2";
    let (version, depth) = (version.version().0, i64::try_from(depth)?);
    let places: Vec<(i64, Uuid)> = rows!(&world.pool, SQL, [version, depth], SQL, [version, depth])?;
    places.first().copied().ok_or_else(|| "the list is not that long".into())
}
