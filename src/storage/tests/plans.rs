//! What reads cost: one statement whatever the number of keys, and pages that come from an index in order, however deep
//! they lie. Both databases are asked for their plans.

use std::sync::{Arc, Mutex};

use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait};

use super::seed::{Seed, UserSeed};
use super::{on_both_databases, writing};
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{ConversationFilter, Direction};
use crate::domain::fact::{Fact, MessageName, Target};
use crate::domain::failure::FailureReason;
use crate::domain::filter::UserFilter;
use crate::domain::id::new_key;
use crate::domain::merge::MessageFacts;
use crate::domain::page::{Key, Page};
use crate::domain::session::SessionFilter;
use crate::domain::standing::{DeploymentStatus, SessionStatus, Stage};
use crate::domain::user::UserOrder;
use crate::storage::conversations::ConversationOrder;
use crate::storage::users::UserQuery;
use crate::storage::{
    Database, changes, conversations, deployments, funnels, messages, metrics, sends, sessions, users, variables,
    versions,
};

on_both_databases!(
    a_read_is_one_statement_whatever_the_number_of_keys,
    a_statement_has_one_text_for_any_number_of_keys,
    a_page_of_users_comes_in_order_from_the_index_of_its_filter,
    a_page_of_each_of_many_lists_comes_from_an_index,
    a_page_of_sessions_comes_in_order_from_an_index,
    a_batch_finds_its_rows_by_their_keys,
);

/// Users enough for a planner to mind reading all of them.
const MANY: u32 = 2_000;

/// A database whose statements are seen.
struct Observed {
    seed: Seed,
    statements: Arc<Mutex<Vec<Statement>>>,
}

async fn a_read_is_one_statement_whatever_the_number_of_keys(db: Database) {
    let observed = Observed::new(db).await;
    let tenant = &observed.seed.tenant;
    let db = tenant.database();
    let filter = ConversationFilter::default();
    let order = ConversationOrder::Name;
    let everybody = UserFilter::everybody();
    for count in [1, 2, 9] {
        macro_rules! expect_one {
            ($($read:expr),+ $(,)?) => {
                $(
                    $read.await.unwrap();
                    assert_eq!(observed.statements().len(), 1, stringify!($read));
                )+
            };
        }
        expect_one!(
            users::find_many(tenant, &keys(count)),
            users::pages(tenant, &keys(count), &asked(everybody.clone(), UserOrder::Activity), &deep(false)),
            users::counts(tenant, &keys(count), &everybody),
            metrics::find_many(tenant, &keys(count)),
            variables::of_users(tenant, &keys(count)),
            versions::find_many(tenant, &keys(count)),
            versions::pages(tenant, &keys(count), &deep(false)),
            versions::counts(tenant, &keys(count)),
            versions::variable_names(tenant, &keys(count)),
            versions::find_by_number(tenant, &keys(count).into_iter().zip(1..).collect::<Vec<_>>()),
            sends::find_many(tenant, &keys(count)),
            sends::pages(tenant, &keys(count), &deep(true)),
            sends::counts(tenant, &keys(count)),
            sends::tallies(tenant, &keys(count)),
            deployments::find_many(tenant, &keys(count)),
            deployments::latest_of(tenant, &keys(count)),
            deployments::pages(tenant, &keys(count), &deep(true)),
            deployments::counts(tenant, &keys(count)),
            sessions::find_many(tenant, &keys(count)),
            sessions::page(tenant, &every_condition(), false, &deep(false)),
            sessions::count(tenant, &every_condition()),
            sessions::find_latest(tenant, new_key().into(), &every_condition()),
            sessions::find_situation(tenant, new_key().into()),
            messages::find_many(tenant, &keys(count)),
            messages::pages_of_users(tenant, &keys(count), &deep(false)),
            messages::pages_of_deployments(tenant, &keys(count), &deep(true)),
            messages::counts_of_users(tenant, &keys(count)),
            messages::counts_of_deployments(tenant, &keys(count)),
            messages::added_by(tenant, new_key().into(), &[1, 2, 3]),
            conversations::find_many(tenant, &keys(count)),
            conversations::page(tenant, &filter, order, true, &deep(false).beginning()),
            conversations::count(tenant, &filter),
            changes::after(tenant, new_key().into(), 0, 9),
            changes::revisions(db, &keys(count)),
            changes::current_versions(db, &keys(count)),
            changes::newest_versions(tenant, &keys(count), 10),
        );
        funnels::find_many(tenant, &keys(count)).await.unwrap();
        assert_eq!(observed.statements().len(), 3, "one for the sends, two for the funnels");
    }
}

/// So that a statement is prepared once, and not for each number of keys.
async fn a_statement_has_one_text_for_any_number_of_keys(db: Database) {
    let observed = Observed::new(db).await;
    let mut texts = Vec::new();
    for count in [2, 3, 300] {
        metrics::find_many(&observed.seed.tenant, &keys(count)).await.unwrap();
        variables::of_users(&observed.seed.tenant, &keys(count)).await.unwrap();
        messages::pages_of_users(&observed.seed.tenant, &keys(count), &deep(false)).await.unwrap();
        texts.push(observed.statements().into_iter().map(|statement| statement.sql).collect::<Vec<_>>());
    }
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[0], texts[2]);
}

async fn a_page_of_users_comes_in_order_from_the_index_of_its_filter(db: Database) {
    let observed = Observed::new(db).await;
    let (failed, reasons) = (vec![DeploymentStatus::Failed], vec![FailureReason::Other, FailureReason::Expired]);
    for (filter, order, index) in [
        (UserFilter::everybody(), UserOrder::Deployed, "users_version_id_deployed_at_id_idx"),
        (UserFilter::everybody(), UserOrder::Activity, "users_version_id_activity_at_id_idx"),
        (UserFilter::Status(failed), UserOrder::Deployed, "users_version_id_status_deployed_at_id_idx"),
        (
            UserFilter::Status(vec![DeploymentStatus::Queued, DeploymentStatus::Failed]),
            UserOrder::Deployed,
            "users_version_id_status_deployed_at_id_idx",
        ),
        (
            UserFilter::Stage(vec![Some(Stage::InFlow)]),
            UserOrder::Deployed,
            "users_version_id_stage_deployed_at_id_idx",
        ),
        (
            UserFilter::Session(vec![Some(SessionStatus::Agent), Some(SessionStatus::Bot)]),
            UserOrder::Deployed,
            "users_version_id_session_status_deployed_at_id_idx",
        ),
        (UserFilter::Failure(reasons), UserOrder::Deployed, "users_version_id_failure_reason_deployed_at_id_idx"),
    ] {
        let query = asked(filter, order);
        for page in [deep(false), deep(true), deep(false).beginning()] {
            for versions in [1, 3] {
                users::pages(&observed.seed.tenant, &keys(versions), &query, &page).await.unwrap();
                observed.expect_plan_by(index, &format!("{query:?} {page:?}")).await;
            }
        }
    }
}

async fn a_page_of_each_of_many_lists_comes_from_an_index(db: Database) {
    let observed = Observed::new(db).await;
    let tenant = &observed.seed.tenant;
    for count in [1, 3] {
        messages::pages_of_users(tenant, &keys(count), &deep(true)).await.unwrap();
        observed.expect_plan_by("messages_user_id_at_id_idx", "history").await;
        messages::pages_of_deployments(tenant, &keys(count), &deep(false)).await.unwrap();
        observed.expect_plan_by("messages_user_id_at_id_idx", "messages").await;
        sends::pages(tenant, &keys(count), &deep(false)).await.unwrap();
        observed.expect_plan_by("sends_conversation_id_created_at_id_idx", "sends").await;
    }
    let everything = ConversationFilter::default();
    let page = Page { after: Some(Key::text("m".to_owned(), new_key())), ..deep(false) };
    conversations::page(tenant, &everything, ConversationOrder::Name, true, &page).await.unwrap();
    observed.expect_plan_by("conversations_workspace_id_name_id_idx", "conversations by name").await;
}

async fn a_page_of_sessions_comes_in_order_from_an_index(db: Database) {
    let observed = Observed::new(db).await;
    let tenant = &observed.seed.tenant;
    for filter in [SessionFilter::default(), every_condition()] {
        for page in [deep(false), deep(true), deep(false).beginning()] {
            sessions::page(tenant, &filter, false, &page).await.unwrap();
            observed.expect_plan_by("deployments_workspace_id_session_at_id_idx", &format!("{filter:?}")).await;
        }
    }
}

/// What a batch costs does not depend on how much its workspace has.
async fn a_batch_finds_its_rows_by_their_keys(db: Database) {
    let observed = Observed::new(db).await;
    let Seed { tenant, line, .. } = &observed.seed;
    let (_, version) = writing::conversation(&observed.seed, Direction::Outbound).await;
    writing::conversation(&observed.seed, Direction::Inbound).await;
    let phones: Vec<String> = (0..MANY).map(|user| format!("+5730{user:08}")).collect();
    let phones: Vec<&str> = phones.iter().map(String::as_str).collect();
    writing::send(tenant, *line, &version, &phones, "a").await;
    let ids = writing::claimed(tenant.database(), *line).await;
    if tenant.database().backend() == DbBackend::Postgres {
        tenant.database().writer().execute_unprepared("ANALYZE").await.unwrap();
    }
    let at = |seconds| Timestamp::from_seconds(seconds).unwrap();
    let name = |user: usize| MessageName { own: ids.get(user).copied(), provider: Some(format!("wamid.{user}")) };
    let dispatched = ids.iter().take(3).map(|&message| Fact::Dispatched { message, at: at(2), epoch: 1 });
    let sent = || MessageFacts { sent: Some(at(3)), ..MessageFacts::default() };
    let statuses = (0..3).map(|user| writing::status(name(user), sent()));
    let known = Fact::Variable { of: Target::Message(name(0)), name: "city".into(), value: "Cali".into(), at: at(9) };
    let wa_ids = ["573000000001", "573000000002", "573009999999"];
    let said = wa_ids.map(|wa_id| writing::reply(*line, wa_id, &format!("wamid.of.{wa_id}"), None, 5));
    let told: Vec<Fact> = dispatched.chain(statuses).chain(said).chain([known]).collect();
    observed.statements();
    for _ in 0..2 {
        writing::record(tenant, told.clone()).await;
    }
    // Whether what is inserted has its references is looked up by their keys in any case.
    let found = observed.statements().into_iter().filter(|statement| !statement.sql.starts_with("INSERT"));
    let found: Vec<Statement> = found.collect();
    assert!(found.len() > 20, "the statements of a batch are not seen");
    for statement in found {
        let text = statement.sql.clone();
        let plan = match tenant.database().backend() {
            DbBackend::Sqlite => observed.sqlite_plan(statement).await,
            _ => observed.postgres_plan(statement, &["seqscan"]).await,
        };
        assert!(!plan.lines().any(reads_a_workspace), "{text}\n{plan}");
    }
}

/// Whether a line of a plan says that all rows of a workspace, or of everybody, are read of a table that is large.
fn reads_a_workspace(line: &str) -> bool {
    const LARGE: [&str; 9] =
        ["messages", "deployments", "users", "contacts", "outbox", "variables", "sessions", "parked", "changes"];
    let whole_table = |table: &str| {
        line.contains(&format!("Seq Scan on {table} ")) || line.trim_end().ends_with(&format!("SCAN {table}"))
    };
    let condition = line.trim().strip_prefix("Index Cond: ").unwrap_or_default();
    let by_workspace_alone = condition.contains("workspace_id = ") && !condition.contains(" AND ");
    LARGE.iter().any(|table| whole_table(table)) || by_workspace_alone || line.contains("(workspace_id=?)")
}

impl Observed {
    async fn new(mut db: Database) -> Self {
        let statements = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&statements);
        db.observe(move |statement| all.lock().unwrap().push(statement.clone()));
        let seed = Seed::new(&db).await;
        seed.user(seed.version().await, UserSeed::default()).await;
        statements.lock().unwrap().clear();
        Self { seed, statements }
    }

    /// What was read with since the last call.
    fn statements(&self) -> Vec<Statement> {
        std::mem::take(&mut *self.statements.lock().unwrap())
    }

    /// Expects that the last statement reads its rows by an index, in order, from the place on where the page begins.
    async fn expect_plan_by(&self, index: &str, what: &str) {
        let statement = self.statements().pop().unwrap();
        let from_a_place = statement.sql.contains(".id) > (") || statement.sql.contains(".id) < (");
        let plan = match self.seed.tenant.database().backend() {
            DbBackend::Sqlite => self.sqlite_plan(statement).await,
            _ => self.postgres_plan(statement, &["seqscan", "bitmapscan", "sort"]).await,
        };
        let by_index =
            plan.lines().filter(|line| line.contains(index) || line.contains("Index Cond")).collect::<String>();
        let merges = plan.contains("UNION ALL") || plan.contains("Append");
        let sorts = plan.contains("TEMP B-TREE FOR ORDER BY") || plan.contains("Sort");
        assert!(plan.contains(index), "{what}\n{plan}");
        assert!(merges || !sorts, "{what}\n{plan}");
        assert!(!from_a_place || by_index.contains("(?,?)") || by_index.contains("ROW("), "{what}\n{plan}");
    }

    async fn sqlite_plan(&self, statement: Statement) -> String {
        let sql = format!("EXPLAIN QUERY PLAN {}", statement.sql);
        let explain = Statement { sql, ..statement };
        let rows = self.seed.tenant.database().reader().query_all_raw(explain).await.unwrap();
        let lines = rows.iter().map(|row| row.try_get::<String>("", "detail").unwrap());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The plan in which other ways are as good as forbidden: with so few rows all ways cost the same, and the question is
    /// whether there is one by the index.
    async fn postgres_plan(&self, statement: Statement, other_ways: &[&str]) -> String {
        let transaction = self.seed.tenant.database().reader().begin().await.unwrap();
        for way in other_ways {
            transaction.execute_unprepared(&format!("SET LOCAL enable_{way} = off")).await.unwrap();
        }
        let sql = format!("EXPLAIN {}", statement.sql);
        let rows = transaction.query_all_raw(Statement { sql, ..statement }).await.unwrap();
        let lines = rows.iter().map(|row| row.try_get::<String>("", "QUERY PLAN").unwrap());
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn keys<K: From<uuid::Uuid>>(count: usize) -> Vec<K> {
    (0..count).map(|_| new_key().into()).collect()
}

fn every_condition() -> SessionFilter {
    SessionFilter {
        statuses: Some(vec![SessionStatus::Agent, SessionStatus::Completed]),
        agent: Some("Ana".to_owned()),
        assigned: Some(true),
        conversation: Some(new_key().into()),
        line: Some(new_key().into()),
    }
}

fn asked(filter: UserFilter, order: UserOrder) -> UserQuery {
    UserQuery { filter, order, descending: true }
}

/// A page in the middle of a list.
fn deep(backward: bool) -> Page {
    let place = Some(Key::number(1_000_000, new_key()));
    let (after, before) = if backward { (None, place) } else { (place, None) };
    Page { size: 50, backward, after, before }
}

impl Page {
    /// The same from the list's beginning.
    fn beginning(self) -> Self {
        Self { after: None, ..self }
    }
}
