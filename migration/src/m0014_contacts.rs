//! When contacts last said whether they may be written to, when the provider last named them as blocked, and whom a
//! workspace reached lately.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0014_contacts",
    up: "
        ALTER TABLE contacts ADD COLUMN preference_at bigint;
        ALTER TABLE contacts ADD COLUMN blocked_at bigint;
        UPDATE contacts SET preference_at = opted_out_at;

        CREATE TABLE reached (
            workspace_id uuid NOT NULL REFERENCES workspaces,
            contact_id uuid NOT NULL REFERENCES contacts,
            at bigint NOT NULL,
            PRIMARY KEY (workspace_id, contact_id)
        );
        CREATE INDEX reached_workspace_id_at_idx
            ON reached (workspace_id, at);
    ",
    down: "
        DROP TABLE reached;
        ALTER TABLE contacts DROP COLUMN blocked_at;
        ALTER TABLE contacts DROP COLUMN preference_at;
    ",
};
