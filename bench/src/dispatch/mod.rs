//! Sending: how many messages leave a second, alone and beside webhooks, how soon the first one leaves, and what a long list
//! costs.

mod list;

use std::time::{Duration, Instant};

use serde_json::json;

use crate::Result;
use crate::database::Kind;
use crate::options::Options;
use crate::payload::Facts;
use crate::posting::Posting;
use crate::report::{Aim, Table, say};
use crate::seed::{Loader, Story};
use crate::stage::{Site, Stage};
use crate::world::PHONE_NUMBER_ID;

/// How many lines send at once where the server is the limit.
const LINES: usize = 4;
/// Messages of one line in a round; a submission takes no more.
const MESSAGES: u64 = 10_000;
/// What webhooks tell beside it: WhatsApp's three statuses of each message.
const STATUSES_PER_SECOND: u64 = 3_000;

/// Sends in the making.
struct Sending {
    stage: Stage,
    /// What webhooks tell meanwhile.
    facts: Facts,
    /// How many phones were used so far: everybody is sent to once.
    used: u64,
}

/// What came of a round.
struct Sent {
    /// From the request to the first call.
    first: Duration,
    /// Calls a second, from the first to the last.
    per_second: f64,
}

/// Measures sending on a database of its own.
pub(crate) async fn run(kind: Kind, options: &Options, table: &mut Table) -> Result<()> {
    let mut sending = Sending::set(kind, options).await?;
    let mut conversations = Vec::new();
    for number in 0..LINES {
        conversations.push(sending.conversation(number).await?);
    }
    let one: Vec<String> = conversations.iter().take(1).cloned().collect();
    let (mut alone, mut many, mut beside, mut first) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut late = Vec::new();
    for round in 0..options.rounds {
        let sent = sending.send(&one).await?;
        say(format!("  one line, round {round}: {:.0} messages/s, the first after {:?}", sent.per_second, sent.first));
        alone.push(sent.per_second);
        first.push(sent.first.as_secs_f64() * 1_000.0);
        let sent = sending.send(&conversations).await?;
        say(format!("  {LINES} lines, round {round}: {:.0} messages/s", sent.per_second));
        many.push(sent.per_second);
        let posting =
            Posting::start(sending.stage.server.address, std::slice::from_ref(&sending.facts), STATUSES_PER_SECOND);
        let sent = sending.send(&one).await?;
        let latencies = posting.stop().await?;
        let p99 = latencies.milliseconds(0.99);
        say(format!(
            "  beside {:.0} statuses/s, round {round}: {:.0} messages/s; posts p50 {:.0} ms, p99 {p99:.0} ms",
            latencies.per_second,
            sent.per_second,
            latencies.milliseconds(0.5)
        ));
        beside.push(sent.per_second);
        late.push(p99);
    }
    table.figure("messages a second, a line at 1,000", alone, Aim::AtLeast(950.0));
    table.figure("messages a second, four lines at 1,000 each", many, Aim::None);
    table.figure("messages a second beside 3,000 statuses a second", beside, Aim::AtLeast(950.0));
    table.figure("p99 of those webhooks, in milliseconds", late, Aim::AtMost(250.0));
    table.figure("from submission to first call, in milliseconds", first, Aim::None);
    list::run(&mut sending, &one, options, table).await?;
    sending.stage.strike(options).await
}

impl Sending {
    async fn set(kind: Kind, options: &Options) -> Result<Self> {
        let site = Site::make(kind).await?;
        let mut loader = Loader::new(&site.database.url).await?;
        let line = loader.line(site.workspace, PHONE_NUMBER_ID).await?;
        let facts = Facts::of(loader.version(site.workspace, line, options.ingest_users, Story::Accepted).await?);
        loader.analyze().await?;
        Ok(Self { stage: site.open().await?, facts, used: 0 })
    }

    /// A conversation on a line of its own.
    async fn conversation(&mut self, number: usize) -> Result<String> {
        let flow =
            json!({ "start": "hello", "steps": { "hello": { "template": { "name": "welcome", "language": "es" } } } });
        self.stage.conversation(&format!("bench{number}"), "OUTBOUND", flow).await
    }

    /// A phone that was not used before.
    const fn phone(&mut self) -> u64 {
        self.used += 1;
        573_000_000_000 + self.used
    }

    /// Sends to [`MESSAGES`] users of each conversation, and waits until the provider got all.
    async fn send(&mut self, conversations: &[String]) -> Result<Sent> {
        let before = self.stage.calls();
        let begin = Instant::now();
        for conversation in conversations {
            let users: Vec<_> = (0..MESSAGES).map(|_| json!({ "phone": format!("+{}", self.phone()) })).collect();
            let document =
                "mutation($input: SendConversationInput!) { sendConversation(input: $input) { send { id } } }";
            let input = json!({ "conversationId": conversation, "users": users });
            self.stage.ask(document, &json!({ "input": input })).await?;
        }
        let first = self.stage.reaches(before + 1).await?;
        let all = MESSAGES * u64::try_from(conversations.len())?;
        let last = self.stage.reaches(before + all).await?;
        #[expect(clippy::cast_precision_loss, reason = "no run has that many messages")]
        let per_second = (all - 1) as f64 / (last - first).as_secs_f64();
        Ok(Sent { first: first - begin, per_second })
    }
}
