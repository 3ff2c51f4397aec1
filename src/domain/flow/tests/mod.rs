//! What holds of every flow: the engine follows a naive model, and the check names the place of whatever is wrong.

mod checks;
mod draw;
#[path = "../../../../tests/support/model.rs"]
mod model;
mod runs;
