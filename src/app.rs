//! Builds everything; start and shutdown.
