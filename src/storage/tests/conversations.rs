//! Conversations and their versions.

use futures_util::future::join_all;

use super::on_both_databases;
use super::seed::{Seed, at};
use crate::domain::conversation::{ConversationFilter, Direction};
use crate::domain::id::{ConversationId, new_key};
use crate::domain::page::{Key, Page};
use crate::storage::conversations::{self, ConversationOrder};
use crate::storage::{Database, versions};

on_both_databases!(
    a_conversation_shows_its_current_version,
    versions_published_at_once_are_numbered_one_by_one,
    an_earlier_archiving_keeps_its_time,
    conversations_page_by_creation_and_by_name,
    a_name_is_found_by_a_part_in_any_case,
    versions_are_found_by_number,
    variable_names_come_by_name,
);

const ALL: Page = Page { size: 50, backward: false, after: None, before: None };

async fn a_conversation_shows_its_current_version(db: Database) {
    let seed = Seed::new(&db).await;
    let (id, first) = seed.conversation("Primavera", 5).await;
    let found = &conversations::find_many(&seed.tenant, &[id]).await.unwrap()[&id];
    assert_eq!((found.name.as_str(), found.direction, found.line), ("Primavera", Direction::Outbound, seed.line));
    assert_eq!((found.created_at, found.archived_at, found.current_version), (at(5), None, first));

    let second = conversations::publish(&seed.tenant, id, r#"{"a":1}"#, at(6)).await.unwrap().unwrap();
    assert_eq!((second.number, second.flow.as_str(), second.published_at), (2, r#"{"a":1}"#, at(6)));
    assert_eq!(conversations::find_many(&seed.tenant, &[id]).await.unwrap()[&id].current_version, second.id);
    assert_eq!(versions::find_many(&seed.tenant, &[second.id]).await.unwrap()[&second.id], second);
    assert_eq!(versions::counts(&seed.tenant, &[id]).await.unwrap()[&id], 2);
}

async fn versions_published_at_once_are_numbered_one_by_one(db: Database) {
    let (seed, foreign) = (Seed::new(&db).await, Seed::new(&db).await);
    let (id, _) = seed.conversation("A conversation", 1).await;
    let publishing = (0..12).map(|_| conversations::publish(&seed.tenant, id, "{}", at(2)));
    let mut numbers: Vec<_> =
        join_all(publishing).await.into_iter().map(|published| published.unwrap().unwrap().number).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(2..14));

    let missing = ConversationId(new_key());
    assert_eq!(conversations::publish(&seed.tenant, missing, "{}", at(2)).await.unwrap(), None);
    assert_eq!(conversations::publish(&foreign.tenant, id, "{}", at(2)).await.unwrap(), None);
    let newest = Page { size: 1, ..ALL };
    let newest = &versions::pages(&seed.tenant, &[id], &newest).await.unwrap()[&id];
    assert_eq!((newest.rows[0].1.number, newest.has_next), (13, true));
}

async fn an_earlier_archiving_keeps_its_time(db: Database) {
    let (seed, foreign) = (Seed::new(&db).await, Seed::new(&db).await);
    let (id, _) = seed.conversation("A conversation", 1).await;
    assert!(!conversations::archive(&foreign.tenant, id, at(5)).await.unwrap());
    assert!(conversations::archive(&seed.tenant, id, at(7)).await.unwrap());
    assert!(conversations::archive(&seed.tenant, id, at(8)).await.unwrap());
    assert_eq!(conversations::find_many(&seed.tenant, &[id]).await.unwrap()[&id].archived_at, Some(at(7)));
}

async fn conversations_page_by_creation_and_by_name(db: Database) {
    let seed = Seed::new(&db).await;
    for (name, created_at) in [("b", 1), ("Ä", 2), ("a", 3), ("B", 4), ("a", 5)] {
        seed.conversation(name, created_at).await;
    }
    let everything = ConversationFilter::default();
    for (order, descending, expected) in [
        (ConversationOrder::Created, false, ["b", "Ä", "a", "B", "a"]),
        (ConversationOrder::Created, true, ["a", "B", "a", "Ä", "b"]),
        (ConversationOrder::Name, false, ["B", "a", "a", "b", "Ä"]),
        (ConversationOrder::Name, true, ["Ä", "b", "a", "a", "B"]),
    ] {
        let mut names = Vec::new();
        let mut after: Option<Key> = None;
        loop {
            let page = Page { size: 2, after, ..ALL };
            let slice = conversations::page(&seed.tenant, &everything, order, descending, &page).await.unwrap();
            after = slice.rows.last().map(|(key, _)| key.clone());
            names.extend(slice.rows.into_iter().map(|(_, conversation)| conversation.name));
            if !slice.has_next {
                break;
            }
        }
        assert_eq!(names, expected);
    }
}

async fn a_name_is_found_by_a_part_in_any_case(db: Database) {
    let (seed, foreign) = (Seed::new(&db).await, Seed::new(&db).await);
    for name in ["El ñandú", "100 % de algodón", "under_score", "underscore"] {
        seed.conversation(name, 1).await;
    }
    let (archived, _) = seed.conversation("Ñandú archivado", 2).await;
    foreign.conversation("Ñandú", 1).await;
    conversations::archive(&seed.tenant, archived, at(3)).await.unwrap();

    let named = |part: &str| ConversationFilter { name: Some(part.to_owned()), ..ConversationFilter::default() };
    for (filter, count) in [
        (named("ÑANDÚ"), 2),
        (named("%"), 1),
        (named("R_S"), 1),
        (named(""), 5),
        (ConversationFilter { archived: Some(true), ..named("ñandú") }, 1),
        (ConversationFilter { archived: Some(false), ..named("ñandú") }, 1),
        (ConversationFilter { direction: Some(Direction::Inbound), ..named("") }, 0),
        (ConversationFilter { direction: Some(Direction::Outbound), ..named("") }, 5),
    ] {
        assert_eq!(conversations::count(&seed.tenant, &filter).await.unwrap(), count, "{filter:?}");
        let page = conversations::page(&seed.tenant, &filter, ConversationOrder::Name, false, &ALL).await.unwrap();
        assert_eq!(i64::try_from(page.rows.len()).unwrap(), count, "{filter:?}");
    }
}

async fn versions_are_found_by_number(db: Database) {
    let seed = Seed::new(&db).await;
    let (one, other) = (seed.conversation("One", 1).await, seed.conversation("Other", 1).await);
    let second = conversations::publish(&seed.tenant, one.0, "{}", at(2)).await.unwrap().unwrap();

    let found = versions::find_by_number(&seed.tenant, &[(one.0, 2), (other.0, 1), (other.0, 2)]).await.unwrap();
    let found: Vec<_> = [(one.0, 2), (other.0, 1)].iter().map(|key| found[key].id).chain([second.id]).collect();
    assert_eq!(found, [second.id, other.1, second.id]);
    assert_eq!(versions::find_by_number(&seed.tenant, &[(one.0, 1)]).await.unwrap().len(), 1);
    assert!(versions::find_by_number(&seed.tenant, &[]).await.unwrap().is_empty());
}

async fn variable_names_come_by_name(db: Database) {
    let seed = Seed::new(&db).await;
    let (version, without) = (seed.version().await, seed.version().await);
    seed.insert(["b", "Ä", "B", "a"].map(|name| seed.variable_name(version, name)).to_vec()).await;
    let names = versions::variable_names(&seed.tenant, &[version, without]).await.unwrap();
    assert_eq!(names[&version], ["B", "a", "b", "Ä"]);
    assert!(names[&without].is_empty());
}
