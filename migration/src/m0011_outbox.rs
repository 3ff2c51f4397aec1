//! The outbox. One index is of what waits, the other of what was taken, so that neither grows with the other.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0011_outbox",
    up: "
        CREATE TABLE outbox (
            message_id uuid NOT NULL PRIMARY KEY REFERENCES messages,
            workspace_id uuid NOT NULL REFERENCES workspaces,
            line_id uuid NOT NULL REFERENCES lines,
            due_at bigint NOT NULL,
            attempt integer NOT NULL DEFAULT 0,
            claimed_at bigint,
            epoch bigint,
            CONSTRAINT outbox_epoch_check CHECK ((epoch IS NULL) = (claimed_at IS NULL))
        );
        CREATE INDEX outbox_line_id_due_at_message_id_idx
            ON outbox (line_id, due_at, message_id) WHERE claimed_at IS NULL;
        CREATE INDEX outbox_line_id_claimed_at_idx
            ON outbox (line_id, claimed_at) WHERE claimed_at IS NOT NULL;
    ",
    down: "DROP TABLE outbox;",
};
