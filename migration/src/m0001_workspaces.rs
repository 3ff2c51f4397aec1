//! Workspaces, and the tokens that open them.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0001_workspaces",
    up: "
        CREATE TABLE workspaces (
            id uuid NOT NULL PRIMARY KEY,
            name text NOT NULL UNIQUE,
            created_at bigint NOT NULL
        );

        CREATE TABLE tokens (
            id uuid NOT NULL PRIMARY KEY,
            workspace_id uuid NOT NULL REFERENCES workspaces,
            hash text NOT NULL UNIQUE,
            scopes smallint NOT NULL CHECK (scopes BETWEEN 1 AND 7),
            created_at bigint NOT NULL,
            revoked_at bigint
        );
    ",
    down: "DROP TABLE tokens; DROP TABLE workspaces;",
};
