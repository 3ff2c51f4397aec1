//! Why and since when a line is stopped, and the conversation that answers on it.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0013_lines",
    up: "
        ALTER TABLE lines ADD COLUMN stopped_at bigint;
        ALTER TABLE lines ADD COLUMN stop_code integer;
        ALTER TABLE lines ADD COLUMN stop_text text;
        ALTER TABLE lines ADD COLUMN probe_at bigint;
        ALTER TABLE lines ADD COLUMN probes integer NOT NULL DEFAULT 0;
        ALTER TABLE lines ADD COLUMN resumed_at bigint;
        ALTER TABLE lines ADD COLUMN default_conversation_id uuid REFERENCES conversations;
    ",
    down: "
        ALTER TABLE lines DROP COLUMN default_conversation_id;
        ALTER TABLE lines DROP COLUMN resumed_at;
        ALTER TABLE lines DROP COLUMN probes;
        ALTER TABLE lines DROP COLUMN probe_at;
        ALTER TABLE lines DROP COLUMN stop_text;
        ALTER TABLE lines DROP COLUMN stop_code;
        ALTER TABLE lines DROP COLUMN stopped_at;
    ",
};
