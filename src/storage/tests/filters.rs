//! The law of filters: a list paged through, the database's count and the tally's agree with the filter's own meaning.

use std::collections::{BTreeMap, HashMap};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::{Union, ValueTree};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::on_both_databases;
use super::seed::{Seed, UserSeed, at};
use crate::domain::failure::FailureReason;
use crate::domain::filter::{TimeRange, UserFilter};
use crate::domain::id::{SendId, UserId, VersionId, new_key};
use crate::domain::page::{Key, Page, Slice};
use crate::domain::standing::{Cell, DeploymentStatus, SessionStatus, Stage};
use crate::domain::tally::Tally;
use crate::domain::user::{User, UserOrder};
use crate::storage::users::{self, UserQuery};
use crate::storage::{Database, Tenant};

on_both_databases!(
    lists_counts_and_tallies_agree_on_any_filter,
    a_phone_is_found_by_the_bytes_that_it_begins_with,
    a_user_without_activity_is_in_no_range_but_the_boundless,
    a_list_of_values_pages_as_one_list,
);

/// Phones with what a pattern, a collation or an end of range might trip over.
const PHONES: [&str; 10] = [
    "+573001234567",
    "+573009999999",
    "573001234567",
    "+5711",
    "12%_4",
    "12xx4",
    "tel 7",
    "TEL 7",
    "ñ1",
    "\u{10ffff}\u{10ffff}9",
];
const PREFIXES: [&str; 18] = [
    "",
    "+",
    "5",
    "57",
    "57300",
    "+57300",
    "+573001234567",
    "573001234567",
    "5730012345678",
    "%",
    "_",
    "12%",
    "12%_",
    "tel",
    "T",
    "ñ",
    "\u{10ffff}",
    "\u{d7ff}",
];
const NAMES: [&str; 3] = ["city", "City", "%"];
const VALUES: [&str; 3] = ["", "Bogotá", "bogotá"];

/// Some versions with their users, and what is known of each.
struct World {
    tenant: Tenant,
    versions: Vec<VersionId>,
    users: HashMap<UserId, (VersionId, UserSeed)>,
}

/// One way to read a list from one end to the other.
#[derive(Debug, Clone)]
struct Walk {
    query: UserQuery,
    backward: bool,
    size: usize,
}

async fn lists_counts_and_tallies_agree_on_any_filter(db: Database) {
    let mut runner = TestRunner::default();
    for _ in 0..3 {
        let seed = Seed::new(&db).await;
        let (conversation, first) = seed.conversation("A conversation", 1).await;
        let row = seed.send_row(conversation, first, 1);
        let sends = [SendId(row.id), SendId(new_key())];
        seed.insert(vec![row]).await;
        let mut users = vec(user(sends[0]), 20..40).new_tree(&mut runner).unwrap().current();
        // Phones are unique in a workspace; a tail leaves their beginnings alike.
        for (number, user) in users.iter_mut().enumerate() {
            user.phone = user.phone.take().map(|phone| format!("{phone}{number}"));
        }
        let world = World::seed(seed, users).await;
        let mut cases = TestRunner::new(Config { cases: 150, failure_persistence: None, ..Config::default() });
        let outcome = cases.run(&walk(sends), |walk| {
            block_in_place(|| Handle::current().block_on(world.check(&walk)));
            Ok::<_, TestCaseError>(())
        });
        outcome.unwrap();
    }
}

async fn a_phone_is_found_by_the_bytes_that_it_begins_with(db: Database) {
    let seed = Seed::new(&db).await;
    let users = PHONES.map(|phone| UserSeed { phone: Some(phone.to_owned()), ..UserSeed::default() });
    let world = World::seed(seed, users.to_vec()).await;
    for (prefix, count) in
        [("57300", 3), ("+57300", 2), ("57", 4), ("12%", 1), ("tel", 1), ("", 10), ("+", 3), ("9", 0)]
    {
        let found: i64 = world.counts(&UserFilter::Phone(prefix.to_owned())).await.values().sum();
        assert_eq!(found, count, "{prefix:?}");
    }
}

async fn a_user_without_activity_is_in_no_range_but_the_boundless(db: Database) {
    let seed = Seed::new(&db).await;
    let world = World::seed(seed, vec![UserSeed::default()]).await;
    let range = |from, to| UserFilter::Activity(TimeRange { from, to });
    for (filter, count) in [
        (range(None, None), 1),
        (range(Some(at(0)), None), 0),
        (range(None, Some(at(9))), 0),
        (UserFilter::Not(Box::new(range(None, Some(at(9))))), 1),
    ] {
        assert_eq!(world.counts(&filter).await.values().sum::<i64>(), count, "{filter:?}");
    }
}

/// Lists of values are read branch by branch; every combination of orders and directions has to come out merged.
async fn a_list_of_values_pages_as_one_list(db: Database) {
    let seed = Seed::new(&db).await;
    let unfailed = DeploymentStatus::ALL[..6].iter().cycle();
    let users = (0..40).zip(unfailed).map(|(number, &status)| UserSeed {
        deployed_at: number % 7,
        cell: Cell { status, ..Cell::QUEUED },
        ..UserSeed::default()
    });
    let world = World::seed(seed, users.collect()).await;
    let filter = UserFilter::Status(vec![DeploymentStatus::Sent, DeploymentStatus::Queued, DeploymentStatus::Read]);
    for (order, descending, backward) in [
        (UserOrder::Deployed, false, false),
        (UserOrder::Deployed, true, false),
        (UserOrder::Deployed, false, true),
        (UserOrder::Deployed, true, true),
        (UserOrder::Activity, true, true),
    ] {
        let query = UserQuery { filter: filter.clone(), order, descending };
        world.check(&Walk { query, backward, size: 3 }).await;
    }
}

impl World {
    /// Spreads users over versions.
    async fn seed(seed: Seed, seeds: Vec<UserSeed>) -> Self {
        let mut world = Self { tenant: seed.tenant.clone(), versions: Vec::new(), users: HashMap::new() };
        for part in seeds.chunks(seeds.len().div_ceil(3)) {
            let version = seed.version().await;
            let ids = seed.users(version, part.to_vec()).await;
            world.versions.push(version);
            world.users.extend(ids.into_iter().zip(part).map(|(id, user)| (id, (version, user.clone()))));
        }
        world
    }

    async fn check(&self, walk: &Walk) {
        let filter = &walk.query.filter;
        let counts = self.counts(filter).await;
        let first = self.pages(walk, None, &self.versions).await;
        for &version in &self.versions {
            let expected = self.expected(version, &walk.query);
            assert_eq!(self.walk(version, walk).await, expected, "{walk:?}");
            assert_eq!(self.pages(walk, None, &[version]).await[&version], first[&version], "{walk:?}");
            assert_eq!(counts[&version], i64::try_from(expected.len()).unwrap(), "{filter:?}");
            if let Some(count) = self.tallied(version, filter) {
                assert_eq!(counts[&version], count, "{filter:?}");
            }
        }
    }

    /// What the filter means, told over the rows one by one.
    fn expected(&self, version: VersionId, query: &UserQuery) -> Vec<UserId> {
        let of_version = self.users.iter().filter(|(_, (of, _))| *of == version);
        let matching = of_version.filter(|(_, (_, user))| matches(user, &query.filter));
        let mut keys: Vec<_> = matching.map(|(&id, (_, user))| (value(user, query.order), id)).collect();
        keys.sort();
        if query.descending {
            keys.reverse();
        }
        keys.into_iter().map(|(_, id)| id).collect()
    }

    fn tallied(&self, version: VersionId, filter: &UserFilter) -> Option<i64> {
        let of_version = self.users.values().filter(|(of, _)| *of == version);
        let tally: Tally = of_version.map(|(_, user)| (user.cell, 1)).collect();
        tally.cells().map(|(cell, count)| filter.matches(cell).map(|holds| if holds { count } else { 0 })).sum()
    }

    async fn counts(&self, filter: &UserFilter) -> HashMap<VersionId, i64> {
        users::counts(&self.tenant, &self.versions, filter).await.unwrap()
    }

    async fn pages(&self, walk: &Walk, from: Option<Key>, versions: &[VersionId]) -> HashMap<VersionId, Slice<User>> {
        let (after, before) = if walk.backward { (None, from) } else { (from, None) };
        let page = Page { size: walk.size, backward: walk.backward, after, before };
        users::pages(&self.tenant, versions, &walk.query, &page).await.unwrap()
    }

    /// Reads a list page by page, and returns it in its own order.
    async fn walk(&self, version: VersionId, walk: &Walk) -> Vec<UserId> {
        let (mut read, mut from) = (Vec::new(), None);
        loop {
            let mut slices = self.pages(walk, from.clone(), &[version]).await;
            let mut slice = slices.remove(&version).unwrap();
            let (next, previous) = (slice.has_next, slice.has_previous);
            let (more, behind) = if walk.backward { (previous, next) } else { (next, previous) };
            assert_eq!(behind, from.is_some());
            assert!(slice.rows.len() == walk.size || !more);
            if walk.backward {
                slice.rows.reverse();
            }
            from = slice.rows.last().map(|(key, _)| key.clone());
            read.extend(slice.rows.into_iter().map(|(_, user)| user.id));
            if !more {
                break;
            }
        }
        if walk.backward {
            read.reverse();
        }
        read
    }
}

fn value(user: &UserSeed, order: UserOrder) -> i64 {
    match order {
        UserOrder::Deployed => user.deployed_at,
        UserOrder::Activity => user.activity_at,
    }
}

fn matches(user: &UserSeed, filter: &UserFilter) -> bool {
    let latest = user.sends.len() - 1;
    match filter {
        UserFilter::All(filters) => filters.iter().all(|filter| matches(user, filter)),
        UserFilter::Any(filters) => filters.iter().any(|filter| matches(user, filter)),
        UserFilter::Not(filter) => !matches(user, filter),
        UserFilter::Status(values) => values.contains(&user.cell.status),
        UserFilter::Stage(values) => values.contains(&user.cell.stage),
        UserFilter::Session(values) => values.contains(&user.cell.session_status),
        UserFilter::Failure(values) => user.cell.failure_reason.is_some_and(|reason| values.contains(&reason)),
        UserFilter::Phone(prefix) => user.phone.as_ref().is_some_and(|phone| {
            let digits = prefix.starts_with(|first: char| first.is_ascii_digit());
            phone.starts_with(prefix) || (digits && phone.starts_with(&format!("+{prefix}")))
        }),
        UserFilter::Deployed(range) => in_range(range, user.deployed_at),
        UserFilter::Activity(TimeRange { from: None, to: None }) => true,
        UserFilter::Activity(range) => user.activity_at > 0 && in_range(range, user.activity_at),
        UserFilter::Variable { name, equals } => user.variables.get(latest).is_some_and(|variables| {
            variables.get(name).is_some_and(|value| equals.as_ref().is_none_or(|equals| equals == value))
        }),
        UserFilter::Send(send) => user.sends[latest] == Some(*send),
    }
}

fn in_range(range: &TimeRange, micros: i64) -> bool {
    range.from.is_none_or(|from| from.micros() <= micros) && range.to.is_none_or(|to| micros < to.micros())
}

fn user(send: SendId) -> impl Strategy<Value = UserSeed> {
    let attempts = vec((proptest::option::of(Just(send)), variables()), 1..4);
    (proptest::option::of(text(&PHONES)), 1..6i64, cell(), 0..4i64, attempts).prop_map(
        |(phone, deployed_at, cell, activity_at, attempts)| {
            let (sends, variables) = attempts.into_iter().unzip();
            UserSeed { phone, deployed_at, cell, activity_at, sends, variables }
        },
    )
}

fn variables() -> impl Strategy<Value = BTreeMap<String, String>> {
    proptest::collection::btree_map(text(&NAMES), text(&VALUES), 0..3)
}

fn text(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(texts).prop_map(str::to_owned)
}

fn cell() -> impl Strategy<Value = Cell> {
    let known = (select(DeploymentStatus::ALL), stage(), session(), select(&FailureReason::ALL[..4]));
    known.prop_map(|(status, stage, session_status, reason)| {
        let failure_reason = (status == DeploymentStatus::Failed).then_some(reason);
        Cell { status, stage, session_status, failure_reason }
    })
}

fn stage() -> impl Strategy<Value = Option<Stage>> {
    proptest::option::of(select(Stage::ALL))
}

fn session() -> impl Strategy<Value = Option<SessionStatus>> {
    proptest::option::of(select(SessionStatus::ALL))
}

fn range() -> impl Strategy<Value = TimeRange> {
    let bound = || proptest::option::of((0..6i64).prop_map(at));
    (bound(), bound()).prop_map(|(from, to)| TimeRange { from, to })
}

fn filter(sends: [SendId; 2]) -> impl Strategy<Value = UserFilter> {
    let variable = (text(&NAMES), proptest::option::of(text(&VALUES)));
    let leaf = Union::new([
        vec(select(DeploymentStatus::ALL), 0..4).prop_map(UserFilter::Status).boxed(),
        vec(stage(), 0..3).prop_map(UserFilter::Stage).boxed(),
        vec(session(), 0..4).prop_map(UserFilter::Session).boxed(),
        vec(select(&FailureReason::ALL[..5]), 0..4).prop_map(UserFilter::Failure).boxed(),
        text(&PREFIXES).prop_map(UserFilter::Phone).boxed(),
        range().prop_map(UserFilter::Deployed).boxed(),
        range().prop_map(UserFilter::Activity).boxed(),
        variable.prop_map(|(name, equals)| UserFilter::Variable { name, equals }).boxed(),
        select(sends.to_vec()).prop_map(UserFilter::Send).boxed(),
    ]);
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(UserFilter::All),
            vec(inner.clone(), 0..3).prop_map(UserFilter::Any),
            inner.prop_map(|filter| UserFilter::Not(Box::new(filter))),
        ]
    })
}

fn walk(sends: [SendId; 2]) -> impl Strategy<Value = Walk> {
    let order = select(vec![UserOrder::Deployed, UserOrder::Activity]);
    let size = select(vec![1usize, 2, 3, 7, 50]);
    (filter(sends), order, any::<bool>(), any::<bool>(), size).prop_map(
        |(filter, order, descending, backward, size)| Walk {
            query: UserQuery { filter, order, descending },
            backward,
            size,
        },
    )
}
