//! Keyset pagination: a page begins at the key of a row, never at an offset.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// The size of a page if the client does not ask for one.
pub const DEFAULT_SIZE: usize = 50;
/// The maximum size of a page.
pub const MAX_SIZE: usize = 200;

/// A row's place in an order: the value that rows are ordered by, then the row's id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The value that rows are ordered by.
    pub value: SortValue,
    /// The row's id, which breaks ties.
    pub id: Uuid,
}

/// A value that rows are ordered by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SortValue {
    /// A time in microseconds, or a number.
    Number(i64),
    /// A string, compared bytewise.
    Text(String),
}

/// Writes and reads the cursors of one list in one order, which are not valid for any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursors {
    /// What distinguishes them from the cursors of other lists and orders.
    mark: &'static str,
    /// Whether the list is ordered by a string rather than by a number.
    texts: bool,
}

/// A request for some rows of an ordered list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Page {
    /// The most rows to return.
    pub size: usize,
    /// Whether to return the last rows of the range instead of the first.
    pub backward: bool,
    /// Return only rows after this place.
    pub after: Option<Key>,
    /// Return only rows before this place.
    pub before: Option<Key>,
}

/// The rows of a page, in the order of the list, and whether there are more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice<T> {
    /// The rows with their places.
    pub rows: Vec<(Key, T)>,
    /// Whether there are rows after them.
    pub has_next: bool,
    /// Whether there are rows before them.
    pub has_previous: bool,
}

/// A client's pagination arguments, named as in the Relay specification.
#[derive(Debug, Clone, Default)]
pub struct PageArguments {
    /// Return the first rows, up to this many.
    pub first: Option<i32>,
    /// Return only rows after this cursor.
    pub after: Option<String>,
    /// Return the last rows, up to this many.
    pub last: Option<i32>,
    /// Return only rows before this cursor.
    pub before: Option<String>,
}

/// What is wrong with pagination arguments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageFault {
    /// A size out of range.
    #[error("Argument \"{argument}\" is {given}; it must be between 0 and {MAX_SIZE}")]
    Size {
        /// The argument at fault.
        argument: &'static str,
        /// Its value.
        given: i32,
    },
    /// A cursor that does not come from this list in this order.
    #[error("Argument \"{argument}\" is not a cursor of this list in this order")]
    Cursor {
        /// The argument at fault.
        argument: &'static str,
    },
    /// Both `first` and `last` were given.
    #[error("Arguments \"first\" and \"last\" cannot be combined")]
    BothSizes,
}

impl Page {
    /// Reads a client's arguments for a list with these cursors.
    pub fn read(cursors: Cursors, arguments: &PageArguments) -> Result<Self, PageFault> {
        let (bound, wanted, backward) = match (arguments.first, arguments.last) {
            (Some(_), Some(_)) => return Err(PageFault::BothSizes),
            (None, Some(size)) => ("last", Some(size), true),
            (first, None) => ("first", first, false),
        };
        let size = match wanted {
            None => DEFAULT_SIZE,
            Some(given) => usize::try_from(given)
                .ok()
                .filter(|&size| size <= MAX_SIZE)
                .ok_or(PageFault::Size { argument: bound, given })?,
        };
        let key = |argument, cursor: &Option<String>| match cursor {
            None => Ok(None),
            Some(cursor) => cursors.read(cursor).map(Some).ok_or(PageFault::Cursor { argument }),
        };
        Ok(Self { size, backward, after: key("after", &arguments.after)?, before: key("before", &arguments.before)? })
    }

    /// How many rows to fetch: one more than the size, to see whether there are more.
    pub const fn fetch(&self) -> usize {
        self.size + 1
    }

    /// Turns fetched rows into a slice. A backward page takes them in reverse order.
    pub fn slice<T>(&self, mut rows: Vec<(Key, T)>) -> Slice<T> {
        let more = rows.len() > self.size;
        rows.truncate(self.size);
        if self.backward {
            rows.reverse();
            return Slice { rows, has_next: self.before.is_some(), has_previous: more };
        }
        Slice { rows, has_next: more, has_previous: self.after.is_some() }
    }
}

impl<T> Slice<T> {
    /// A slice without rows.
    pub const fn empty() -> Self {
        Self { rows: Vec::new(), has_next: false, has_previous: false }
    }
}

impl Key {
    /// A place in an order by a number.
    pub const fn number(value: i64, id: Uuid) -> Self {
        Self { value: SortValue::Number(value), id }
    }

    /// A place in an order by a string.
    pub const fn text(value: String, id: Uuid) -> Self {
        Self { value: SortValue::Text(value), id }
    }
}

impl Cursors {
    /// The cursors of a list that is ordered by a number.
    pub const fn of_numbers(mark: &'static str) -> Self {
        Self { mark, texts: false }
    }

    /// The cursors of a list that is ordered by a string.
    pub const fn of_texts(mark: &'static str) -> Self {
        Self { mark, texts: true }
    }

    /// The opaque cursor of a place in the list.
    pub fn write(self, key: &Key) -> String {
        let (mark, id) = (self.mark, key.id.simple());
        let written = match &key.value {
            SortValue::Number(number) => format!("{mark}:{id}:{number}"),
            SortValue::Text(text) => format!("{mark}:{id}:{text}"),
        };
        URL_SAFE_NO_PAD.encode(written)
    }

    /// The place that a cursor stands for; `None` if it does not come from this list in this order.
    fn read(self, cursor: &str) -> Option<Key> {
        let written = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let (id, value) = written.strip_prefix(self.mark)?.strip_prefix(':')?.split_once(':')?;
        let id = Uuid::try_parse(id).ok()?;
        let value = if self.texts {
            SortValue::Text(Some(value).filter(|text| !text.contains('\0'))?.to_owned())
        } else {
            SortValue::Number(value.parse().ok()?)
        };
        Some(Key { value, id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::new_key;

    const USERS: Cursors = Cursors::of_numbers("users");

    fn keys(count: i64) -> Vec<(Key, i64)> {
        (0..count).map(|number| (Key::number(number, new_key()), number)).collect()
    }

    #[test]
    fn a_cursor_is_valid_in_its_own_list_only() {
        for (of, key) in [
            (Cursors::of_numbers as fn(_) -> _, Key::number(-5, new_key())),
            (Cursors::of_texts, Key::text("a:b ñ".into(), new_key())),
        ] {
            let arguments = PageArguments { after: Some(of("users").write(&key)), ..PageArguments::default() };
            assert_eq!(Page::read(of("users"), &arguments).unwrap().after, Some(key));
            assert_eq!(Page::read(of("sends"), &arguments), Err(PageFault::Cursor { argument: "after" }));
        }
    }

    #[test]
    fn a_cursor_of_the_wrong_type_is_refused() {
        let text = Cursors::of_texts("users").write(&Key::text("5x".into(), new_key()));
        let arguments = PageArguments { after: Some(text), ..PageArguments::default() };
        assert_eq!(Page::read(USERS, &arguments), Err(PageFault::Cursor { argument: "after" }));
    }

    #[test]
    fn sizes_and_cursors_out_of_range_name_their_argument() {
        let size = |first, last| Page::read(USERS, &PageArguments { first, last, ..PageArguments::default() });
        assert_eq!(size(Some(201), None), Err(PageFault::Size { argument: "first", given: 201 }));
        assert_eq!(size(None, Some(-1)), Err(PageFault::Size { argument: "last", given: -1 }));
        assert_eq!(size(Some(1), Some(1)), Err(PageFault::BothSizes));
        assert_eq!(size(Some(0), None).unwrap().size, 0);
        let cursor = PageArguments { before: Some("%%%".into()), ..PageArguments::default() };
        assert_eq!(Page::read(USERS, &cursor), Err(PageFault::Cursor { argument: "before" }));
    }

    #[test]
    fn an_extra_row_means_that_there_are_more() {
        let mut page = Page { size: 2, backward: false, after: None, before: None };
        let slice = page.slice(keys(3));
        assert_eq!((slice.rows.len(), slice.has_next, slice.has_previous), (2, true, false));
        page.backward = true;
        let slice = page.slice(keys(3));
        let order: Vec<_> = slice.rows.iter().map(|&(_, number)| number).collect();
        assert_eq!((order, slice.has_next, slice.has_previous), (vec![1, 0], false, true));
    }
}
