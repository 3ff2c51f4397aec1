//! Sends and batches of facts, written and recounted.

use std::time::Duration;

use super::on_both_databases;
use super::seed::Seed;
use crate::domain::book::Applied;
use crate::domain::clock::Timestamp;
use crate::domain::contact::ContactKey;
use crate::domain::conversation::{Conversation, Direction, Version};
use crate::domain::fact::{Content, Fact, MessageFact, MessageName, Person, StatusFact, Target};
use crate::domain::id::{LineId, MessageId, new_key};
use crate::domain::merge::{MessageFacts, VariableValue, Variables};
use crate::domain::message::{MessageKind, Sender};
use crate::domain::opening::Opening;
use crate::domain::phone::Phone;
use crate::domain::send::Send;
use crate::domain::standing::DeploymentStatus;
use crate::storage::parked::Parking;
use crate::storage::record::{Batch, Offered, batch};
use crate::storage::sends::Order;
use crate::storage::sends::submit::{NewRecipient, NewSend, Submitted, submit};
use crate::storage::{Database, Tenant, conversations, metrics, outbox, verify};

on_both_databases!(
    a_send_is_stored_once_for_its_key,
    facts_move_users_and_tally_alike,
    a_status_waits_for_the_message_that_it_names,
    a_message_of_nobody_else_begins_the_inbound_conversation,
);

const PARKING: Parking = Parking { messages: Duration::from_mins(10), others: Duration::from_hours(168) };

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + seconds).unwrap()
}

async fn conversation(seed: &Seed, direction: Direction) -> (Conversation, Version) {
    let (id, version) = (new_key().into(), new_key().into());
    let conversation = Conversation {
        id,
        line: seed.line,
        name: "Welcome".into(),
        direction,
        created_at: at(0),
        archived_at: None,
        current_version: version,
    };
    let version = Version { id: version, conversation: id, number: 1, published_at: at(0), flow: "{}".into() };
    conversations::create(&seed.tenant, &conversation, &version).await.unwrap();
    (conversation, version)
}

fn recipient(phone: &str) -> NewRecipient {
    let value = VariableValue { at: at(1), value: "Ana".into() };
    NewRecipient {
        phone: Phone::read(phone, None).unwrap(),
        variables: Variables::from([("name".to_owned(), value)]),
        opening: Opening {
            template: Some(r#"{"name":"welcome","language":"es","parameters":[]}"#.into()),
            own_failure: None,
        },
    }
}

async fn send(tenant: &Tenant, line: LineId, version: &Version, phones: &[&str], key: &str) -> Submitted {
    let send = Send {
        id: new_key().into(),
        conversation: version.conversation,
        version: version.id,
        total_users: i32::try_from(phones.len()).unwrap(),
        created_at: at(1),
        scheduled_at: None,
        completed_at: None,
        canceled_at: None,
        paused_at: None,
        preparing: false,
        time_to_live: None,
        retry_of: None,
    };
    let idempotency = Some((key.to_owned(), format!("{phones:?}")));
    let recipients = phones.iter().map(|phone| recipient(phone)).collect();
    let order = Order { send: send.id, version: send.version, line, time_to_live: Duration::from_hours(24) };
    submit(tenant, NewSend { send, order, idempotency, recipients }, at(1)).await.unwrap()
}

async fn record(tenant: &Tenant, facts: Vec<Fact>) -> Batch {
    let offered: Vec<_> = facts.into_iter().map(Offered::fresh).collect();
    batch(tenant, &offered, PARKING, at(100)).await.unwrap()
}

/// The messages waiting to be sent, claimed.
async fn claimed(db: &Database, line: LineId) -> Vec<MessageId> {
    let lease = outbox::lease(db, line, new_key(), at(2), at(9)).await.unwrap().unwrap();
    let claimed = outbox::claim(db, lease, at(2), 100).await.unwrap();
    outbox::release(db, lease).await.unwrap();
    claimed.into_iter().map(|one| one.message).collect()
}

fn status(name: MessageName, facts: MessageFacts) -> Fact {
    Fact::Status(StatusFact { of: Target::Message(name), facts, recipient: None })
}

fn reply(line: LineId, wa_id: &str, id: &str, in_reply_to: Option<&str>, seconds: i64) -> Fact {
    let key = ContactKey { phone: Phone::of_whatsapp_id(wa_id), wa_id: Some(wa_id.to_owned()), provider_user_id: None };
    Fact::Message(MessageFact {
        line,
        person: Person { key, name: None },
        sender: Sender::User,
        provider_message_id: id.to_owned(),
        in_reply_to: in_reply_to.map(str::to_owned),
        content: Content { at: at(seconds), kind: MessageKind::Text, text: Some("hola".into()), payload: None },
    })
}

async fn assert_sound(db: &Database) {
    let found = verify::run(db, |_| {}).await.unwrap();
    assert_eq!(found.differences, []);
}

async fn a_send_is_stored_once_for_its_key(db: Database) {
    let seed = Seed::new(&db).await;
    let (_, version) = conversation(&seed, Direction::Outbound).await;
    let phones = ["+573001234567", "+573001234568"];
    let (one, two) = tokio::join!(
        send(&seed.tenant, seed.line, &version, &phones, "key"),
        send(&seed.tenant, seed.line, &version, &phones, "key")
    );
    let stored = [&one, &two].into_iter().filter(|one| matches!(one, Submitted::Stored { .. })).count();
    let repeated = [&one, &two].into_iter().filter(|one| matches!(one, Submitted::Repeated(_))).count();
    assert_eq!((stored, repeated), (1, 1), "{one:?} {two:?}");
    assert_eq!(send(&seed.tenant, seed.line, &version, &phones[..1], "key").await, Submitted::KeyTaken);
    assert_eq!(claimed(&db, seed.line).await.len(), 2);
    assert_sound(&db).await;
}

async fn facts_move_users_and_tally_alike(db: Database) {
    let seed = Seed::new(&db).await;
    let (_, version) = conversation(&seed, Direction::Outbound).await;
    send(&seed.tenant, seed.line, &version, &["+573001234567", "+573001234568"], "a").await;
    let ids = claimed(&db, seed.line).await;
    let mut facts: Vec<_> = ids.iter().map(|&message| Fact::Dispatched { message, at: at(2) }).collect();
    for (place, &own) in ids.iter().enumerate() {
        let name = MessageName { own: Some(own), provider: Some(format!("wamid.{place}")) };
        facts.push(status(name, MessageFacts { sent: Some(at(3)), ..MessageFacts::default() }));
    }
    facts.push(reply(seed.line, "573001234567", "wamid.r", Some("wamid.0"), 5));
    let applied = record(&seed.tenant, facts).await.applied;
    assert!(applied.iter().all(|one| *one == Applied::Merged), "{applied:?}");
    let metrics = metrics::find_many(&seed.tenant, &[version.id]).await.unwrap().remove(&version.id).unwrap();
    assert_eq!((metrics.total_users(), metrics.responses()), (2, 1));
    assert_eq!(metrics.tally().with_status(DeploymentStatus::Sent), 1);
    assert_eq!(metrics.tally().with_status(DeploymentStatus::Delivered), 1);
    assert_sound(&db).await;
}

async fn a_status_waits_for_the_message_that_it_names(db: Database) {
    let seed = Seed::new(&db).await;
    let (_, version) = conversation(&seed, Direction::Outbound).await;
    send(&seed.tenant, seed.line, &version, &["+573001234567"], "a").await;
    let own = claimed(&db, seed.line).await.first().copied();
    let provider = || Some("wamid.late".to_owned());
    let read = MessageFacts { read: Some(at(9)), ..MessageFacts::default() };
    let early = record(&seed.tenant, vec![status(MessageName { own: None, provider: provider() }, read)]).await;
    assert_eq!(early.applied, [Applied::Waits("wamid.late".into())]);
    let accepted = MessageFacts { accepted: Some(at(3)), ..MessageFacts::default() };
    let batch_done = record(&seed.tenant, vec![status(MessageName { own, provider: provider() }, accepted)]).await;
    assert_eq!(batch_done.known, ["wamid.late"]);
    let waiting = crate::storage::parked::waiting_for(&seed.tenant, &batch_done.known).await.unwrap();
    batch(&seed.tenant, &waiting, PARKING, at(100)).await.unwrap();
    let metrics = metrics::find_many(&seed.tenant, &[version.id]).await.unwrap().remove(&version.id).unwrap();
    assert_eq!(metrics.read(), 1);
    let left = crate::storage::parked::waiting_for(&seed.tenant, &batch_done.known).await.unwrap();
    assert!(left.is_empty());
    assert_sound(&db).await;
}

async fn a_message_of_nobody_else_begins_the_inbound_conversation(db: Database) {
    let seed = Seed::new(&db).await;
    let (_, version) = conversation(&seed, Direction::Inbound).await;
    for (id, seconds) in [("wamid.b", 20), ("wamid.a", 10), ("wamid.b", 20)] {
        record(&seed.tenant, vec![reply(seed.line, "573001234567", id, None, seconds)]).await;
    }
    let metrics = metrics::find_many(&seed.tenant, &[version.id]).await.unwrap().remove(&version.id).unwrap();
    assert_eq!((metrics.total_users(), metrics.responses(), metrics.head().total_deployments), (1, 0, 1));
    assert_sound(&db).await;
}
