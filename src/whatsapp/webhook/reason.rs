//! The reasons why an element of a webhook is kept instead of recorded.

/// Valid JSON that does not have the structure of a webhook.
pub const FOREIGN_SHAPE: &str = "foreign_shape";
/// A change of a field other than `messages` and `user_preferences`.
pub const UNKNOWN_FIELD: &str = "unknown_field";
/// A change without statuses, messages, preferences or errors.
pub const NOTHING_KNOWN: &str = "nothing_known";
/// A status, message or preference on a number that is not one of our lines.
pub const UNKNOWN_LINE: &str = "unknown_line";
/// An error that the provider reports without reference to a message.
pub const PROVIDER_ERROR: &str = "provider_error";
/// A status with an unknown name.
pub const UNKNOWN_STATUS: &str = "unknown_status";
/// A preference of an unknown category, or neither to stop nor to resume.
pub const UNKNOWN_PREFERENCE: &str = "unknown_preference";
/// A missing id, or one that cannot be stored.
pub const BAD_ID: &str = "bad_id";
/// A missing or malformed time, or one outside 1970 to 2099.
pub const BAD_TIMESTAMP: &str = "bad_timestamp";
/// A time that is too far in the future.
pub const TIME_AHEAD: &str = "time_ahead";
/// A message without a sender.
pub const NO_SENDER: &str = "no_sender";
/// A text that is too long or contains a NUL.
pub const BAD_TEXT: &str = "bad_text";
/// A payload that is too large, contains a NUL, or is not valid Unicode.
pub const BAD_PAYLOAD: &str = "bad_payload";
/// A status or message in a group.
pub const GROUP: &str = "group";
/// A notice by WhatsApp itself, for example about a changed number, rather than an action of the user.
pub const SYSTEM: &str = "system";
