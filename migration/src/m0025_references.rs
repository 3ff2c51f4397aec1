//! References that others imply: of what is written for every message, PostgreSQL looks each up with a statement of its own,
//! which took a fifth of its time. A message belongs to a deployment, which has the references to all else; what waits for
//! its call refers to the message, a variable to its deployment, a change to its user. And what is said in sessions needs no
//! place in the queues of sends.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0025_references",
    up: "
        ALTER TABLE messages DROP CONSTRAINT messages_workspace_id_fkey;
        ALTER TABLE messages DROP CONSTRAINT messages_user_id_fkey;
        ALTER TABLE messages DROP CONSTRAINT messages_line_id_fkey;
        ALTER TABLE outbox DROP CONSTRAINT outbox_workspace_id_fkey;
        ALTER TABLE outbox DROP CONSTRAINT outbox_line_id_fkey;
        ALTER TABLE variables DROP CONSTRAINT variables_workspace_id_fkey;
        ALTER TABLE changes DROP CONSTRAINT changes_version_id_fkey;
        DROP INDEX outbox_send_id_due_at_message_id_idx;
        CREATE INDEX outbox_send_id_due_at_message_id_idx
            ON outbox (send_id, due_at, message_id) WHERE claimed_at IS NULL AND send_id IS NOT NULL;
    ",
    down: "
        DROP INDEX outbox_send_id_due_at_message_id_idx;
        CREATE INDEX outbox_send_id_due_at_message_id_idx
            ON outbox (send_id, due_at, message_id) WHERE claimed_at IS NULL;
        ALTER TABLE changes ADD CONSTRAINT changes_version_id_fkey FOREIGN KEY (version_id) REFERENCES versions;
        ALTER TABLE variables ADD CONSTRAINT variables_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces;
        ALTER TABLE outbox ADD CONSTRAINT outbox_line_id_fkey FOREIGN KEY (line_id) REFERENCES lines;
        ALTER TABLE outbox ADD CONSTRAINT outbox_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces;
        ALTER TABLE messages ADD CONSTRAINT messages_line_id_fkey FOREIGN KEY (line_id) REFERENCES lines;
        ALTER TABLE messages ADD CONSTRAINT messages_user_id_fkey FOREIGN KEY (user_id) REFERENCES users;
        ALTER TABLE messages ADD CONSTRAINT messages_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces;
    ",
};
