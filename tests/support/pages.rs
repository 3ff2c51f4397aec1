//! Reading a whole list page by page, as a client does.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::client::Client;
use super::workspace::id_of;

/// The ids of a whole list, in its order. The document asks for a page behind or before `$cursor`, with `totalCount`,
/// edges and page information; whether it reads forwards or backwards shows in its words.
///
/// Every page must say the truth of where it stands, and no node may come twice.
pub(crate) async fn read(client: &Client, document: &str) -> Vec<String> {
    let backwards = document.contains("before: $cursor");
    let (mut pages, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let page = connection(&client.ask(document, json!({ "cursor": cursor })).await);
        check(&page, backwards, pages.is_empty());
        let info = page["pageInfo"].clone();
        pages.push(page);
        let (more, next) = if backwards { ("hasPreviousPage", "startCursor") } else { ("hasNextPage", "endCursor") };
        if info[more] == json!(false) {
            break;
        }
        cursor = info[next].clone();
    }
    if backwards {
        pages.reverse();
    }
    let ids: Vec<_> = pages.iter().flat_map(edges).map(|edge| id_of(&edge["node"])).collect();
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "a node came twice: {document}");
    for page in &pages {
        assert_eq!(page["totalCount"], ids.len(), "{document}");
    }
    ids
}

/// The first connection in an answer.
pub(crate) fn connection(data: &Value) -> Value {
    find(data).unwrap_or_else(|| panic!("no connection in {data}"))
}

fn find(value: &Value) -> Option<Value> {
    let fields = value.as_object()?;
    if fields.contains_key("edges") { Some(value.clone()) } else { fields.values().find_map(find) }
}

fn edges(page: &Value) -> &Vec<Value> {
    page["edges"].as_array().unwrap()
}

fn check(page: &Value, backwards: bool, is_first: bool) {
    let info = &page["pageInfo"];
    let cursor = |edge: Option<&Value>| edge.map_or(Value::Null, |edge| edge["cursor"].clone());
    assert_eq!(info["startCursor"], cursor(edges(page).first()));
    assert_eq!(info["endCursor"], cursor(edges(page).last()));
    let behind = if backwards { "hasNextPage" } else { "hasPreviousPage" };
    assert_eq!(info[behind], !is_first, "the pages read already are there");
}
