//! Parked facts and kept payloads: what came in and could not be recorded, yet or at all.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0012_parked",
    up: "
        CREATE TABLE parked (
            id uuid NOT NULL PRIMARY KEY,
            workspace_id uuid NOT NULL REFERENCES workspaces,
            key text NOT NULL,
            digest text NOT NULL,
            fact text NOT NULL,
            parked_at bigint NOT NULL,
            expires_at bigint NOT NULL,
            CONSTRAINT parked_workspace_id_digest_key UNIQUE (workspace_id, digest)
        );
        CREATE INDEX parked_workspace_id_key_idx
            ON parked (workspace_id, key);
        CREATE INDEX parked_expires_at_idx
            ON parked (expires_at);
        CREATE INDEX parked_parked_at_idx
            ON parked (parked_at);

        CREATE TABLE kept (
            id uuid NOT NULL PRIMARY KEY,
            workspace_id uuid REFERENCES workspaces,
            reason text NOT NULL,
            payload text NOT NULL,
            kept_at bigint NOT NULL
        );
        CREATE INDEX kept_kept_at_idx
            ON kept (kept_at);
    ",
    down: "DROP TABLE kept; DROP TABLE parked;",
};
