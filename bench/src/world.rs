//! Everything that is measured on: a loaded database and the two servers.

use bluetick::auth::{Scopes, create_token};
use bluetick::domain::clock::SystemClock;
use bluetick::storage;
use uuid::Uuid;

use crate::Result;
use crate::database::{Database, Kind, Pool};
use crate::options::Options;
use crate::process::Server;
use crate::report::say;
use crate::seed::{Loaded, Loader, Story};

/// What the provider calls the line that facts come in on.
pub(crate) const PHONE_NUMBER_ID: &str = "106540352242922";

/// How many conversations are listed, and how many users each has.
const LISTED: (usize, u64) = (50, 200);

/// A loaded database and the two servers.
pub(crate) struct World {
    database: Database,
    /// Bluetick.
    pub(crate) bluetick: Server,
    /// The limit.
    pub(crate) limit: Server,
    /// Connections of the benchmark's own.
    pub(crate) pool: Pool,
    /// The workspace of the versions below.
    pub(crate) large: Workspace,
    /// The workspace of the conversations that are listed.
    pub(crate) listed: Workspace,
    /// Versions by size, the smallest first.
    pub(crate) sizes: Vec<Loaded>,
    /// The version that facts are recorded of by Bluetick.
    pub(crate) ingest: Loaded,
    /// The version that the limit records facts of.
    pub(crate) ingest_alone: Loaded,
}

/// A workspace, and a token for it.
pub(crate) struct Workspace {
    /// Its id.
    pub(crate) id: Uuid,
    /// A token that may read.
    pub(crate) token: String,
}

impl World {
    /// Makes it.
    pub(crate) async fn make(kind: Kind, options: &Options) -> Result<Self> {
        let database = Database::make(kind).await?;
        let storage = storage::Database::connect(&database.url, 2).await?;
        storage.migrate().await?;
        let (large, listed) = (workspace(&storage, "large").await?, workspace(&storage, "listed").await?);
        let mut loader = Loader::new(&database.url).await?;
        let line = loader.line(large.id, PHONE_NUMBER_ID).await?;
        let mut sizes = Vec::new();
        for &users in &options.users {
            say(format!("{kind}: loading {users} users"));
            sizes.push(loader.version(large.id, line, users, Story::Mixed).await?);
        }
        let ingest = loader.version(large.id, line, options.ingest_users, Story::Accepted).await?;
        let ingest_alone = loader.version(large.id, line, options.ingest_users / 10, Story::Accepted).await?;
        let line = loader.line(listed.id, "listed").await?;
        for _ in 0..LISTED.0 {
            loader.version(listed.id, line, LISTED.1, Story::Mixed).await?;
        }
        loader.analyze().await?;
        say(format!("{kind}: loaded; starting the servers"));
        let name = database.name.as_deref();
        let bluetick = Server::bluetick(&database.url, name).await?;
        let limit = Server::limit(&database.url, name).await?;
        let pool = Pool::connect(&database.url, 2).await?;
        Ok(Self { database, bluetick, limit, pool, large, listed, sizes, ingest, ingest_alone })
    }

    /// The largest version.
    pub(crate) fn largest(&self) -> Result<Loaded> {
        self.sizes.last().copied().ok_or_else(|| "--users names no size".into())
    }

    /// Recounts everything where that is wanted, and clears up.
    pub(crate) async fn finish(self, options: &Options) -> Result<()> {
        drop((self.bluetick, self.limit));
        self.database.finish(options.verify).await
    }
}

async fn workspace(storage: &storage::Database, name: &str) -> Result<Workspace> {
    let scopes: Scopes = "read,personal".parse()?;
    let token = create_token(storage, &SystemClock, name, scopes).await?.token.expose().to_owned();
    let id = storage::tokens::list(storage).await?.into_iter().find(|token| token.workspace_name == name);
    let id = id.ok_or("the workspace was not made")?.workspace.0;
    Ok(Workspace { id, token })
}
