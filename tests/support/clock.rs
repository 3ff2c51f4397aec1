//! The system clock, which a test can put forward.

use std::sync::Mutex;
use std::time::Duration;

use bluetick::domain::clock::{Clock, SystemClock, Timestamp};

/// A clock that is ahead of the system clock by the sum of its advances.
#[derive(Default)]
pub(crate) struct TestClock(Mutex<Duration>);

impl TestClock {
    /// Puts the clock forward.
    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }

    /// Whole seconds since 1970, as the provider counts.
    pub(crate) fn seconds(&self) -> i64 {
        self.now().seconds()
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(*self.0.lock().unwrap())
    }
}
