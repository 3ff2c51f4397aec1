//! How far the log of each version was trimmed.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0018_trimming",
    up: "
        ALTER TABLE versions ADD COLUMN trimmed bigint NOT NULL DEFAULT 0 CHECK (trimmed >= 0);
    ",
    down: "ALTER TABLE versions DROP COLUMN trimmed;",
};
