//! The tallies of versions and of sends.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0009_tally",
    up: "
        CREATE TABLE tally (
            version_id uuid NOT NULL REFERENCES versions,
            cell integer NOT NULL,
            workspace_id uuid NOT NULL REFERENCES workspaces,
            users bigint NOT NULL CHECK (users >= 0),
            PRIMARY KEY (version_id, cell)
        );

        CREATE TABLE send_tally (
            send_id uuid NOT NULL REFERENCES sends,
            cell integer NOT NULL,
            workspace_id uuid NOT NULL REFERENCES workspaces,
            deployments bigint NOT NULL CHECK (deployments >= 0),
            PRIMARY KEY (send_id, cell)
        );
    ",
    down: "DROP TABLE send_tally; DROP TABLE tally;",
};
