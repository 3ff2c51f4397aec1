//! Webhooks of every type as the provider documents them, and odd ones of every sort.

use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{MalformedWebhook, parse, reason};
use crate::domain::clock::Timestamp;
use crate::domain::fact::{Fact, Kept, MessageFact, MessageName, StatusFact, Target};
use crate::domain::failure::{FailureReason, ProviderFailure};
use crate::domain::id::{LineId, MessageId};
use crate::domain::inbound::Referral;
use crate::domain::input::{MAX_JSON_BYTES, MAX_TEXT_BYTES};
use crate::domain::merge::MessageFacts;
use crate::domain::message::{MessageKind, Sender};
use crate::domain::phone::Phone;
use crate::domain::preference::Preference;

const LINE: LineId = LineId(Uuid::from_u128(7));
const SECOND: i64 = 1_790_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(second).unwrap()
}

fn change(value: &Value) -> Value {
    let mut value = value.clone();
    value["messaging_product"] = json!("whatsapp");
    value["metadata"] = json!({"display_phone_number": "15550001111", "phone_number_id": "106540352242922"});
    json!({"field": "messages", "value": value})
}

fn webhook(changes: &[Value]) -> String {
    let entry = json!({"id": "102290129340398", "changes": changes});
    json!({"object": "whatsapp_business_account", "entry": [entry]}).to_string()
}

fn facts_of(body: &str) -> Vec<Fact> {
    let updates = parse(body.as_bytes()).unwrap();
    updates.into_iter().flat_map(|updates| updates.facts(LINE, at(SECOND + 300))).collect()
}

fn facts(value: &Value) -> Vec<Fact> {
    facts_of(&webhook(&[change(value)]))
}

fn only<T>(mut items: Vec<T>) -> T {
    assert_eq!(items.len(), 1);
    items.remove(0)
}

/// The fact of one status; `fields` overwrite those of a plain one.
fn status_fact(fields: &Value) -> Fact {
    let mut status = json!({
        "id": "wamid.HBgM", "status": "sent", "timestamp": SECOND.to_string(), "recipient_id": "573001234567",
        "recipient_user_id": "CO.13491208655302741918",
        "biz_opaque_callback_data": "msg_00000000000000000000000000000005",
        "pricing": {"billable": true, "pricing_model": "PMP", "type": "regular", "category": "marketing"},
    });
    overwrite(&mut status, fields);
    let contacts = json!([{"profile": {"name": "Ana"}, "wa_id": "573001234567", "user_id": "CO.13491208655302741918"}]);
    only(facts(&json!({"contacts": contacts, "statuses": [status]})))
}

fn status(fields: &Value) -> StatusFact {
    match status_fact(fields) {
        Fact::Status(fact) => fact,
        fact => panic!("{fact:?}"),
    }
}

/// The fact of one message; `fields` overwrite those of a message without content.
fn message_fact(fields: &Value) -> Fact {
    let mut message = json!({
        "from": "573001234567", "from_user_id": "CO.1349", "id": "wamid.IN", "timestamp": SECOND.to_string(),
    });
    overwrite(&mut message, fields);
    let contacts =
        json!([{"profile": {"name": "Ana", "username": "@ana"}, "wa_id": "573001234567", "user_id": "CO.1349"}]);
    only(facts(&json!({"contacts": contacts, "messages": [message]})))
}

fn message(fields: &Value) -> MessageFact {
    match message_fact(fields) {
        Fact::Message(fact) => fact,
        fact => panic!("{fact:?}"),
    }
}

fn kept(fact: Fact) -> (String, Value) {
    match fact {
        Fact::Kept(Kept { reason, payload }) => (reason, serde_json::from_str(&payload).unwrap()),
        fact => panic!("{fact:?}"),
    }
}

fn overwrite(object: &mut Value, fields: &Value) {
    for (name, value) in fields.as_object().unwrap() {
        object[name] = value.clone();
    }
}

fn says(fact: &MessageFact) -> (MessageKind, Option<&str>, Value) {
    let payload = fact.content.payload.as_deref().map(|payload| serde_json::from_str(payload).unwrap());
    (fact.content.kind, fact.content.text.as_deref(), payload.unwrap_or_default())
}

#[test]
fn a_status_names_its_message_and_its_recipient() {
    let fact = status(&json!({}));
    let own = Some(MessageId(Uuid::from_u128(5)));
    assert_eq!(fact.of, Target::Message(MessageName { own, provider: Some("wamid.HBgM".into()) }));
    let person = fact.recipient.unwrap();
    assert_eq!(person.key.phone, None);
    assert_eq!(person.key.wa_id.as_deref(), Some("573001234567"));
    assert_eq!(person.key.provider_user_id.as_deref(), Some("CO.13491208655302741918"));
    let name = person.name.unwrap();
    assert_eq!((name.name.as_str(), name.at), ("Ana", at(SECOND).floor_to_minute()));
}

#[test]
fn a_message_may_tell_what_it_was_referred_by() {
    let referral = |given: Value| message(&json!({"type": "text", "text": {"body": "Hi"}, "referral": given})).referral;
    let (id, url) = (Some("1234".to_owned()), Some("https://fb.me/ad".to_owned()));
    let given = json!({"source_id": "1234", "source_url": "https://fb.me/ad", "source_type": "ad", "headline": "Ad"});
    assert_eq!(referral(given), Some(Referral { source_id: id.clone(), source_url: url }));
    for other in [json!(7), json!(null), json!(""), json!("a\0b"), json!("a".repeat(2_049))] {
        let expected = Some(Referral { source_id: id.clone(), source_url: None });
        assert_eq!(referral(json!({"source_id": "1234", "source_url": other})), expected);
        assert_eq!(referral(json!({"source_id": other})), None);
    }
    assert_eq!(referral(json!([])), None);
    assert_eq!(message(&json!({"type": "text", "text": {"body": "Hi"}})).referral, None);
}

#[test]
fn each_status_is_a_time() {
    let time = Some(at(SECOND));
    let nothing = MessageFacts::default();
    for (word, facts) in [
        ("sent", MessageFacts { sent: time, ..nothing.clone() }),
        ("delivered", MessageFacts { delivered: time, ..nothing.clone() }),
        ("read", MessageFacts { read: time, ..nothing.clone() }),
        ("played", MessageFacts { read: time, ..nothing }),
    ] {
        assert_eq!(status(&json!({"status": word})).facts, facts, "{word}");
        assert_eq!(status(&json!({"status": word, "timestamp": SECOND})).facts, facts, "{word}");
    }
}

#[test]
fn a_failure_carries_code_reason_and_words() {
    let errors = json!([{
        "code": 131_049, "title": "Not delivered", "message": "Not delivered",
        "error_data": {"details": "Kept back to keep the ecosystem healthy."}, "href": "https://example.com",
    }]);
    let failure = status(&json!({"status": "failed", "errors": errors})).facts.failed.unwrap();
    let expected = ProviderFailure {
        at: at(SECOND),
        code: Some(131_049),
        reason: FailureReason::Withheld,
        text: "Kept back to keep the ecosystem healthy.".into(),
    };
    assert_eq!(failure, expected);
}

#[test]
fn a_failure_without_a_readable_code_is_still_one() {
    for errors in [json!(null), json!([]), json!(7), json!([{}]), json!(["x"]), json!([{"code": 99_999_999_999_i64}])] {
        let failure = status(&json!({"status": "failed", "errors": errors})).facts.failed.unwrap();
        assert_eq!((failure.code, failure.reason), (None, FailureReason::Other));
    }
}

#[test]
fn of_several_errors_the_least_with_a_code_counts_in_any_order() {
    let errors = [json!({"title": "no code"}), json!({"code": 131_026}), json!({"code": 131_000})];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let errors = order.map(|index: usize| errors[index].clone());
        let failure = status(&json!({"status": "failed", "errors": errors})).facts.failed.unwrap();
        assert_eq!(failure.code, Some(131_000));
    }
}

#[test]
fn callback_data_that_is_no_message_of_ours_is_ignored() {
    for data in [json!("campaign-7"), json!(7), json!("user_00000000000000000000000000000005"), json!(null)] {
        let fact = status(&json!({"biz_opaque_callback_data": data}));
        assert_eq!(fact.of, Target::provider("wamid.HBgM".into()));
    }
}

#[test]
fn a_status_of_a_hidden_number_has_the_users_id_alone() {
    let status = json!({"id": "wamid.A", "status": "read", "timestamp": SECOND, "recipient_user_id": "CO.9"});
    let Fact::Status(fact) = only(facts(&json!({"statuses": [status]}))) else { panic!() };
    let key = fact.recipient.unwrap().key;
    assert_eq!((key.wa_id, key.provider_user_id.as_deref()), (None, Some("CO.9")));

    let status = json!({"id": "wamid.A", "status": "failed", "timestamp": SECOND, "recipient_id": {"odd": 1}});
    let Fact::Status(fact) = only(facts(&json!({"statuses": [status]}))) else { panic!() };
    assert_eq!(fact.recipient, None);
}

#[test]
fn odd_statuses_are_kept_as_they_came() {
    for (fields, expected) in [
        (json!({"status": "deleted"}), reason::UNKNOWN_STATUS),
        (json!({"status": "warning"}), reason::UNKNOWN_STATUS),
        (json!({"status": 7}), reason::UNKNOWN_STATUS),
        (json!({"id": null}), reason::BAD_ID),
        (json!({"id": "a\u{0}b"}), reason::BAD_ID),
        (json!({"timestamp": null}), reason::BAD_TIMESTAMP),
        (json!({"timestamp": "yesterday"}), reason::BAD_TIMESTAMP),
        (json!({"timestamp": "1790000000000"}), reason::BAD_TIMESTAMP),
        (json!({"timestamp": -1}), reason::BAD_TIMESTAMP),
        (json!({"timestamp": SECOND + 301}), reason::TIME_AHEAD),
        (json!({"recipient_type": "group"}), reason::GROUP),
    ] {
        let (why, payload) = kept(status_fact(&fields));
        assert_eq!(why, expected, "{fields}");
        assert_eq!(payload["pricing"]["category"], "marketing");
    }
}

#[test]
fn a_text_is_the_users_and_names_its_writer() {
    let fact =
        message(&json!({"type": "text", "text": {"body": "Sí 😊"}, "context": {"from": "1555", "id": "wamid.OUT"}}));
    assert_eq!((fact.line, fact.sender), (LINE, Sender::User));
    assert_eq!((fact.provider_message_id.as_str(), fact.in_reply_to.as_deref()), ("wamid.IN", Some("wamid.OUT")));
    assert_eq!(says(&fact), (MessageKind::Text, Some("Sí 😊"), Value::Null));
    assert_eq!(fact.content.at, at(SECOND));
    assert_eq!(fact.person.key.phone.unwrap().as_str(), "+573001234567");
    assert_eq!(fact.person.key.wa_id.as_deref(), Some("573001234567"));
    assert_eq!(fact.person.key.provider_user_id.as_deref(), Some("CO.1349"));
    assert_eq!(fact.person.name.unwrap().name, "Ana");
}

#[test]
fn choices_have_their_title_as_text() {
    let button = json!({"payload": "YES", "text": "Yes, please"});
    let reply = json!({"id": "b1", "title": "Tomorrow"});
    let row = json!({"id": "r1", "title": "Cali", "description": "Valle"});
    let form = json!({"name": "flow", "body": "Sent", "response_json": "{\"size\": 7}"});
    for (fields, kind, text, payload) in [
        (json!({"type": "button", "button": button}), MessageKind::Button, "Yes, please", button),
        (
            json!({"type": "interactive", "interactive": {"type": "button_reply", "button_reply": reply}}),
            MessageKind::Button,
            "Tomorrow",
            reply,
        ),
        (
            json!({"type": "interactive", "interactive": {"type": "list_reply", "list_reply": row}}),
            MessageKind::List,
            "Cali",
            row,
        ),
        (
            json!({"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": form}}),
            MessageKind::Button,
            "Sent",
            form,
        ),
    ] {
        assert_eq!(says(&message(&fields)), (kind, Some(text), payload));
    }
}

#[test]
fn media_carry_their_caption_and_their_object() {
    for (word, kind) in [
        ("image", MessageKind::Image),
        ("video", MessageKind::Video),
        ("audio", MessageKind::Audio),
        ("document", MessageKind::Document),
        ("sticker", MessageKind::Sticker),
    ] {
        let media =
            json!({"id": "4490709327384033", "mime_type": "image/jpeg", "sha256": "29ed500f", "caption": "Look"});
        let fact = message(&json!({"type": word, word: media}));
        assert_eq!(says(&fact), (kind, Some("Look"), media));
        let fact = message(&json!({"type": word, word: {"id": "1"}}));
        assert_eq!(says(&fact), (kind, None, json!({"id": "1"})));
    }
}

#[test]
fn places_and_cards_carry_theirs() {
    let place = json!({"latitude": 3.421_000_000_000_000_3, "longitude": -76.5, "name": "Cali"});
    assert_eq!(says(&message(&json!({"type": "location", "location": place}))), (MessageKind::Location, None, place));
    let cards = json!([{"name": {"formatted_name": "Luis"}, "origin": "other"}]);
    assert_eq!(says(&message(&json!({"type": "contacts", "contacts": cards}))), (MessageKind::Contacts, None, cards));
}

#[test]
fn a_reaction_answers_the_message_that_it_is_on() {
    let reaction = json!({"message_id": "wamid.OUT", "emoji": "👍"});
    let fact = message(&json!({"type": "reaction", "reaction": reaction}));
    assert_eq!(says(&fact), (MessageKind::Reaction, Some("👍"), reaction));
    assert_eq!(fact.in_reply_to.as_deref(), Some("wamid.OUT"));
    let removed = message(&json!({"type": "reaction", "reaction": {"message_id": "wamid.OUT"}}));
    assert_eq!(removed.content.text, None);
}

#[test]
fn what_is_not_known_is_an_unsupported_message_with_everything_in_it() {
    for fields in [
        json!({"type": "order", "order": {"catalog_id": "1", "product_items": []}}),
        json!({"type": "unsupported", "errors": [{"code": 131_051, "title": "Message type is not supported"}]}),
        json!({"type": "hologram", "hologram": {"id": 1}}),
        json!({"type": "interactive", "interactive": {"type": "call_permission_reply"}}),
        json!({"type": "interactive", "interactive": {"type": "list_reply"}}),
        json!({"type": "text", "text": {}}),
        json!({"type": "text"}),
        json!({"type": "image", "image": "x"}),
        json!({"type": "from", "text": {"body": "x"}}),
        json!({"type": 7}),
        json!({}),
    ] {
        let fact = message(&fields);
        let (kind, text, payload) = says(&fact);
        assert_eq!((kind, text), (MessageKind::Unsupported, None), "{fields}");
        assert_eq!(payload["id"], "wamid.IN");
        assert_eq!(payload["type"], fields["type"]);
    }
}

#[test]
fn odd_messages_are_kept_as_they_came() {
    let text = |body: &str| json!({"type": "text", "text": {"body": body}});
    for (fields, expected) in [
        (json!({"id": ""}), reason::BAD_ID),
        (json!({"timestamp": {}}), reason::BAD_TIMESTAMP),
        (json!({"timestamp": (SECOND + 301).to_string()}), reason::TIME_AHEAD),
        (json!({"from": null, "from_user_id": null}), reason::NO_SENDER),
        (json!({"from": "+57 300", "from_user_id": ""}), reason::NO_SENDER),
        (json!({"group_id": "120363", "type": "text", "text": {"body": "hi"}}), reason::GROUP),
        (json!({"type": "system", "system": {"type": "user_changed_number", "wa_id": "57311"}}), reason::SYSTEM),
        (text("a\u{0}b"), reason::BAD_TEXT),
        (text(&"a".repeat(MAX_TEXT_BYTES + 1)), reason::BAD_TEXT),
        (json!({"type": "location", "location": {"name": "a\u{0}"}}), reason::BAD_PAYLOAD),
        (json!({"type": "order", "order": "a".repeat(MAX_JSON_BYTES)}), reason::BAD_PAYLOAD),
    ] {
        let (why, payload) = kept(message_fact(&fields));
        assert_eq!(why, expected);
        assert_eq!(payload["from_user_id"], fields.get("from_user_id").cloned().unwrap_or(json!("CO.1349")));
    }
}

#[test]
fn a_writer_whose_number_is_hidden_is_known_by_the_users_id() {
    let fact = message(&json!({"from": null, "from_user_id": "CO.77", "type": "text", "text": {"body": "hi"}}));
    assert_eq!(fact.person.key.phone, None);
    assert_eq!(fact.person.key.provider_user_id.as_deref(), Some("CO.77"));
    assert_eq!(fact.person.name, None);
    // A contact that is found by one id lends the other.
    let fact = message(&json!({"from": null, "type": "text", "text": {"body": "hi"}}));
    assert_eq!(fact.person.key.phone.unwrap().as_str(), "+573001234567");
}

#[test]
fn a_name_that_cannot_be_stored_costs_the_name_alone() {
    for name in ["\"\\ud83d\"", "\"a\\u0000\"", "\" \"", "7", &format!("\"{}\"", "a".repeat(10_000))] {
        let body = webhook(&[change(&json!({
            "contacts": [{"profile": {"name": "PLACE"}, "wa_id": "573001234567"}],
            "messages": [{"from": "573001234567", "id": "a", "timestamp": SECOND, "type": "text", "text": {"body": "x"}}],
        }))]);
        let Fact::Message(fact) = only(facts_of(&body.replace("\"PLACE\"", name))) else { panic!("{name}") };
        assert_eq!(fact.person.name, None);
    }
}

#[test]
fn numbers_stay_exactly_as_they_came() {
    let body = webhook(&[change(&json!({
        "messages": [{"from": "57300", "id": "a", "timestamp": SECOND, "type": "location", "location": {"latitude": "PLACE"}}],
    }))]);
    let Fact::Message(fact) = only(facts_of(&body.replace("\"PLACE\"", "3.42100000000000000000001"))) else { panic!() };
    assert_eq!(fact.content.payload.as_deref(), Some("{\"latitude\":3.42100000000000000000001}"));
}

/// The fact of one preference; `fields` overwrite those of a plain one.
fn preference_fact(fields: &Value) -> Fact {
    let mut told = json!({
        "wa_id": "573001234567", "detail": "User requested to stop marketing messages",
        "category": "marketing_messages", "value": "stop", "timestamp": SECOND,
    });
    overwrite(&mut told, fields);
    let contacts = json!([{"profile": {"name": "Ana"}, "wa_id": "573001234567", "user_id": "CO.1349"}]);
    let mut change = change(&json!({"contacts": contacts, "user_preferences": [told]}));
    change["field"] = json!("user_preferences");
    only(facts_of(&webhook(&[change])))
}

#[test]
fn a_preference_is_read_with_the_person_whose_it_is() {
    for (value, stopped) in [("stop", true), ("resume", false)] {
        let Fact::Preference { person, preference } = preference_fact(&json!({ "value": value })) else { panic!() };
        assert_eq!(preference, Preference { at: at(SECOND), stopped });
        assert_eq!(person.key.phone, Phone::of_whatsapp_id("573001234567"));
        assert_eq!(person.key.wa_id.as_deref(), Some("573001234567"));
        assert_eq!(person.key.provider_user_id.as_deref(), Some("CO.1349"));
        assert_eq!(person.name.map(|name| name.name).as_deref(), Some("Ana"));
    }
    let hidden = preference_fact(&json!({"wa_id": null, "user_id": "CO.7", "timestamp": SECOND.to_string()}));
    let Fact::Preference { person, .. } = hidden else { panic!() };
    assert_eq!((person.key.phone, person.key.provider_user_id.as_deref()), (None, Some("CO.7")));
}

#[test]
fn a_preference_that_is_not_understood_is_kept() {
    for (fields, expected) in [
        (json!({"value": "pause"}), reason::UNKNOWN_PREFERENCE),
        (json!({"value": null}), reason::UNKNOWN_PREFERENCE),
        (json!({"category": "utility_messages"}), reason::UNKNOWN_PREFERENCE),
        (json!({"wa_id": "+57300"}), reason::BAD_ID),
        (json!({"wa_id": null}), reason::BAD_ID),
        (json!({"timestamp": null}), reason::BAD_TIMESTAMP),
        (json!({"timestamp": SECOND + 301}), reason::TIME_AHEAD),
    ] {
        assert_eq!(kept(preference_fact(&fields)).0, expected, "{fields}");
    }
}

#[test]
fn other_fields_and_shapes_are_kept() {
    let foreign = json!({"field": "account_update", "value": {"metadata": {"phone_number_id": "9"}, "statuses": []}});
    let body = webhook(std::slice::from_ref(&foreign));
    let updates = only(parse(body.as_bytes()).unwrap());
    assert_eq!(updates.phone_number_id.as_deref(), Some("9"));
    assert_eq!(kept(only(updates.facts(LINE, at(SECOND)))), (reason::UNKNOWN_FIELD.into(), foreign));

    for (body, expected) in [
        (json!({"entry": [{"changes": [{"field": "account_update"}]}]}), reason::UNKNOWN_FIELD),
        (json!({"entry": [{"changes": [{"field": "messages"}]}]}), reason::FOREIGN_SHAPE),
        (json!({"entry": [{"changes": [7]}]}), reason::FOREIGN_SHAPE),
        (json!({"entry": [{"messaging": []}]}), reason::FOREIGN_SHAPE),
        (json!({"entry": {}}), reason::FOREIGN_SHAPE),
        (json!([]), reason::FOREIGN_SHAPE),
        (json!("hello"), reason::FOREIGN_SHAPE),
        (json!(null), reason::FOREIGN_SHAPE),
    ] {
        assert_eq!(kept(only(facts_of(&body.to_string()))).0, expected, "{body}");
    }
    for (value, expected) in [
        (json!({}), reason::NOTHING_KNOWN),
        (json!({"statuses": []}), reason::NOTHING_KNOWN),
        (json!({"statuses": {}}), reason::FOREIGN_SHAPE),
        (json!({"statuses": [7]}), reason::FOREIGN_SHAPE),
        (json!({"user_preferences": []}), reason::NOTHING_KNOWN),
        (json!({"user_preferences": [7]}), reason::FOREIGN_SHAPE),
        (json!({"errors": [{"code": 130_429}]}), reason::PROVIDER_ERROR),
    ] {
        assert_eq!(kept(only(facts(&value))).0, expected, "{value}");
    }
}

#[test]
fn everything_of_an_unknown_line_is_kept() {
    let value = json!({"statuses": [{"id": "a"}, 7], "messages": [{}], "user_preferences": [{}], "errors": [{}]});
    let body = webhook(&[change(&value)]);
    let updates = only(parse(body.as_bytes()).unwrap());
    assert_eq!(updates.phone_number_id.as_deref(), Some("106540352242922"));
    let reasons: Vec<String> = updates.kept().into_iter().map(|fact| kept(fact).0).collect();
    let unknown = reason::UNKNOWN_LINE;
    assert_eq!(reasons, [unknown, unknown, unknown, unknown, reason::PROVIDER_ERROR]);
}

#[test]
fn what_is_not_json_is_malformed() {
    let invalid: [&[u8]; 8] =
        [b"", b"{", b"{} {}", b"hello", b"{\"a\": \"\xff\"}", b"{'a': 1}", b"[1,]", b"{\"a\": \"\\ud8\"}"];
    for body in invalid {
        assert!(matches!(parse(body), Err(MalformedWebhook(_))), "{body:?}");
    }
}

#[test]
fn a_nesting_without_end_is_kept_and_spoils_nothing() {
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let status = json!({"id": "a", "status": "sent", "timestamp": SECOND, "odd": "PLACE"});
    let message = json!({"from": "57300", "id": "b", "timestamp": SECOND, "type": "order", "order": "PLACE"});
    let body = webhook(&[change(&json!({"statuses": [status], "messages": [message]}))]).replace("\"PLACE\"", &deep);
    let [Fact::Status(_), Fact::Kept(odd)] = &facts_of(&body)[..] else { panic!() };
    assert_eq!(odd.reason, reason::BAD_PAYLOAD);
    assert!(matches!(only(facts_of(&deep)), Fact::Kept(kept) if kept.reason == reason::FOREIGN_SHAPE));
}

fn any_json() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "entry",
        "changes",
        "value",
        "statuses",
        "messages",
        "contacts",
        "errors",
        "id",
        "status",
        "timestamp",
        "type",
        "text",
        "body",
        "from",
        "code",
        "metadata",
        "interactive",
        "button_reply",
        "sent",
        "failed",
        "a\u{0}",
        "😊",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        words.clone().prop_map(Value::from),
        (SECOND - 10..SECOND).prop_map(|second| json!(second.to_string())),
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(words.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|fields| json!(fields)),
        ]
    })
}

fn valid_elements() -> (Vec<Value>, Vec<Value>) {
    let statuses = ["sent", "delivered", "read", "failed"].iter().enumerate();
    let statuses = statuses.map(|(n, word)| json!({"id": format!("s{n}"), "status": word, "timestamp": SECOND}));
    let messages = (0..3).map(
        |n| json!({"from": "57300", "id": format!("m{n}"), "timestamp": SECOND, "type": "text", "text": {"body": "x"}}),
    );
    (statuses.collect(), messages.collect())
}

proptest! {
    #[test]
    fn no_json_whatever_makes_it_panic(value in any_json()) {
        for body in [value.to_string(), webhook(&[change(&json!({})), value.clone()]), webhook(&[change(&json!({"statuses": [value.clone()], "messages": [value]}))])] {
            let _ = facts_of(&body);
        }
    }

    #[test]
    fn no_bytes_whatever_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&body);
    }

    #[test]
    fn an_odd_element_never_spoils_its_neighbours(odd in any_json(), place in 0_usize..7, whole: bool, field in 0_usize..5) {
        let (mut statuses, mut messages) = valid_elements();
        let expected = facts(&json!({"statuses": statuses, "messages": messages}));
        let element = if place < 4 { &mut statuses[place] } else { &mut messages[place - 4] };
        if whole {
            *element = odd;
        } else {
            let name = element.as_object().unwrap().keys().nth(field % element.as_object().unwrap().len()).unwrap().clone();
            element[name] = odd;
        }
        let found = facts(&json!({"statuses": statuses, "messages": messages}));
        prop_assert_eq!(found.len(), expected.len());
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            prop_assert!(index == place || found == expected);
        }
    }
}
