//! When messages that are on their way expire, and which deployments retry the one before them.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0016_expiry",
    up: "
        ALTER TABLE messages ADD COLUMN time_to_live integer;
        ALTER TABLE messages ADD COLUMN expires_at bigint;
        CREATE INDEX messages_expires_at_idx
            ON messages (expires_at) WHERE expires_at IS NOT NULL;
        ALTER TABLE deployments ADD COLUMN retries boolean NOT NULL DEFAULT FALSE;
    ",
    down: "
        ALTER TABLE deployments DROP COLUMN retries;
        DROP INDEX messages_expires_at_idx;
        ALTER TABLE messages DROP COLUMN expires_at;
        ALTER TABLE messages DROP COLUMN time_to_live;
    ",
};
