//! Why an element of a webhook is kept instead of recorded.

/// Valid JSON, but not shaped like a webhook.
pub const FOREIGN_SHAPE: &str = "foreign_shape";
/// A change of a field other than `messages`.
pub const UNKNOWN_FIELD: &str = "unknown_field";
/// A change with neither statuses nor messages nor errors.
pub const NOTHING_KNOWN: &str = "nothing_known";
/// A status or message of a number that is no line of ours.
pub const UNKNOWN_LINE: &str = "unknown_line";
/// An error that the provider reports of no message.
pub const PROVIDER_ERROR: &str = "provider_error";
/// A status of a name not known here.
pub const UNKNOWN_STATUS: &str = "unknown_status";
/// No id, or one that cannot be stored.
pub const BAD_ID: &str = "bad_id";
/// No time, one that cannot be read, or one outside 1970 to 2099.
pub const BAD_TIMESTAMP: &str = "bad_timestamp";
/// A time that has not come yet.
pub const TIME_AHEAD: &str = "time_ahead";
/// A message of nobody.
pub const NO_SENDER: &str = "no_sender";
/// A text that is too long or has a NUL.
pub const BAD_TEXT: &str = "bad_text";
/// A content that is too large, has a NUL, or is no Unicode.
pub const BAD_PAYLOAD: &str = "bad_payload";
/// A status or message of a group.
pub const GROUP: &str = "group";
/// A notice of WhatsApp's own, such as a changed number; the user did nothing.
pub const SYSTEM: &str = "system";
