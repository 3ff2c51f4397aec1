//! Facts in: grouped by Bluetick, and one commit each by the limit.

use crate::Result;
use crate::compare::{Contender, alternate};
use crate::drive::Slice;
use crate::options::Options;
use crate::payload::Facts;
use crate::report::{Aim, Table, say};
use crate::world::World;

/// Requests in flight that bring one fact, and those that bring many.
const IN_FLIGHT: (usize, usize) = (256, 16);

/// How many many are.
const MANY: u32 = 100;

/// Measures the facts acknowledged.
pub(crate) async fn run(world: &World, options: &Options, table: &mut Table) -> Result<()> {
    let (facts, alone) = (Facts::of(world.ingest), Facts::of(world.ingest_alone));
    let contenders = [
        Contender {
            name: "facts, one a request, 256 in flight".to_owned(),
            server: &world.bluetick,
            load: facts.load("/webhooks/whatsapp", 1),
            concurrency: IN_FLIGHT.0,
        },
        Contender {
            name: "facts, one commit each, 256 in flight: by hand".to_owned(),
            server: &world.limit,
            load: alone.load("/facts", 1),
            concurrency: IN_FLIGHT.0,
        },
        Contender {
            name: "facts, 100 a request, 16 in flight".to_owned(),
            server: &world.bluetick,
            load: facts.load("/webhooks/whatsapp", MANY.into()),
            concurrency: IN_FLIGHT.1,
        },
    ];
    let all = alternate(&contenders, options, true).await?;
    if facts.used_up() || alone.used_up() {
        say("Facts were used up, so some requests brought no news: give more --ingest-users");
    }
    let each = [1.0, 1.0, f64::from(MANY)];
    for ((contender, slices), each) in contenders.iter().zip(&all).zip(each) {
        table.add(&contender.name, slices, each);
    }
    if let [grouped, alone, many] = all.as_slice() {
        let rates = |of: &[Slice], each: f64| -> Vec<f64> {
            of.iter().zip(alone).map(|(of, alone)| of.per_second() * each / alone.per_second()).collect()
        };
        table.ratio("facts a second, grouped ÷ one commit each", rates(grouped, 1.0), Aim::AtLeast(20.0));
        table.ratio("facts a second, 100 a request ÷ one commit each", rates(many, f64::from(MANY)), Aim::None);
    }
    Ok(())
}
