//! Who wrote what, and when.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0021_audit",
    up: "
        CREATE TABLE audit (
            id uuid NOT NULL PRIMARY KEY,
            workspace_id uuid NOT NULL REFERENCES workspaces,
            at bigint NOT NULL,
            action text NOT NULL,
            token_id uuid,
            person text,
            request_id text,
            outcome smallint CHECK (outcome BETWEEN 0 AND 1),
            subject text
        );
        CREATE INDEX audit_workspace_id_at_id_idx
            ON audit (workspace_id, at, id);
        CREATE INDEX audit_at_idx
            ON audit (at);
    ",
    down: "DROP TABLE audit;",
};
