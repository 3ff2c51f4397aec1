//! A list on this machine, read piece by piece.

use std::io;
use std::path::{Path, PathBuf};

use futures_util::stream::{Stream, try_unfold};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt};

/// A list.
pub(super) struct List {
    source: Source,
    pub(super) format: Format,
}

enum Source {
    /// Standard input, which can be read only once.
    Input,
    /// A file and its length in bytes.
    File(PathBuf, u64),
}

/// The format of a list.
#[derive(Clone, Copy)]
pub(super) enum Format {
    Csv,
    Ndjson,
}

/// The most bytes in a piece.
const PIECE_BYTES: usize = 64 * 1_024;

impl List {
    /// The list in a file; `-` is standard input.
    pub(super) async fn open(path: &Path, format: Format) -> io::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self { source: Source::Input, format });
        }
        let metadata = File::open(path).await?.metadata().await?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(Self { source: Source::File(path.to_owned(), metadata.len()), format })
    }

    /// Its length in bytes, if that is known beforehand.
    pub(super) const fn length(&self) -> Option<u64> {
        match self.source {
            // A pipe or a device has the length 0, and yet something to read.
            Source::Input | Source::File(_, 0) => None,
            Source::File(_, length) => Some(length),
        }
    }

    /// Whether it can be read again.
    pub(super) const fn is_repeatable(&self) -> bool {
        self.length().is_some()
    }

    /// Its pieces, from the beginning.
    pub(super) async fn pieces(&self) -> io::Result<impl Stream<Item = io::Result<Vec<u8>>> + Send + 'static> {
        let reader: Box<dyn AsyncRead + Send + Unpin> = match &self.source {
            Source::Input => Box::new(tokio::io::stdin()),
            Source::File(path, _) => Box::new(File::open(path).await?),
        };
        Ok(try_unfold(reader, async |mut reader| {
            let mut piece = vec![0; PIECE_BYTES];
            let read = reader.read(&mut piece).await?;
            piece.truncate(read);
            Ok((read > 0).then_some((piece, reader)))
        }))
    }
}

impl Format {
    /// As a request's head names it.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Ndjson => "application/x-ndjson; charset=utf-8",
        }
    }
}
