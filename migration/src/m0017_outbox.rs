//! The outbox by send: a line's sends take turns, and what a paused send holds costs nothing to pass over.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0017_outbox",
    up: "
        ALTER TABLE outbox ADD COLUMN send_id uuid REFERENCES sends;
        UPDATE outbox SET send_id = (SELECT d.send_id FROM messages m JOIN deployments d ON d.id = m.deployment_id
            WHERE m.id = outbox.message_id);
        DROP INDEX outbox_line_id_due_at_message_id_idx;
        DROP INDEX outbox_line_id_claimed_at_idx;
        CREATE INDEX outbox_send_id_due_at_message_id_idx
            ON outbox (send_id, due_at, message_id) WHERE claimed_at IS NULL;
        CREATE INDEX outbox_claimed_at_idx
            ON outbox (claimed_at) WHERE claimed_at IS NOT NULL;
        CREATE INDEX outbox_line_id_epoch_idx
            ON outbox (line_id, epoch) WHERE claimed_at IS NOT NULL;
    ",
    down: "
        DROP INDEX outbox_line_id_epoch_idx;
        DROP INDEX outbox_claimed_at_idx;
        DROP INDEX outbox_send_id_due_at_message_id_idx;
        CREATE INDEX outbox_line_id_due_at_message_id_idx
            ON outbox (line_id, due_at, message_id) WHERE claimed_at IS NULL;
        CREATE INDEX outbox_line_id_claimed_at_idx
            ON outbox (line_id, claimed_at) WHERE claimed_at IS NOT NULL;
        ALTER TABLE outbox DROP COLUMN send_id;
    ",
};
