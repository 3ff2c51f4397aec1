//! A stand-in for the provider. It is repeatable: what happens to a message depends only on the seed, its line, its
//! recipient and how many came before it to that recipient on that line.

mod chance;
mod course;
mod settings;

pub use self::settings::{Delays, Faults, Outcomes, SettingsFault, SimulatorSettings, Span, Webhooks};
