//! The rules by which messages choose the inbound conversation that they begin.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0023_inbound_rules",
    up: "ALTER TABLE lines ADD COLUMN inbound_rules text;",
    down: "ALTER TABLE lines DROP COLUMN inbound_rules;",
};
