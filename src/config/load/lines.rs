//! The names of the settings of single lines. No default names them, since the provider's id of the line is part of them.

/// The table of lines.
pub(super) const SECTION: &str = "whatsapp.lines";
/// The only setting of a line, as it is suggested in place of an unknown one.
pub(super) const TOKEN: &str = "whatsapp.lines.<phone number id>.access_token";
/// What the variables of lines begin with.
pub(super) const VARIABLE_PREFIX: &str = "BLUETICK_WHATSAPP_LINES_";
/// The variable of that setting.
pub(super) const TOKEN_VARIABLE: &str = "BLUETICK_WHATSAPP_LINES_<PHONE NUMBER ID>_ACCESS_TOKEN";

/// The provider's id of the line whose access token has this name.
pub(super) fn line_of(name: &str) -> Option<&str> {
    between(name, "whatsapp.lines.", ".access_token")
}

/// The name of the access token that a variable gives. The id is taken as it is written: the provider's are digits, which
/// have no case.
pub(super) fn token_of_variable(variable: &str) -> Option<String> {
    between(variable, VARIABLE_PREFIX, "_ACCESS_TOKEN").map(|line| format!("whatsapp.lines.{line}.access_token"))
}

fn between<'a>(text: &'a str, prefix: &str, suffix: &str) -> Option<&'a str> {
    text.strip_prefix(prefix)?.strip_suffix(suffix).filter(|line| !line.trim().is_empty())
}
