//! Sends and batches of facts, written and recounted.

use std::sync::Arc;
use std::time::Duration;

use entity::contacts;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::on_both_databases;
use super::seed::Seed;
use crate::domain::book::Applied;
use crate::domain::clock::Timestamp;
use crate::domain::contact::ContactKey;
use crate::domain::conversation::{Conversation, Direction, Version};
use crate::domain::fact::{Content, Fact, MessageFact, MessageName, Person, StatusFact, Target};
use crate::domain::failure::{FailureReason, ProviderFailure};
use crate::domain::id::{LineId, MessageId, new_key};
use crate::domain::merge::{MessageFacts, VariableValue, Variables};
use crate::domain::message::{MessageKind, Sender};
use crate::domain::opening::Opening;
use crate::domain::phone::Phone;
use crate::domain::preference::{Preference, PreferenceWords};
use crate::domain::send::Send;
use crate::domain::standing::DeploymentStatus;
use crate::storage::flows::Flows;
use crate::storage::parked::Parking;
use crate::storage::record::{Batch, Offered, Rules, batch};
use crate::storage::sends::Order;
use crate::storage::sends::submit::{NewRecipient, NewSend, Submitted, submit};
use crate::storage::{Database, Tenant, conversations, leases, metrics, outbox, verify};

on_both_databases!(
    a_send_is_stored_once_for_its_key,
    facts_move_users_and_tally_alike,
    a_status_waits_for_the_message_that_it_names,
    a_message_of_nobody_else_begins_the_inbound_conversation,
    what_contacts_say_about_being_written_to_is_stored_alike_in_any_order,
    a_reply_is_announced_while_it_is_claimed,
);

fn rules() -> Rules {
    let words = PreferenceWords::new(&["stop".to_owned()], &["start".to_owned()]);
    let parking = Parking { messages: Duration::from_mins(10), others: Duration::from_hours(168) };
    Rules { parking, words: Arc::new(words), flows: Flows::default() }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + seconds).unwrap()
}

pub(super) async fn conversation(seed: &Seed, direction: Direction) -> (Conversation, Version) {
    conversation_with(seed, direction, "{}").await
}

async fn conversation_with(seed: &Seed, direction: Direction, flow: &str) -> (Conversation, Version) {
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
    let version = Version { id: version, conversation: id, number: 1, published_at: at(0), flow: flow.into() };
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

pub(super) async fn send(tenant: &Tenant, line: LineId, version: &Version, phones: &[&str], key: &str) -> Submitted {
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

pub(super) async fn record(tenant: &Tenant, facts: Vec<Fact>) -> Batch {
    let offered: Vec<_> = facts.into_iter().map(Offered::fresh).collect();
    batch(tenant, &offered, &rules(), at(100)).await.unwrap()
}

const LEASE: Duration = Duration::from_mins(1);

fn terms(seconds: i64) -> outbox::Terms {
    let now = at(seconds);
    outbox::Terms {
        now,
        lease: LEASE,
        limit: 100,
        last_turn: None,
        agents_since: now,
        blocked_since: now,
        daily_contacts: None,
    }
}

/// The messages waiting to be sent, claimed.
pub(super) async fn claimed(db: &Database, line: LineId) -> Vec<MessageId> {
    let lease = leases::take(db, line, new_key(), LEASE).await.unwrap().unwrap();
    let claim = outbox::claim(db, lease, terms(2)).await.unwrap().unwrap();
    leases::release(db, lease).await.unwrap();
    claim.messages.into_iter().map(|one| one.message).collect()
}

pub(super) fn status(name: MessageName, facts: MessageFacts) -> Fact {
    Fact::Status(StatusFact { of: Target::Message(name), facts, recipient: None })
}

fn person(wa_id: &str) -> Person {
    let key = ContactKey { phone: Phone::of_whatsapp_id(wa_id), wa_id: Some(wa_id.to_owned()), provider_user_id: None };
    Person { key, name: None }
}

pub(super) fn reply(line: LineId, wa_id: &str, id: &str, in_reply_to: Option<&str>, seconds: i64) -> Fact {
    Fact::Message(MessageFact {
        line,
        person: person(wa_id),
        sender: Sender::User,
        provider_message_id: id.to_owned(),
        in_reply_to: in_reply_to.map(str::to_owned),
        content: Content { at: at(seconds), kind: MessageKind::Text, text: Some("hola".into()), payload: None },
        referral: None,
    })
}

fn written(line: LineId, wa_id: &str, id: &str, text: &str, seconds: i64) -> Fact {
    let mut fact = reply(line, wa_id, id, None, seconds);
    if let Fact::Message(message) = &mut fact {
        message.content.text = Some(text.to_owned());
    }
    fact
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
    let mut facts: Vec<_> = ids.iter().map(|&message| Fact::Dispatched { message, at: at(2), epoch: 1 }).collect();
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
    batch(&seed.tenant, &waiting, &rules(), at(100)).await.unwrap();
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

async fn what_contacts_say_about_being_written_to_is_stored_alike_in_any_order(db: Database) {
    let (ana, bo) = ("573001234567", "573001234568");
    for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 4, 0, 3, 1]] {
        let seed = Seed::new(&db).await;
        let (_, version) = conversation(&seed, Direction::Outbound).await;
        send(&seed.tenant, seed.line, &version, &["+573001234567"], "a").await;
        let own = claimed(&db, seed.line).await.first().copied();
        let facts = [
            preference(ana, 20, true),
            written(seed.line, ana, "wamid.start", " Start", 30),
            failed(own, 131_050, 25),
            failed(own, 130_403, 26),
            preference(bo, 40, true),
        ];
        let told: Vec<_> = order.into_iter().filter_map(|place| facts.get(place).cloned()).collect();
        for fact in told.iter().chain(&told) {
            record(&seed.tenant, vec![fact.clone()]).await;
        }
        let stored = |seconds: i64| Some(at(seconds).micros());
        let expected = [(None, stored(30), stored(26)), (stored(40), stored(40), None)];
        assert_eq!(preferences(&seed).await, expected, "{order:?}");
        record(&seed.tenant, vec![written(seed.line, ana, "wamid.stop", "STOP", 30)]).await;
        assert_eq!(preferences(&seed).await.first(), Some(&(stored(30), stored(30), stored(26))));
        assert_sound(&db).await;
    }
}

async fn a_reply_is_announced_while_it_is_claimed(db: Database) {
    let seed = Seed::new(&db).await;
    let flow = r#"{ "start": "ask", "steps": { "ask": { "text": "Who are you?", "final": true } } }"#;
    conversation_with(&seed, Direction::Inbound, flow).await;
    let (ana, bo) = ("573001234567", "573001234568");
    let said = [ana, bo].map(|wa_id| reply(seed.line, wa_id, &format!("wamid.{wa_id}"), None, 99));
    record(&seed.tenant, said.into()).await;
    record(&seed.tenant, vec![preference(bo, 101, true)]).await;
    let lease = leases::take(&db, seed.line, new_key(), LEASE).await.unwrap().unwrap();
    let claim = outbox::claim(&db, lease, terms(102)).await.unwrap().unwrap();
    let (refused, sent): (Vec<_>, Vec<_>) = claim.messages.iter().partition(|one| one.refusal.is_some());
    assert_eq!((refused.len(), sent.len()), (1, 1), "{claim:?}");
    let (refused, sent) = (refused[0].message, sent[0].message);
    assert_eq!((announced(&db, refused).await, announced(&db, sent).await), (None, None));
    let ready = outbox::announce_replies(&db, lease, &[sent], at(102)).await.unwrap();
    assert_eq!((ready, announced(&db, sent).await), (vec![sent], Some(at(102).micros())));
    let requeued = outbox::Requeued { message: sent, due_at: at(103), attempt: 1 };
    outbox::requeue(&db, lease, &[requeued]).await.unwrap();
    assert_eq!(announced(&db, sent).await, None);
    assert!(outbox::announce_replies(&db, lease, &[sent], at(103)).await.unwrap().is_empty());
    let again = outbox::claim(&db, lease, terms(104)).await.unwrap().unwrap();
    assert_eq!(again.messages.iter().map(|one| (one.message, one.attempt)).collect::<Vec<_>>(), [(sent, 2)]);
}

/// When the call for a message was announced.
async fn announced(db: &Database, message: MessageId) -> Option<i64> {
    entity::outbox::Entity::find_by_id(message.0).one(db.reader()).await.unwrap().unwrap().announced_at
}

fn preference(wa_id: &str, seconds: i64, stopped: bool) -> Fact {
    Fact::Preference { person: person(wa_id), preference: Preference { at: at(seconds), stopped } }
}

fn failed(own: Option<MessageId>, code: i32, seconds: i64) -> Fact {
    let reason = FailureReason::of_provider_code(code);
    let failed = ProviderFailure { at: at(seconds), code: Some(code), reason, text: String::new() };
    status(MessageName { own, provider: None }, MessageFacts { failed: Some(failed), ..MessageFacts::default() })
}

/// What is stored of each contact: when it opted out, last said either, and was last named as blocked.
async fn preferences(seed: &Seed) -> Vec<(Option<i64>, Option<i64>, Option<i64>)> {
    let rows = contacts::Entity::find().filter(contacts::Column::WorkspaceId.eq(seed.workspace()));
    let rows = rows.order_by_asc(contacts::Column::Phone).all(seed.tenant.database().reader()).await.unwrap();
    rows.into_iter().map(|row| (row.opted_out_at, row.preference_at, row.blocked_at)).collect()
}
