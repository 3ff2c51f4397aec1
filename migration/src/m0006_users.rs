//! Users. Each index serves one filter or order of the users table, and ends in the id so that a page can begin
//! behind any row.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0006_users",
    up: "
        CREATE TABLE users (
            id uuid NOT NULL PRIMARY KEY,
            workspace_id uuid NOT NULL REFERENCES workspaces,
            version_id uuid NOT NULL REFERENCES versions,
            contact_id uuid NOT NULL REFERENCES contacts,
            deployments integer NOT NULL CHECK (deployments >= 1),
            deployed_at bigint NOT NULL,
            status smallint NOT NULL CHECK (status BETWEEN 0 AND 6),
            stage smallint CHECK (stage BETWEEN 0 AND 1),
            session_status smallint CHECK (session_status BETWEEN 0 AND 4),
            failure_reason smallint CHECK (failure_reason BETWEEN 0 AND 18),
            activity_at bigint NOT NULL DEFAULT 0,
            CONSTRAINT users_version_id_contact_id_key UNIQUE (version_id, contact_id),
            -- 6 is FAILED
            CONSTRAINT users_failure_reason_status_check CHECK ((failure_reason IS NOT NULL) = (status = 6))
        );
        CREATE INDEX users_version_id_deployed_at_id_idx
            ON users (version_id, deployed_at, id);
        CREATE INDEX users_version_id_status_deployed_at_id_idx
            ON users (version_id, status, deployed_at, id);
        CREATE INDEX users_version_id_activity_at_id_idx
            ON users (version_id, activity_at, id);
        CREATE INDEX users_version_id_stage_deployed_at_id_idx
            ON users (version_id, stage, deployed_at, id) WHERE stage IS NOT NULL;
        CREATE INDEX users_version_id_session_status_deployed_at_id_idx
            ON users (version_id, session_status, deployed_at, id) WHERE session_status IS NOT NULL;
        CREATE INDEX users_version_id_failure_reason_deployed_at_id_idx
            ON users (version_id, failure_reason, deployed_at, id) WHERE failure_reason IS NOT NULL;
    ",
    down: "DROP TABLE users;",
};
