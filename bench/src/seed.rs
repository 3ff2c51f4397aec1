//! Loading: versions with any number of users, written by sets, and such as the recorder would have left behind.
//!
//! A table of seeds is generated first, one row per user, and everything else is selected from it; so the rows agree with
//! each other, which `bluetick verify` confirms. What becomes of a user depends on its number alone: per mille, 10 are
//! queued, 20 accepted, 5 held, 60 sent, 250 delivered, 550 read and 105 failed; 240 answered, 80 of them to the end.

use bluetick::domain::id::{ConversationId, UserId, VersionId};
use sqlx::sqlite::{SqlitePoolOptions, SqliteSynchronous};
use uuid::Uuid;

use crate::Result;
use crate::database::{Kind, Pool, sqlite_options};

/// When the first user was sent to, in microseconds: the beginning of 2026.
const BASE: i64 = 1_767_225_600_000_000;

const ROWS: &str = include_str!("seed/rows.sql");

/// A version that was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loaded {
    /// Its number among all that are loaded, part of all its ids.
    number: u16,
    /// How many users it has.
    pub(crate) users: u64,
}

/// What the users of a version went through.
#[derive(Clone, Copy)]
pub(crate) enum Story {
    /// All sorts of things.
    Mixed,
    /// The provider accepted their messages, and has not reported more.
    Accepted,
}

/// Writes versions into a database.
pub(crate) struct Loader {
    pool: Pool,
    next: u16,
}

impl Loaded {
    /// Its conversation.
    pub(crate) fn conversation(self) -> ConversationId {
        ConversationId(self.key("7e00", 0))
    }

    /// The version.
    pub(crate) fn version(self) -> VersionId {
        VersionId(self.key("7f00", 0))
    }

    /// One of its users.
    pub(crate) fn user(self, n: u64) -> UserId {
        let scattered = n * 2_654_435_761 % 4_294_967_296;
        UserId(uuid(&format!("{scattered:08x}{:04x}70008000{n:012x}", self.number)))
    }

    /// What the provider calls the first message to one of its users.
    pub(crate) fn message(self, n: u64) -> String {
        format!("wamid.{:04x}.{n}", self.number)
    }

    fn key(self, kind: &str, n: u64) -> Uuid {
        uuid(&format!("01900000{:04x}{kind}8000{n:012x}", self.number))
    }
}

impl Story {
    /// The part of a thousand that a user belongs to, as SQL.
    const fn bucket(self) -> &'static str {
        match self {
            Self::Mixed => "(n * 7919 + 13) % 1000",
            Self::Accepted => "10 + 0 * n",
        }
    }
}

impl Loader {
    /// Connects to a database that has the schema.
    pub(crate) async fn new(url: &str) -> Result<Self> {
        let pool = if url.starts_with("sqlite:") {
            let options = sqlite_options(url)?.foreign_keys(false).synchronous(SqliteSynchronous::Off);
            let options = options.pragma("cache_size", "-400000").pragma("temp_store", "MEMORY");
            Pool::Sqlite(SqlitePoolOptions::new().max_connections(1).connect_with(options).await?)
        } else {
            Pool::connect(url, 1).await?
        };
        Ok(Self { pool, next: 1 })
    }

    /// Adds a line to a workspace, and returns its id.
    pub(crate) async fn line(&self, workspace: Uuid, phone_number_id: &str) -> Result<Uuid> {
        let line = Uuid::from_u128(workspace.as_u128() ^ 0xa);
        let (id, workspace) = (self.literal(line), self.literal(workspace));
        let sql = format!(
            "INSERT INTO lines (id, workspace_id, phone, phone_number_id, name, messages_per_second, external, created_at) \
             VALUES ({id}, {workspace}, '+15550001111', '{phone_number_id}', 'Bench', 80, false, {BASE})"
        );
        self.pool.run(sql).await?;
        Ok(line)
    }

    /// Loads a version of a conversation of its own.
    pub(crate) async fn version(&mut self, workspace: Uuid, line: Uuid, users: u64, story: Story) -> Result<Loaded> {
        let loaded = Loaded { number: self.next, users };
        self.next += 1;
        let generator = match self.pool.kind() {
            Kind::Postgres => include_str!("seed/generator.postgres.sql"),
            Kind::Sqlite => include_str!("seed/generator.sqlite.sql"),
        };
        let sql = format!("{generator}{ROWS}DROP TABLE seed;")
            .replace("{bucket}", story.bucket())
            .replace("{users}", &users.to_string())
            .replace("{base}", &BASE.to_string())
            .replace("{v}", &format!("{:04x}", loaded.number))
            .replace("{number}", &loaded.number.to_string())
            .replace("{name}", &format!("conversation {}", loaded.number))
            .replace("{workspace}", &self.literal(workspace))
            .replace("{line}", &self.literal(line))
            .replace("{conversation}", &self.literal(loaded.conversation().0))
            .replace("{version}", &self.literal(loaded.version().0));
        self.pool.run(sql).await?;
        Ok(loaded)
    }

    /// Tells the planner what there is now.
    pub(crate) async fn analyze(self) -> Result<()> {
        match self.pool.kind() {
            Kind::Postgres => self.pool.run_alone("VACUUM ANALYZE").await?,
            Kind::Sqlite => self.pool.run_alone("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)").await?,
        }
        match self.pool {
            Pool::Postgres(pool) => pool.close().await,
            Pool::Sqlite(pool) => pool.close().await,
        }
        Ok(())
    }

    fn literal(&self, id: Uuid) -> String {
        match self.pool.kind() {
            Kind::Postgres => format!("'{id}'::uuid"),
            Kind::Sqlite => format!("x'{}'", id.simple()),
        }
    }
}

fn uuid(digits: &str) -> Uuid {
    Uuid::try_parse(digits).unwrap_or_default()
}
