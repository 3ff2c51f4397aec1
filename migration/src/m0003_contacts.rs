//! Contacts. Phones are searched by prefix, for which an index must be ordered bytewise.

use crate::step::Step;

pub(crate) const STEP: Step = Step {
    name: "m0003_contacts",
    up: r#"
        CREATE TABLE contacts (
            id uuid NOT NULL PRIMARY KEY,
            workspace_id uuid NOT NULL REFERENCES workspaces,
            phone text COLLATE "C",
            wa_id text,
            provider_user_id text,
            name text,
            name_at bigint,
            opted_out_at bigint,
            created_at bigint NOT NULL,
            CONSTRAINT contacts_workspace_id_phone_key UNIQUE (workspace_id, phone),
            CONSTRAINT contacts_workspace_id_wa_id_key UNIQUE (workspace_id, wa_id),
            CONSTRAINT contacts_workspace_id_provider_user_id_key UNIQUE (workspace_id, provider_user_id),
            CONSTRAINT contacts_phone_wa_id_provider_user_id_check
                CHECK (phone IS NOT NULL OR wa_id IS NOT NULL OR provider_user_id IS NOT NULL),
            CONSTRAINT contacts_name_at_check CHECK ((name_at IS NULL) = (name IS NULL))
        );
    "#,
    down: "DROP TABLE contacts;",
};
