//! Sends.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0005_sends",
    up: "
        CREATE TABLE sends (
            id uuid NOT NULL PRIMARY KEY,
            workspace_id uuid NOT NULL REFERENCES workspaces,
            conversation_id uuid NOT NULL REFERENCES conversations,
            version_id uuid NOT NULL REFERENCES versions,
            total_users integer NOT NULL,
            created_at bigint NOT NULL,
            scheduled_at bigint,
            completed_at bigint,
            canceled_at bigint,
            idempotency_key text,
            input_digest text,
            CONSTRAINT sends_workspace_id_idempotency_key_key UNIQUE (workspace_id, idempotency_key),
            CONSTRAINT sends_input_digest_check CHECK ((input_digest IS NULL) = (idempotency_key IS NULL))
        );
        CREATE INDEX sends_conversation_id_created_at_id_idx
            ON sends (conversation_id, created_at, id);
    ",
    down: "DROP TABLE sends;",
};
