//! Ranges of time.

use async_graphql::InputObject;

use crate::domain::filter::TimeRange;
use crate::domain::input::Fault;
use crate::graphql::error::{ApiError, Result};
use crate::graphql::given::Given;
use crate::graphql::place::Place;
use crate::graphql::scalars::DateTime;

/// A range of time. `from` is inclusive and `to` is exclusive, so adjacent ranges neither overlap nor leave a gap. If
/// both are given, `from` must be earlier than `to`.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct DateTimeRange {
    /// The first instant of the range. If omitted, the range has no beginning.
    from: Option<Given<DateTime>>,
    /// The first instant after the range. If omitted, the range has no end.
    to: Option<Given<DateTime>>,
}

impl DateTimeRange {
    /// The range, or an error that names the place at fault.
    pub(crate) fn read(&self, place: &Place) -> Result<TimeRange> {
        let from = Given::read_field(self.from.as_ref(), place, "from")?;
        let to = Given::read_field(self.to.as_ref(), place, "to")?;
        let range = TimeRange { from: from.map(|DateTime(from)| from), to: to.map(|DateTime(to)| to) };
        match range {
            TimeRange { from: Some(from), to: Some(to) } if from >= to => {
                Err(ApiError::Argument(place.clone(), Fault::new("is empty: \"from\" must be earlier than \"to\"")))
            }
            range => Ok(range),
        }
    }
}
