//! Messages.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0008_messages",
    up: "
        CREATE TABLE messages (
            id uuid NOT NULL PRIMARY KEY,
            workspace_id uuid NOT NULL REFERENCES workspaces,
            user_id uuid NOT NULL REFERENCES users,
            deployment_id uuid NOT NULL REFERENCES deployments,
            line_id uuid NOT NULL REFERENCES lines,
            sender smallint NOT NULL CHECK (sender BETWEEN 0 AND 3),
            kind smallint NOT NULL CHECK (kind BETWEEN 0 AND 12),
            text text,
            payload text,
            provider_message_id text,
            at bigint NOT NULL,
            first boolean NOT NULL,
            revision bigint NOT NULL,
            accepted_at bigint,
            held_at bigint,
            sent_at bigint,
            delivered_at bigint,
            read_at bigint,
            failed_at bigint,
            failed_code integer,
            failed_reason smallint,
            failed_text text,
            refused_at bigint,
            refused_reason smallint,
            unknown_at bigint,
            CONSTRAINT messages_workspace_id_provider_message_id_key UNIQUE (workspace_id, provider_message_id),
            CONSTRAINT messages_failed_reason_check CHECK ((failed_reason IS NULL) = (failed_at IS NULL)),
            CONSTRAINT messages_failed_text_check CHECK ((failed_text IS NULL) = (failed_at IS NULL)),
            CONSTRAINT messages_refused_reason_check CHECK ((refused_reason IS NULL) = (refused_at IS NULL))
        ) WITH (fillfactor = 75);
        CREATE INDEX messages_user_id_at_id_idx
            ON messages (user_id, at, id);
        CREATE UNIQUE INDEX messages_deployment_id_first_key
            ON messages (deployment_id) WHERE first;
    ",
    down: "DROP TABLE messages;",
};
