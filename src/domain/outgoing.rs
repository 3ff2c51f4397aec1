//! What is sent to a person, apart from how any provider writes it.
//!
//! A message is stored as its kind, its text and its payload, which is what the history shows. [`Outgoing::read`] makes
//! of these three again what is to be sent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::fact::Content;
use super::message::MessageKind;

/// What a message says that is sent to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// An approved template with its parameters filled in.
    Template(FilledTemplate),
    /// Plain text.
    Text(String),
    /// A text with buttons to answer by.
    Buttons {
        /// The text above the buttons.
        text: String,
        /// The buttons. Their descriptions are not shown.
        buttons: Vec<Choice>,
    },
    /// A text with a button that opens a list to choose from.
    List {
        /// The text above the button.
        text: String,
        /// The label of the button, which is also the list's title.
        button: String,
        /// The rows of the list.
        choices: Vec<Choice>,
    },
    /// A file that the provider fetches from a link.
    Media {
        /// The kind of file.
        kind: MediaKind,
        /// The file's URL.
        link: String,
        /// The text below the file. An audio recording has none.
        caption: Option<String>,
        /// The file's name, which is shown of a document only.
        filename: Option<String>,
    },
}

/// A template with its parameters filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilledTemplate {
    /// The template's name at the provider.
    pub name: String,
    /// The template's language code.
    pub language: String,
    /// The values of the body's parameters, in order.
    #[serde(default)]
    pub parameters: Vec<String>,
    /// The ids with which the quick-reply buttons answer, in the order of the buttons; none if they keep the provider's
    /// own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replies: Vec<String>,
}

/// Something to choose: a button, or a row of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The id with which it answers.
    pub id: String,
    /// What the person sees.
    pub title: String,
    /// What a list shows below the title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// The kind of a file that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A video.
    Video,
    /// An audio recording.
    Audio,
    /// Any other file.
    Document,
}

/// The payload of a message with buttons.
#[derive(Serialize, Deserialize)]
struct ButtonsPayload<Choices> {
    buttons: Choices,
}

/// The payload of a message with a list.
#[derive(Serialize, Deserialize)]
struct ListPayload<Text, Choices> {
    button: Text,
    choices: Choices,
}

/// The payload of a file.
#[derive(Serialize, Deserialize)]
struct MediaPayload<Text> {
    link: Text,
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    filename: Option<Text>,
}

impl Outgoing {
    /// The message as the history shows it, said at a time.
    pub fn content(&self, at: Timestamp) -> Content {
        Content { at, kind: self.kind(), text: self.text(), payload: self.payload() }
    }

    /// The kind of the message.
    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::Template(_) => MessageKind::Template,
            Self::Text(_) => MessageKind::Text,
            Self::Buttons { .. } => MessageKind::Button,
            Self::List { .. } => MessageKind::List,
            Self::Media { kind, .. } => kind.kind(),
        }
    }

    /// The text that the history shows. We do not know that of a template.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Template(_) => None,
            Self::Text(text) | Self::Buttons { text, .. } | Self::List { text, .. } => Some(text.clone()),
            Self::Media { caption, .. } => caption.clone(),
        }
    }

    /// What the message carries beyond its text, as JSON text.
    pub fn payload(&self) -> Option<String> {
        match self {
            Self::Template(template) => written(template),
            Self::Text(_) => None,
            Self::Buttons { buttons, .. } => written(&ButtonsPayload { buttons }),
            Self::List { button, choices, .. } => written(&ListPayload { button, choices }),
            Self::Media { link, filename, .. } => written(&MediaPayload { link, filename: filename.as_ref() }),
        }
    }

    /// What is to be sent, of a message as it is stored; `None` if it cannot be sent.
    pub fn read(kind: MessageKind, text: Option<&str>, payload: Option<&str>) -> Option<Self> {
        match kind {
            MessageKind::Template => parsed(payload).map(Self::Template),
            MessageKind::Text => text.map(|text| Self::Text(text.to_owned())),
            MessageKind::Button => {
                let ButtonsPayload { buttons } = parsed(payload)?;
                Some(Self::Buttons { text: text?.to_owned(), buttons })
            }
            MessageKind::List => {
                let ListPayload { button, choices } = parsed(payload)?;
                Some(Self::List { text: text?.to_owned(), button, choices })
            }
            kind => {
                let (kind, MediaPayload { link, filename }) = (MediaKind::of(kind)?, parsed(payload)?);
                Some(Self::Media { kind, link, caption: text.map(str::to_owned), filename })
            }
        }
    }
}

impl Choice {
    /// A choice without a description.
    pub fn new(id: impl Into<String>, title: impl Into<String>) -> Self {
        Self { id: id.into(), title: title.into(), description: None }
    }
}

impl MediaKind {
    /// Every value.
    pub const ALL: [Self; 4] = [Self::Image, Self::Video, Self::Audio, Self::Document];

    /// The kind of a message with such a file.
    pub const fn kind(self) -> MessageKind {
        match self {
            Self::Image => MessageKind::Image,
            Self::Video => MessageKind::Video,
            Self::Audio => MessageKind::Audio,
            Self::Document => MessageKind::Document,
        }
    }

    /// The kind of file in messages of a kind; `None` if they contain none that can be sent.
    pub fn of(kind: MessageKind) -> Option<Self> {
        Self::ALL.into_iter().find(|media| media.kind() == kind)
    }
}

fn written(payload: &impl Serialize) -> Option<String> {
    serde_json::to_string(payload).ok()
}

fn parsed<'p, T: Deserialize<'p>>(payload: Option<&'p str>) -> Option<T> {
    serde_json::from_str(payload?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::arbitrary;

    fn word() -> impl Strategy<Value = String> {
        select(vec!["", "Sí 😊", "\"a\"\n", "yes:1", "https://example.com/a?b=c"]).prop_map(str::to_owned)
    }

    fn choices() -> impl Strategy<Value = Vec<Choice>> {
        let choice = (word(), word(), option::of(word()));
        vec(choice.prop_map(|(id, title, description)| Choice { id, title, description }), 0..4)
    }

    fn outgoing() -> impl Strategy<Value = Outgoing> {
        let template = (word(), word(), vec(word(), 0..3), vec(word(), 0..3));
        let media = (select(&MediaKind::ALL), word(), option::of(word()), option::of(word()));
        prop_oneof![
            template.prop_map(|(name, language, parameters, replies)| Outgoing::Template(FilledTemplate {
                name,
                language,
                parameters,
                replies
            })),
            word().prop_map(Outgoing::Text),
            (word(), choices()).prop_map(|(text, buttons)| Outgoing::Buttons { text, buttons }),
            (word(), word(), choices()).prop_map(|(text, button, choices)| Outgoing::List { text, button, choices }),
            media.prop_map(|(kind, link, caption, filename)| Outgoing::Media { kind, link, caption, filename }),
        ]
    }

    proptest! {
        #![proptest_config(arbitrary::config())]

        #[test]
        fn what_is_stored_is_what_is_sent(outgoing in outgoing()) {
            let (text, payload) = (outgoing.text(), outgoing.payload());
            let read = Outgoing::read(outgoing.kind(), text.as_deref(), payload.as_deref());
            prop_assert_eq!(read, Some(outgoing));
        }
    }

    fn payload(outgoing: &Outgoing) -> Value {
        serde_json::from_str(&outgoing.payload().unwrap()).unwrap()
    }

    #[test]
    fn payloads_contain_what_is_given_and_nothing_else() {
        let choice = Choice { description: Some("Soon".into()), ..Choice::new("a", "A") };
        let plain = Choice::new("b", "B");
        let filled = |replies: &[&str]| FilledTemplate {
            name: "welcome".into(),
            language: "es".into(),
            parameters: vec!["Ana".into()],
            replies: replies.iter().map(|&id| id.to_owned()).collect(),
        };
        let media = |filename: Option<&str>| Outgoing::Media {
            kind: MediaKind::Document,
            link: "https://a.example".into(),
            caption: None,
            filename: filename.map(str::to_owned),
        };
        for (outgoing, expected) in [
            (Outgoing::Template(filled(&[])), json!({"name": "welcome", "language": "es", "parameters": ["Ana"]})),
            (
                Outgoing::Template(filled(&["y"])),
                json!({"name": "welcome", "language": "es", "parameters": ["Ana"], "replies": ["y"]}),
            ),
            (
                Outgoing::Buttons { text: "?".into(), buttons: vec![plain.clone()] },
                json!({"buttons": [{"id": "b", "title": "B"}]}),
            ),
            (
                Outgoing::List { text: "?".into(), button: "See".into(), choices: vec![choice, plain] },
                json!({"button": "See", "choices": [
                    {"id": "a", "title": "A", "description": "Soon"}, {"id": "b", "title": "B"}]}),
            ),
            (media(None), json!({"link": "https://a.example"})),
            (media(Some("a.pdf")), json!({"link": "https://a.example", "filename": "a.pdf"})),
        ] {
            assert_eq!(payload(&outgoing), expected);
        }
        assert_eq!(Outgoing::Text("Hola".into()).payload(), None);
    }

    #[test]
    fn what_cannot_be_sent_is_not_read() {
        let template = Some(r#"{"name": "welcome", "language": "es"}"#);
        assert!(Outgoing::read(MessageKind::Template, None, template).is_some());
        for (kind, text, payload) in [
            (MessageKind::Template, None, None),
            (MessageKind::Template, None, Some(r#"{"name": "welcome"}"#)),
            (MessageKind::Template, None, Some("welcome")),
            (MessageKind::Text, None, None),
            (MessageKind::Button, Some("?"), None),
            (MessageKind::Button, None, Some(r#"{"buttons": []}"#)),
            (MessageKind::Button, Some("?"), Some(r#"{"id": "a", "title": "A"}"#)),
            (MessageKind::List, Some("?"), Some(r#"{"buttons": []}"#)),
            (MessageKind::Image, Some("?"), Some(r#"{"id": "1"}"#)),
            (MessageKind::Sticker, None, Some(r#"{"link": "https://a.example"}"#)),
            (MessageKind::Location, Some("?"), None),
        ] {
            assert_eq!(Outgoing::read(kind, text, payload), None, "{kind:?} {text:?} {payload:?}");
        }
    }
}
