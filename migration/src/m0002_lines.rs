//! Lines, and the leases by which nodes share them out.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0002_lines",
    up: "
        CREATE TABLE lines (
            id uuid NOT NULL PRIMARY KEY,
            workspace_id uuid NOT NULL REFERENCES workspaces,
            phone text NOT NULL,
            phone_number_id text NOT NULL UNIQUE,
            name text NOT NULL,
            messages_per_second integer NOT NULL CHECK (messages_per_second > 0),
            external boolean NOT NULL,
            created_at bigint NOT NULL
        );

        CREATE TABLE leases (
            line_id uuid NOT NULL PRIMARY KEY REFERENCES lines,
            owner uuid NOT NULL,
            epoch bigint NOT NULL,
            expires_at bigint NOT NULL
        );
    ",
    down: "DROP TABLE leases; DROP TABLE lines;",
};
