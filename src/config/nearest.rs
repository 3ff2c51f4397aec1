//! What somebody may have meant.

/// The candidate that differs least from `name`; the first of several.
pub(super) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a String>) -> Option<&'a String> {
    candidates.into_iter().min_by_key(|candidate| strsim::damerau_levenshtein(name, candidate))
}
