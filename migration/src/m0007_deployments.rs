//! Deployments, and their variables.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0007_deployments",
    up: r#"
        CREATE TABLE deployments (
            id uuid NOT NULL PRIMARY KEY,
            workspace_id uuid NOT NULL REFERENCES workspaces,
            user_id uuid NOT NULL REFERENCES users,
            version_id uuid NOT NULL REFERENCES versions,
            contact_id uuid NOT NULL REFERENCES contacts,
            line_id uuid NOT NULL REFERENCES lines,
            send_id uuid REFERENCES sends,
            number integer NOT NULL CHECK (number >= 1),
            queued_at bigint NOT NULL,
            dispatched_at bigint,
            began_at bigint,
            accepted_at bigint,
            held_at bigint,
            sent_at bigint,
            delivered_at bigint,
            read_at bigint,
            failed_at bigint,
            failed_code integer,
            failed_reason smallint,
            failed_text text,
            refused_at bigint,
            refused_reason smallint,
            unknown_at bigint,
            answered_at bigint,
            finished_at bigint,
            session_status smallint CHECK (session_status BETWEEN 0 AND 4),
            session_at bigint,
            CONSTRAINT deployments_user_id_number_key UNIQUE (user_id, number),
            CONSTRAINT deployments_failed_reason_check CHECK ((failed_reason IS NULL) = (failed_at IS NULL)),
            CONSTRAINT deployments_failed_text_check CHECK ((failed_text IS NULL) = (failed_at IS NULL)),
            CONSTRAINT deployments_refused_reason_check CHECK ((refused_reason IS NULL) = (refused_at IS NULL)),
            CONSTRAINT deployments_session_at_check CHECK ((session_at IS NULL) = (session_status IS NULL))
        ) WITH (fillfactor = 75);
        CREATE INDEX deployments_contact_id_line_id_began_at_idx
            ON deployments (contact_id, line_id, began_at) WHERE began_at IS NOT NULL;
        CREATE INDEX deployments_send_id_idx
            ON deployments (send_id) WHERE send_id IS NOT NULL;

        CREATE TABLE variables (
            deployment_id uuid NOT NULL REFERENCES deployments,
            name text COLLATE "C" NOT NULL,
            workspace_id uuid NOT NULL REFERENCES workspaces,
            value text NOT NULL,
            at bigint NOT NULL,
            PRIMARY KEY (deployment_id, name)
        );
    "#,
    down: "DROP TABLE variables; DROP TABLE deployments;",
};
