//! What must differ between SQLite and PostgreSQL, side by side.
