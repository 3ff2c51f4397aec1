//! Sends that are paused, that retry another one, or whose deployments are still to be made from a list. The partial
//! indexes hold what is still to be done, so finding it costs nothing where nothing is.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0015_sends",
    up: r#"
        ALTER TABLE sends ADD COLUMN paused_at bigint;
        ALTER TABLE sends ADD COLUMN time_to_live integer;
        ALTER TABLE sends ADD COLUMN prepared integer;
        ALTER TABLE sends ADD COLUMN retry_of uuid REFERENCES sends;
        CREATE INDEX sends_conversation_id_idx
            ON sends (conversation_id) WHERE completed_at IS NULL AND canceled_at IS NULL AND paused_at IS NULL;
        CREATE INDEX sends_prepared_idx
            ON sends (prepared) WHERE prepared IS NOT NULL;
        CREATE INDEX sends_canceled_at_idx
            ON sends (canceled_at) WHERE canceled_at IS NOT NULL AND completed_at IS NULL;

        CREATE TABLE uploads (
            id uuid NOT NULL PRIMARY KEY,
            workspace_id uuid NOT NULL REFERENCES workspaces,
            touched_at bigint NOT NULL
        );

        CREATE TABLE staged (
            send_id uuid NOT NULL,
            number integer NOT NULL,
            workspace_id uuid NOT NULL REFERENCES workspaces,
            phone text COLLATE "C",
            variables text,
            retry_of uuid REFERENCES deployments,
            due_at bigint,
            PRIMARY KEY (send_id, number),
            CONSTRAINT staged_send_id_phone_key UNIQUE (send_id, phone),
            CONSTRAINT staged_phone_retry_of_check CHECK ((phone IS NULL) <> (retry_of IS NULL))
        );
        CREATE UNIQUE INDEX staged_retry_of_key
            ON staged (retry_of) WHERE retry_of IS NOT NULL;
    "#,
    down: "
        DROP TABLE staged;
        DROP TABLE uploads;
        DROP INDEX sends_canceled_at_idx;
        DROP INDEX sends_prepared_idx;
        DROP INDEX sends_conversation_id_idx;
        ALTER TABLE sends DROP COLUMN retry_of;
        ALTER TABLE sends DROP COLUMN prepared;
        ALTER TABLE sends DROP COLUMN time_to_live;
        ALTER TABLE sends DROP COLUMN paused_at;
    ",
};
