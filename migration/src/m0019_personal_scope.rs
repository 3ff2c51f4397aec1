//! The scope of personal data. Tokens that are there already could see it, and still can.

use crate::step::Step;

/// A column's own check can be changed on neither database in the same words, so the column is made anew.
pub(crate) const STEP: Step = Step {
    name: "m0019_personal_scope",
    up: "
        ALTER TABLE tokens ADD COLUMN granted smallint NOT NULL DEFAULT 1 CHECK (granted BETWEEN 1 AND 15);
        UPDATE tokens SET granted = scopes | 8;
        ALTER TABLE tokens DROP COLUMN scopes;
        ALTER TABLE tokens RENAME COLUMN granted TO scopes;
    ",
    down: "
        ALTER TABLE tokens ADD COLUMN granted smallint NOT NULL DEFAULT 1 CHECK (granted BETWEEN 1 AND 7);
        UPDATE tokens SET granted = scopes & 7;
        ALTER TABLE tokens DROP COLUMN scopes;
        ALTER TABLE tokens RENAME COLUMN granted TO scopes;
    ",
};
