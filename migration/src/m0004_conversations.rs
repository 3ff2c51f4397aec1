//! Conversations, their versions, and the names of the variables that occur in these.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0004_conversations",
    up: r#"
        CREATE TABLE conversations (
            id uuid NOT NULL PRIMARY KEY,
            workspace_id uuid NOT NULL REFERENCES workspaces,
            line_id uuid NOT NULL REFERENCES lines,
            name text COLLATE "C" NOT NULL,
            name_folded text COLLATE "C" NOT NULL,
            direction smallint NOT NULL CHECK (direction BETWEEN 0 AND 1),
            versions integer NOT NULL CHECK (versions >= 1),
            created_at bigint NOT NULL,
            archived_at bigint
        );
        CREATE INDEX conversations_workspace_id_created_at_id_idx
            ON conversations (workspace_id, created_at, id);
        CREATE INDEX conversations_workspace_id_name_id_idx
            ON conversations (workspace_id, name, id);
        CREATE INDEX conversations_line_id_created_at_idx
            ON conversations (line_id, created_at);

        CREATE TABLE versions (
            id uuid NOT NULL PRIMARY KEY,
            workspace_id uuid NOT NULL REFERENCES workspaces,
            conversation_id uuid NOT NULL REFERENCES conversations,
            number integer NOT NULL CHECK (number >= 1),
            published_at bigint NOT NULL,
            flow text NOT NULL,
            revision bigint NOT NULL DEFAULT 0 CHECK (revision >= 0),
            changed_at bigint,
            total_deployments bigint NOT NULL DEFAULT 0,
            CONSTRAINT versions_conversation_id_number_key UNIQUE (conversation_id, number)
        );

        CREATE TABLE variable_names (
            version_id uuid NOT NULL REFERENCES versions,
            name text COLLATE "C" NOT NULL,
            workspace_id uuid NOT NULL REFERENCES workspaces,
            PRIMARY KEY (version_id, name)
        );
    "#,
    down: "DROP TABLE variable_names; DROP TABLE versions; DROP TABLE conversations;",
};
