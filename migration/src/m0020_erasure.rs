//! When a contact's data was erased, and an index by which a contact's users are found.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0020_erasure",
    up: "
        ALTER TABLE contacts ADD COLUMN erased_at bigint;
        CREATE INDEX users_contact_id_idx
            ON users (contact_id);
    ",
    down: "
        DROP INDEX users_contact_id_idx;
        ALTER TABLE contacts DROP COLUMN erased_at;
    ",
};
