//! The first fifty conversations, with their figures.

use std::sync::Arc;

use axum::extract::{Path, State};
use bluetick::domain::code::Coded;
use bluetick::domain::conversation::Direction;
use bluetick::domain::id::ConversationId;
use bluetick::domain::page::{Cursors, Key};
use serde::Serialize;
use uuid::Uuid;

use super::metrics::Figures;
use super::{Answered, Limit, answer, text};
use crate::database::rows;

/// Those of the list.
const CURSORS: Cursors = Cursors::of_numbers("conversations by creation");

#[derive(Serialize)]
pub(super) struct Data {
    conversations: Page,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    nodes: Vec<Conversation>,
    page_info: PageInfo,
}

/// Where a page stands.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageInfo {
    pub(super) has_next_page: bool,
    pub(super) end_cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Conversation {
    id: String,
    name: String,
    direction: &'static str,
    created_at: String,
    metrics: Figures,
}

type Row = (Uuid, String, i16, i64, i64, i64, i32, i64);

const SQL: &str = "SELECT page.id, page.name, page.direction, page.created_at, versions.revision, \
     coalesce(versions.changed_at, versions.published_at), tally.cell, tally.users \
     FROM (SELECT * FROM conversations WHERE workspace_id = $1 ORDER BY created_at DESC, id DESC LIMIT 51) AS page \
     JOIN versions ON versions.conversation_id = page.id AND versions.number = page.versions \
     JOIN tally ON tally.version_id = versions.id ORDER BY page.created_at DESC, page.id DESC";

pub(super) async fn first(State(limit): State<Arc<Limit>>, Path(workspace): Path<Uuid>) -> Answered<Data> {
    let rows: Vec<Row> = rows!(&limit.pool, SQL, [workspace], SQL, [workspace])?;
    let mut nodes: Vec<Conversation> = Vec::with_capacity(51);
    let mut last = None;
    for (id, name, direction, created, revision, as_of, cell, users) in rows {
        if last.as_ref() != Some(&(created, id)) {
            last = Some((created, id));
            nodes.push(Conversation {
                id: ConversationId(id).to_string(),
                name,
                direction: Direction::from_code(direction).map(Direction::word).unwrap_or_default(),
                created_at: text::time(created),
                metrics: Figures::of(revision, text::time(as_of)),
            });
        }
        if let Some(node) = nodes.last_mut() {
            node.metrics.add(cell, users);
        }
    }
    // There are fifty, so none is cut off: the last is the page's end.
    let end_cursor = last.map(|(created, id)| CURSORS.write(&Key::number(created, id)));
    for node in &mut nodes {
        node.metrics = std::mem::take(&mut node.metrics).finish();
    }
    let page_info = PageInfo { has_next_page: nodes.len() > 50, end_cursor };
    Ok(answer(Data { conversations: Page { nodes, page_info } }))
}
