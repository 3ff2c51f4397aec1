//! Sessions: where users are in the flows of their versions, and what agents said to them.
//!
//! The outbox learns to hold what is said in sessions, which goes out before sends and one message of a session after the
//! other, and to know which calls were announced, whatever message they are for.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0024_sessions",
    up: r#"
        CREATE TABLE sessions (
            deployment_id uuid NOT NULL PRIMARY KEY REFERENCES deployments,
            workspace_id uuid NOT NULL REFERENCES workspaces,
            step text COLLATE "C",
            step_at bigint,
            invalid smallint NOT NULL,
            ended boolean NOT NULL,
            entered text NOT NULL,
            answered text NOT NULL,
            agent text COLLATE "C",
            agent_at bigint,
            expires_at bigint,
            said_at bigint,
            jumping boolean NOT NULL,
            CONSTRAINT sessions_step_step_at_check CHECK ((step IS NULL) = (step_at IS NULL)),
            CONSTRAINT sessions_agent_agent_at_check CHECK ((agent IS NULL) = (agent_at IS NULL))
        );
        CREATE INDEX sessions_expires_at_idx
            ON sessions (expires_at) WHERE expires_at IS NOT NULL;
        CREATE INDEX deployments_workspace_id_session_at_id_idx
            ON deployments (workspace_id, session_at, id) WHERE session_status IS NOT NULL;
        CREATE INDEX deployments_workspace_id_session_status_session_at_id_idx
            ON deployments (workspace_id, session_status, session_at, id) WHERE session_status IS NOT NULL;

        CREATE TABLE funnel (
            version_id uuid NOT NULL REFERENCES versions,
            step text COLLATE "C" NOT NULL,
            workspace_id uuid NOT NULL REFERENCES workspaces,
            entered bigint NOT NULL CHECK (entered >= 0),
            answered bigint NOT NULL CHECK (answered >= 0),
            left_here bigint NOT NULL CHECK (left_here >= 0),
            PRIMARY KEY (version_id, step)
        );
        CREATE TABLE funnel_times (
            version_id uuid NOT NULL REFERENCES versions,
            step text COLLATE "C" NOT NULL,
            seconds bigint NOT NULL CHECK (seconds >= 0),
            workspace_id uuid NOT NULL REFERENCES workspaces,
            answers bigint NOT NULL CHECK (answers > 0),
            PRIMARY KEY (version_id, step, seconds)
        );

        ALTER TABLE outbox ADD COLUMN announced_at bigint;
        ALTER TABLE outbox ADD COLUMN contact_id uuid;
        ALTER TABLE outbox ADD COLUMN said_at bigint;
        UPDATE outbox SET announced_at = claimed_at WHERE claimed_at IS NOT NULL AND EXISTS (SELECT 1 FROM messages m
            JOIN deployments d ON d.id = m.deployment_id WHERE m.id = outbox.message_id AND d.dispatched_at IS NOT NULL);
        CREATE INDEX outbox_line_id_due_at_message_id_idx
            ON outbox (line_id, due_at, message_id) WHERE said_at IS NOT NULL AND claimed_at IS NULL;
        CREATE INDEX outbox_contact_id_said_at_idx
            ON outbox (contact_id, said_at) WHERE said_at IS NOT NULL;
    "#,
    down: "
        DELETE FROM outbox WHERE said_at IS NOT NULL;
        DROP INDEX outbox_contact_id_said_at_idx;
        DROP INDEX outbox_line_id_due_at_message_id_idx;
        ALTER TABLE outbox DROP COLUMN said_at;
        ALTER TABLE outbox DROP COLUMN contact_id;
        ALTER TABLE outbox DROP COLUMN announced_at;
        DROP TABLE funnel_times;
        DROP TABLE funnel;
        DROP INDEX deployments_workspace_id_session_status_session_at_id_idx;
        DROP INDEX deployments_workspace_id_session_at_id_idx;
        DROP TABLE sessions;
    ",
};
