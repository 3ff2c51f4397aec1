//! What the message of a call says and what it offers to answer by, validated as the provider does.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::error_answer::ErrorAnswer;
use crate::domain::outgoing::Choice;

/// What a message says, as far as it decides how users answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    /// Its text, or the name of its template.
    pub(super) text: String,
    /// What it offers to answer by.
    pub(super) offer: Offer,
    /// Whether it may be sent only within the customer service window: everything but a template.
    pub(super) free_form: bool,
}

/// What a message offers to answer by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Offer {
    /// Nothing, so users can only write.
    Nothing,
    /// The buttons of a template whose call says nothing about them.
    OwnButtons,
    /// The payloads of a template's quick-reply buttons.
    Payloads(Vec<String>),
    /// Reply buttons.
    Buttons(Vec<Choice>),
    /// The rows of a list.
    Rows(Vec<Choice>),
}

const UNSUPPORTED_TYPE: i32 = 131_051;

// The provider's limits in characters, and in numbers of elements.
const MAX_TEXT_CHARS: usize = 4_096;
const MAX_BODY_CHARS: usize = 1_024;
const MAX_FOOTER_CHARS: usize = 60;
const MAX_CAPTION_CHARS: usize = 1_024;
const MAX_BUTTON_ID_CHARS: usize = 256;
const MAX_BUTTON_TITLE_CHARS: usize = 20;
const MAX_ROW_ID_CHARS: usize = 200;
const MAX_ROW_TITLE_CHARS: usize = 24;
const MAX_DESCRIPTION_CHARS: usize = 72;
const BUTTONS: RangeInclusive<usize> = 1..=3;
const ROWS: RangeInclusive<usize> = 1..=10;

impl Content {
    /// Reads the content of a call's body.
    pub(super) fn read(body: &Value) -> Result<Self, ErrorAnswer> {
        match body.get("type").and_then(Value::as_str) {
            Some("template") => read_template(body),
            Some("text") => Ok(Self::free_form(limited(body, "/text/body", MAX_TEXT_CHARS)?, Offer::Nothing)),
            Some("interactive") => read_interactive(body),
            Some(media @ ("image" | "video" | "audio" | "document")) => read_media(body, media),
            _ => Err(ErrorAnswer::new(UNSUPPORTED_TYPE, "Messages of this type cannot be sent here")),
        }
    }

    fn free_form(text: &str, offer: Offer) -> Self {
        Self { text: text.to_owned(), offer, free_form: true }
    }
}

fn read_template(body: &Value) -> Result<Content, ErrorAnswer> {
    let name = required(body, "/template/name")?;
    required(body, "/template/language/code")?;
    let components = body.pointer("/template/components").and_then(Value::as_array);
    let components = components.map(Vec::as_slice).unwrap_or_default();
    components.iter().try_for_each(check_component)?;
    let payload = |component: &Value| component.pointer("/parameters/0/payload")?.as_str().map(str::to_owned);
    let payloads: Vec<String> = components.iter().filter_map(payload).collect();
    let offer = if payloads.is_empty() { Offer::OwnButtons } else { Offer::Payloads(payloads) };
    Ok(Content { text: name.to_owned(), offer, free_form: false })
}

fn check_component(component: &Value) -> Result<(), ErrorAnswer> {
    if required(component, "/type")? == "button" {
        required(component, "/sub_type")?;
        required(component, "/index")?;
    }
    let parameters = component.get("parameters").and_then(Value::as_array);
    parameters.into_iter().flatten().try_for_each(check_parameter)
}

fn check_parameter(parameter: &Value) -> Result<(), ErrorAnswer> {
    match parameter.get("type").and_then(Value::as_str) {
        Some("text") => required(parameter, "/text").map(drop),
        Some("payload") => required(parameter, "/payload").map(drop),
        _ => Ok(()),
    }
}

fn read_interactive(body: &Value) -> Result<Content, ErrorAnswer> {
    let offer = match required(body, "/interactive/type")? {
        "button" => Offer::Buttons(read_buttons(body)?),
        "list" => Offer::Rows(read_rows(body)?),
        _ => return Err(ErrorAnswer::invalid("/interactive/type is neither button nor list")),
    };
    optional(body, "/interactive/footer/text", MAX_FOOTER_CHARS)?;
    Ok(Content::free_form(limited(body, "/interactive/body/text", MAX_BODY_CHARS)?, offer))
}

fn read_buttons(body: &Value) -> Result<Vec<Choice>, ErrorAnswer> {
    let buttons = elements(body, "/interactive/action/buttons")?;
    check_count("/interactive/action/buttons", buttons.len(), BUTTONS)?;
    let buttons: Vec<Choice> = buttons.iter().map(read_button).collect::<Result<_, _>>()?;
    let unique = buttons.iter().enumerate().all(|(index, one)| {
        let earlier = buttons.iter().take(index);
        earlier.filter(|other| other.title == one.title).count() == 0
    });
    if unique { Ok(buttons) } else { Err(ErrorAnswer::invalid("The titles of the buttons are not unique")) }
}

fn read_button(button: &Value) -> Result<Choice, ErrorAnswer> {
    if required(button, "/type")? != "reply" {
        return Err(ErrorAnswer::invalid("A button's type is not reply"));
    }
    let id = limited(button, "/reply/id", MAX_BUTTON_ID_CHARS)?;
    Ok(Choice::new(id, limited(button, "/reply/title", MAX_BUTTON_TITLE_CHARS)?))
}

fn read_rows(body: &Value) -> Result<Vec<Choice>, ErrorAnswer> {
    limited(body, "/interactive/action/button", MAX_BUTTON_TITLE_CHARS)?;
    let sections = elements(body, "/interactive/action/sections")?;
    let mut rows = Vec::new();
    for section in sections {
        match optional(section, "/title", MAX_ROW_TITLE_CHARS)? {
            // Only a single section may go without a title.
            None if sections.len() > 1 => return Err(ErrorAnswer::missing("A section's title")),
            _ => rows.extend(elements(section, "/rows")?),
        }
    }
    check_count("/interactive/action/sections", rows.len(), ROWS)?;
    rows.into_iter().map(read_row).collect()
}

fn read_row(row: &Value) -> Result<Choice, ErrorAnswer> {
    let description = optional(row, "/description", MAX_DESCRIPTION_CHARS)?.map(str::to_owned);
    let choice = Choice::new(limited(row, "/id", MAX_ROW_ID_CHARS)?, limited(row, "/title", MAX_ROW_TITLE_CHARS)?);
    Ok(Choice { description, ..choice })
}

fn read_media(body: &Value, name: &str) -> Result<Content, ErrorAnswer> {
    let at = |field: &str| format!("/{name}/{field}");
    if body.pointer(&at("id")).is_none() {
        let link = required(body, &at("link"))?;
        if !(link.starts_with("https://") || link.starts_with("http://")) {
            return Err(ErrorAnswer::invalid(format!("{} is not a URL", at("link"))));
        }
    }
    let caption = optional(body, &at("caption"), MAX_CAPTION_CHARS)?;
    Ok(Content::free_form(caption.unwrap_or_default(), Offer::Nothing))
}

/// The text at a path, which must not be empty.
fn required<'v>(value: &'v Value, path: &str) -> Result<&'v str, ErrorAnswer> {
    let text = value.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.ok_or_else(|| ErrorAnswer::missing(path))
}

/// The text at a path, which must not be empty or longer than `most` characters.
fn limited<'v>(value: &'v Value, path: &str, most: usize) -> Result<&'v str, ErrorAnswer> {
    let text = required(value, path)?;
    let fits = text.chars().count() <= most;
    if fits { Ok(text) } else { Err(ErrorAnswer::invalid(format!("{path} has more than {most} characters"))) }
}

/// The same of a text that may be absent.
fn optional<'v>(value: &'v Value, path: &str, most: usize) -> Result<Option<&'v str>, ErrorAnswer> {
    match value.pointer(path) {
        None | Some(Value::Null) => Ok(None),
        Some(_) => limited(value, path, most).map(Some),
    }
}

fn elements<'v>(value: &'v Value, path: &str) -> Result<&'v [Value], ErrorAnswer> {
    let list = value.pointer(path).and_then(Value::as_array);
    list.map(Vec::as_slice).ok_or_else(|| ErrorAnswer::missing(path))
}

fn check_count(path: &str, count: usize, allowed: RangeInclusive<usize>) -> Result<(), ErrorAnswer> {
    if allowed.contains(&count) {
        return Ok(());
    }
    let (least, most) = allowed.into_inner();
    Err(ErrorAnswer::invalid(format!("{path} must have {least} to {most} choices")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(body: &str) -> Value {
        json!({ "type": "text", "text": { "body": body } })
    }

    fn template(components: &Value) -> Value {
        let template = json!({ "name": "welcome", "language": { "code": "es" }, "components": components });
        json!({ "type": "template", "template": template })
    }

    fn quick_reply(payload: &str) -> Value {
        let parameters = json!([{ "type": "payload", "payload": payload }]);
        json!({ "type": "button", "sub_type": "quick_reply", "index": "0", "parameters": parameters })
    }

    fn interactive(name: &str, text: &str, action: &Value) -> Value {
        json!({ "type": "interactive", "interactive": { "type": name, "body": { "text": text }, "action": action } })
    }

    fn buttons(titles: &[&str]) -> Value {
        let button =
            |title: &&str| json!({ "type": "reply", "reply": { "id": format!("id {title}"), "title": title } });
        interactive("button", "Which?", &json!({ "buttons": titles.iter().map(button).collect::<Vec<_>>() }))
    }

    fn rows(rows: impl Iterator<Item = Value>) -> Value {
        let section = json!({ "title": "See", "rows": rows.collect::<Vec<_>>() });
        interactive("list", "Which?", &json!({ "button": "See", "sections": [section] }))
    }

    fn row(id: &str, title: &str, description: &str) -> Value {
        json!({ "id": id, "title": title, "description": description })
    }

    fn media(name: &str, fields: &Value) -> Value {
        json!({ "type": name, name: fields })
    }

    /// The body with the value at a path changed.
    fn with(mut body: Value, path: &str, value: &Value) -> Value {
        *body.pointer_mut(path).unwrap() = value.clone();
        body
    }

    fn long(chars: usize) -> String {
        "ñ".repeat(chars)
    }

    #[test]
    fn every_type_says_something_and_offers_its_choices() {
        let chosen = |title: &str| Choice::new(format!("id {title}"), title);
        let described = Choice { description: Some("Soon".into()), ..Choice::new("a", "A") };
        let payloads = ["hello:Yes", "hello:No"];
        let link = json!({ "link": "https://a.example/a", "caption": "See" });
        for (body, text, offer, free_form) in [
            (template(&json!([])), "welcome", Offer::OwnButtons, false),
            (
                template(&payloads.iter().map(|payload| quick_reply(payload)).collect()),
                "welcome",
                Offer::Payloads(payloads.map(str::to_owned).to_vec()),
                false,
            ),
            (text("Hola"), "Hola", Offer::Nothing, true),
            (buttons(&["Yes", "No"]), "Which?", Offer::Buttons(vec![chosen("Yes"), chosen("No")]), true),
            (rows([row("a", "A", "Soon")].into_iter()), "Which?", Offer::Rows(vec![described]), true),
            (media("document", &link), "See", Offer::Nothing, true),
            (media("audio", &json!({ "id": "7" })), "", Offer::Nothing, true),
        ] {
            assert_eq!(Content::read(&body), Ok(Content { text: text.into(), offer, free_form }));
        }
    }

    #[test]
    fn what_is_as_long_as_it_may_be_is_accepted() {
        for body in [
            text(&long(4_096)),
            interactive("button", &long(1_024), &buttons(&["1", "2", &long(20)])["interactive"]["action"]),
            rows((0..10).map(|_| row(&long(200), &long(24), &long(72)))),
            media("image", &json!({ "link": "http://a.example", "caption": long(1_024) })),
        ] {
            assert!(Content::read(&body).is_ok(), "{body}");
        }
    }

    #[test]
    fn what_is_missing_or_invalid_has_the_providers_code_and_is_named() {
        let one_row = || rows([row("a", "A", "Soon")].into_iter());
        let reply = "/interactive/action/buttons/0/reply";
        let (title, id) = (format!("{reply}/title"), format!("{reply}/id"));
        for (body, code, named) in [
            (json!({ "type": "sticker" }), 131_051, "type"),
            (json!({}), 131_051, "type"),
            (text(""), 131_008, "/text/body"),
            (text(&long(4_097)), 131_009, "4096"),
            (template(&json!([{ "type": "button", "sub_type": "quick_reply" }])), 131_008, "/index"),
            (template(&json!([quick_reply("")])), 131_008, "/payload"),
            (interactive("flow", "Which?", &json!({})), 131_009, "/interactive/type"),
            (with(buttons(&["Yes"]), "/interactive/body/text", &json!(long(1_025))), 131_009, "/interactive/body/text"),
            (buttons(&[]), 131_009, "1 to 3"),
            (buttons(&["1", "2", "3", "4"]), 131_009, "1 to 3"),
            (buttons(&["Yes", "No", "Yes"]), 131_009, "unique"),
            (with(buttons(&["Yes"]), &title, &json!(long(21))), 131_009, "/reply/title"),
            (with(buttons(&["Yes"]), &title, &json!("")), 131_008, "/reply/title"),
            (with(buttons(&["Yes"]), &id, &json!(long(257))), 131_009, "/reply/id"),
            (with(buttons(&["Yes"]), "/interactive/action/buttons", &Value::Null), 131_008, "/buttons"),
            (with(buttons(&["Yes"]), "/interactive/action/buttons/0/type", &json!("url")), 131_009, "reply"),
            (with(one_row(), "/interactive/action/button", &json!(long(21))), 131_009, "/interactive/action/button"),
            (with(one_row(), "/interactive/action/sections", &json!([{}, {}])), 131_008, "title"),
            (rows(std::iter::empty()), 131_009, "1 to 10"),
            (rows((0..11).map(|_| row("a", "A", "Soon"))), 131_009, "1 to 10"),
            (rows([row(&long(201), "A", "Soon")].into_iter()), 131_009, "/id"),
            (rows([row("a", &long(25), "Soon")].into_iter()), 131_009, "/title"),
            (rows([row("a", "A", &long(73))].into_iter()), 131_009, "/description"),
            (media("video", &json!({})), 131_008, "/video/link"),
            (media("video", &json!({ "link": "a.mp4" })), 131_009, "/video/link"),
            (media("video", &json!({ "id": "7", "caption": long(1_025) })), 131_009, "/video/caption"),
        ] {
            let refused = Content::read(&body).unwrap_err();
            assert_eq!(refused.code, code, "{body}");
            assert!(refused.details.contains(named), "{}", refused.details);
        }
    }
}
