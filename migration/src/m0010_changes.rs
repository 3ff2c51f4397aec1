//! The log of changes.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0010_changes",
    up: "
        CREATE TABLE changes (
            version_id uuid NOT NULL REFERENCES versions,
            revision bigint NOT NULL CHECK (revision >= 1),
            -- The user's, who has the reference.
            workspace_id uuid NOT NULL,
            user_id uuid NOT NULL REFERENCES users,
            at bigint NOT NULL,
            kinds integer NOT NULL CHECK (kinds > 0),
            cell_before integer,
            cell integer NOT NULL,
            PRIMARY KEY (version_id, revision)
        );
    ",
    down: "DROP TABLE changes;",
};
