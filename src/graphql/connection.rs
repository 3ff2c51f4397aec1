//! Connections, edges and page information of the Relay Cursor Connections specification: one helper for every list.
//!
//! async-graphql's own connection computes its additional fields together with the page. Counting costs more than reading
//! a page, so here `totalCount` is a field that counts when it is selected.

use std::borrow::Cow;
use std::sync::Arc;

use async_graphql::{Context, Description, Object, OutputType, SimpleObject, TypeName};

use super::error::{ApiError, Result};
use super::given::Given;
use super::items::Items;
use super::loaders::Rows;
use crate::domain::page::{Cursors, Key, Page, PageArguments, Slice};

/// A list that is read in pages: what it is called, what its nodes are, and how it is counted.
pub(crate) trait List: Clone + Send + Sync + 'static {
    /// The name of its connections.
    const CONNECTION: &'static str;
    /// What a connection of it is, for the schema.
    const ABOUT_CONNECTION: &'static str;
    /// The name of its edges.
    const EDGE: &'static str;
    /// What an edge of it is, for the schema.
    const ABOUT_EDGE: &'static str;
    /// Its rows.
    type Row: Send + Sync + 'static;
    /// Its nodes.
    type Node: OutputType + From<Arc<Self::Row>>;

    /// What its cursors are marked with, so that those of another list or order are refused.
    fn cursors(&self) -> Cursors;

    /// How many nodes the whole list has.
    fn total(&self, ctx: &Context<'_>) -> impl Future<Output = Result<i64>> + Send;
}

/// A page of a list.
pub(crate) struct Connection<L: List> {
    list: L,
    rows: Rows<L::Row>,
}

/// A node of a page, and its place in the list.
pub(crate) struct Edge<L: List> {
    cursors: Cursors,
    key: Key,
    node: L::Node,
}

/// Whether there are nodes before and after a page, and the cursors to get them with.
#[derive(SimpleObject)]
pub(crate) struct PageInfo {
    /// Whether more nodes follow this page. When paging backward: whether there is anything from `before` on.
    has_next_page: bool,
    /// Whether more nodes precede this page. When paging forward: whether there is anything up to `after`.
    has_previous_page: bool,
    /// The cursor of the page's first node, to be passed as `before` to get the previous page. Null if the page is
    /// empty.
    start_cursor: Option<String>,
    /// The cursor of the page's last node, to be passed as `after` to get the next page. Null if the page is empty.
    end_cursor: Option<String>,
}

/// An argument that gives the size of a page.
pub(crate) type Size = Option<Given<i32>>;

/// An argument that gives a place in a list.
pub(crate) type Cursor = Option<String>;

/// The arguments that select a page.
#[derive(Default)]
pub(crate) struct PageInput {
    /// How many nodes from the start.
    pub(crate) first: Size,
    /// Only nodes after this cursor.
    pub(crate) after: Cursor,
    /// How many nodes from the end.
    pub(crate) last: Size,
    /// Only nodes before this cursor.
    pub(crate) before: Cursor,
}

impl PageInput {
    /// The page asked for.
    pub(crate) fn read(self, list: &impl List) -> Result<Page> {
        let arguments = PageArguments {
            first: Given::read_argument(self.first.as_ref(), "first")?,
            after: self.after,
            last: Given::read_argument(self.last.as_ref(), "last")?,
            before: self.before,
        };
        Page::read(list.cursors(), &arguments).map_err(ApiError::Page)
    }
}

impl<L: List> Connection<L> {
    /// A page of a list; it is empty if nothing was found for the parent.
    pub(crate) fn new(list: L, rows: Option<Rows<L::Row>>) -> Self {
        Self { list, rows: rows.unwrap_or_else(|| Arc::new(Slice::empty())) }
    }
}

#[Object(name_type, use_type_description)]
impl<L: List> Connection<L> {
    /// The nodes of this page, each with its cursor.
    async fn edges(&self) -> Items<Edge<L>> {
        let edge = |(key, row): &(Key, Arc<L::Row>)| Edge {
            cursors: self.list.cursors(),
            key: key.clone(),
            node: row.clone().into(),
        };
        Items(self.rows.rows.iter().map(edge).collect())
    }

    /// The nodes of this page, in order.
    async fn nodes(&self) -> Items<L::Node> {
        Items(self.rows.rows.iter().map(|(_, row)| row.clone().into()).collect())
    }

    /// Whether there are nodes before and after this page, and the cursors to get them with.
    async fn page_info(&self) -> PageInfo {
        let cursor = |row: Option<&(Key, Arc<L::Row>)>| row.map(|(key, _)| self.list.cursors().write(key));
        PageInfo {
            has_next_page: self.rows.has_next,
            has_previous_page: self.rows.has_previous,
            start_cursor: cursor(self.rows.rows.first()),
            end_cursor: cursor(self.rows.rows.last()),
        }
    }

    /// The exact number of nodes on all pages together, under the same filter. It is counted only if this field is
    /// selected.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32> {
        self.list.total(ctx).await.map(int)
    }
}

#[Object(name_type, use_type_description)]
impl<L: List> Edge<L> {
    /// The node's position in the list, to be passed as `after` or `before`. It is opaque, and stays valid while the
    /// list changes.
    async fn cursor(&self) -> String {
        self.cursors.write(&self.key)
    }

    /// The node at this position.
    async fn node(&self) -> &L::Node {
        &self.node
    }
}

impl<L: List> TypeName for Connection<L> {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed(L::CONNECTION)
    }
}

impl<L: List> Description for Connection<L> {
    fn description() -> &'static str {
        L::ABOUT_CONNECTION
    }
}

impl<L: List> TypeName for Edge<L> {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed(L::EDGE)
    }
}

impl<L: List> Description for Edge<L> {
    fn description() -> &'static str {
        L::ABOUT_EDGE
    }
}

/// A count as GraphQL's `Int`, which ends at 2³¹ − 1.
pub(crate) fn int(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use async_graphql::{InputType, Value};

    use super::*;
    use crate::domain::id::new_key;
    use crate::graphql::types::message::Messages;

    fn refused(input: PageInput) -> String {
        input.read(&Messages::OfUser(new_key().into())).unwrap_err().to_string()
    }

    fn size(value: i64) -> Given<i32> {
        Given::parse(Some(Value::from(value))).unwrap()
    }

    #[test]
    fn page_arguments_at_fault_are_named() {
        let some = |text: &str| Some(text.to_owned());
        let none = PageInput::default;
        assert!(refused(PageInput { first: Some(size(201)), ..none() }).starts_with("Argument \"first\" is 201"));
        assert!(refused(PageInput { last: Some(size(-1)), ..none() }).starts_with("Argument \"last\" is -1"));
        assert!(
            refused(PageInput { first: Some(size(1 << 40)), ..none() })
                .starts_with("Argument \"first\" is not a valid Int")
        );
        assert!(refused(PageInput { after: some("x"), ..none() }).starts_with("Argument \"after\" is not a cursor"));
        assert!(
            refused(PageInput { first: Some(size(1)), last: Some(size(1)), ..none() }).contains("cannot be combined")
        );
        let other_list = Cursors::of_numbers("sends").write(&Key::number(1, new_key()));
        assert!(refused(PageInput { before: Some(other_list), ..none() }).starts_with("Argument \"before\""));
    }

    #[test]
    fn a_count_beyond_int_is_the_largest_int() {
        assert_eq!((int(7), int(i64::MAX)), (7, i32::MAX));
    }
}
