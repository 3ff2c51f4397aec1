//! Keyset pages in SQL.
