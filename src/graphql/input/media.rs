//! Files that are sent.

use async_graphql::{Enum, InputObject};

use crate::domain::{flow, outgoing};

/// The kind of a file that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "outgoing::MediaKind")]
pub(crate) enum MediaKind {
    /// A picture.
    Image,
    /// A video.
    Video,
    /// An audio recording. It has no text beside it.
    Audio,
    /// Any other file.
    Document,
}

/// A picture, video, recording or file, which WhatsApp fetches.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct MediaInput {
    /// What it is.
    kind: MediaKind,
    /// Where WhatsApp fetches it: an `https` or `http` address of up to 2,048 bytes.
    link: String,
    /// The name of a DOCUMENT, as the user sees it: up to 240 bytes.
    filename: Option<String>,
}

impl From<MediaInput> for flow::Media {
    fn from(media: MediaInput) -> Self {
        Self { kind: media.kind.into(), link: media.link, filename: media.filename }
    }
}
