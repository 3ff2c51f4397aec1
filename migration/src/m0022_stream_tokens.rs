//! Tokens that open subscriptions for a short time.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0022_stream_tokens",
    up: "
        CREATE TABLE stream_tokens (
            hash text NOT NULL PRIMARY KEY,
            workspace_id uuid NOT NULL REFERENCES workspaces,
            token_id uuid NOT NULL,
            person text,
            scopes smallint NOT NULL CHECK (scopes BETWEEN 1 AND 15),
            expires_at bigint NOT NULL,
            ends_at bigint
        );
        CREATE INDEX stream_tokens_token_id_expires_at_idx
            ON stream_tokens (token_id, expires_at);
        CREATE INDEX stream_tokens_expires_at_idx
            ON stream_tokens (expires_at);
    ",
    down: "DROP TABLE stream_tokens;",
};
