//! The causes of an error, for a log line or for the operator.

use std::error::Error;

/// What caused an error, the nearest cause first, without the error itself.
pub fn causes(error: &dyn Error) -> Vec<String> {
    std::iter::successors(error.source(), |&cause| cause.source()).map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("inner")]
    struct Inner(#[from] std::fmt::Error);

    #[test]
    fn causes_come_from_the_nearest_to_the_deepest() {
        assert_eq!(causes(&Outer(Inner(std::fmt::Error))), ["inner".to_owned(), std::fmt::Error.to_string()]);
        assert!(causes(&std::fmt::Error).is_empty());
    }
}
