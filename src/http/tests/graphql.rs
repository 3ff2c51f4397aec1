//! GraphQL over HTTP.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::server::Server;

const RESPONSE_JSON: &str = "application/graphql-response+json";

async fn parts(response: Response) -> (u16, HeaderMap, Value) {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, response.json().await.unwrap())
}

/// Asserts the status, and that the body is one GraphQL error with the code and the request's id.
async fn assert_refused(response: Response, status: u16, code: &str) -> HeaderMap {
    let (found, headers, body) = parts(response).await;
    assert_eq!((found, &body["errors"][0]["extensions"]["code"]), (status, &json!(code)), "{body}");
    assert_eq!(body["errors"][0]["extensions"]["requestId"], headers["x-request-id"].to_str().unwrap());
    assert!(body["errors"][0]["message"].is_string() && body.get("data").is_none());
    assert!(headers["content-type"].to_str().unwrap().starts_with("application/"));
    headers
}

#[tokio::test]
async fn a_post_is_carried_out_for_the_tokens_workspace() {
    let server = Server::start(&[]).await;
    let body = json!({
        "query": "query A($name: String) { hello(name: $name) } query B { workspace }",
        "operationName": "A", "variables": { "name": "Ada" },
    });
    let (status, headers, answer) = parts(server.post(&body).send().await.unwrap()).await;
    assert_eq!((status, answer), (200, json!({ "data": { "hello": "Hello, Ada!" } })));
    assert_eq!(headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(headers["cache-control"], "no-store");

    assert!(server.query("{ workspace }").await["data"]["workspace"].as_str().unwrap().starts_with("ws_"));
}

#[tokio::test]
async fn without_a_token_in_force_nothing_is_carried_out() {
    let server = Server::start(&[]).await;
    let add = json!({ "query": "mutation { add }" });
    let request = || server.request("POST", "/graphql").json(&add);
    let revoked = server.tokens.add("read");
    server.tokens.revoke(&revoked);
    for request in [
        request(),
        request().bearer_auth("bt_unknown"),
        request().bearer_auth(&revoked),
        request().header("authorization", &server.token),
        request().basic_auth("user", Some(&server.token)),
        server.request("GET", "/graphql?query={hello}"),
    ] {
        let headers = assert_refused(request.send().await.unwrap(), 401, "UNAUTHENTICATED").await;
        assert_eq!(headers["www-authenticate"], "Bearer");
    }
    assert_eq!(*server.seen.added.borrow(), 0);
    let lower_case = request().header("authorization", format!("bearer {}", server.token));
    assert_eq!(lower_case.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn while_tokens_cannot_be_looked_up_nothing_is_carried_out_and_nothing_told() {
    let server = Server::start(&[]).await;
    server.tokens.set_unavailable(true);
    let refused = server.post(&json!({ "query": "mutation { add }" })).send().await.unwrap();
    assert_refused(refused, 503, "UNAVAILABLE").await;
    server.tokens.set_unavailable(false);
    assert_eq!(server.query("mutation { add }").await["data"]["add"], 1);
}

#[tokio::test]
async fn a_get_carries_out_queries_and_nothing_else() {
    let server = Server::start(&[]).await;
    let get = |query: &[(&str, &str)]| {
        let query = reqwest::Url::parse_with_params(&server.url("/graphql"), query).unwrap();
        let path = format!("{}?{}", query.path(), query.query().unwrap_or_default());
        server.request("GET", &path).bearer_auth(&server.token).send()
    };
    let query = [("query", "query A($name: String) { hello(name: $name) }"), ("variables", "{\"name\": \"Ada\"}")];
    let (status, _, answer) = parts(get(&query).await.unwrap()).await;
    assert_eq!((status, answer), (200, json!({ "data": { "hello": "Hello, Ada!" } })));

    let named = [("operationName", "B")];
    for (mutation, name) in [
        ("mutation { add }", &[][..]),
        ("mutation B { add }", &[]),
        ("mutation B { add }", &named),
        ("query A { hello } mutation B { add }", &named),
    ] {
        let refused = get(&[&[("query", mutation)], name].concat()).await.unwrap();
        let headers = assert_refused(refused, 405, "METHOD_NOT_ALLOWED").await;
        assert_eq!(headers["allow"], "POST");
    }
    assert_eq!(*server.seen.added.borrow(), 0);

    assert_refused(get(&[("operationName", "A")]).await.unwrap(), 400, "BAD_REQUEST").await;
    assert_refused(get(&[("query", "{ hello }"), ("query", "{ hello }")]).await.unwrap(), 400, "BAD_REQUEST").await;
    assert_refused(get(&[("query", "{ hello }"), ("variables", "{")]).await.unwrap(), 400, "BAD_REQUEST").await;
}

#[tokio::test]
async fn other_methods_and_addresses_are_answered_in_json_too() {
    let server = Server::start(&[]).await;
    for method in ["PUT", "DELETE", "PATCH"] {
        let refused = server.request(method, "/graphql").send().await.unwrap();
        let headers = assert_refused(refused, 405, "METHOD_NOT_ALLOWED").await;
        assert_eq!(headers["allow"], "GET,HEAD,POST");
    }
    for path in ["/", "/graphql/", "/graphql/more", "/favicon.ico"] {
        assert_refused(server.request("GET", path).send().await.unwrap(), 404, "NOT_FOUND").await;
    }
}

#[tokio::test]
async fn a_body_that_is_not_declared_as_json_is_not_read() {
    let server = Server::start(&[]).await;
    let request = || server.request("POST", "/graphql").bearer_auth(&server.token);
    let body = r#"{"query": "mutation { add }"}"#;
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"] {
        let refused = request().header("content-type", content_type).body(body).send().await.unwrap();
        assert_refused(refused, 415, "UNSUPPORTED_MEDIA_TYPE").await;
    }
    assert_refused(request().body(body).send().await.unwrap(), 415, "UNSUPPORTED_MEDIA_TYPE").await;
    assert_eq!(*server.seen.added.borrow(), 0);
}

#[tokio::test]
async fn what_is_no_request_is_a_bad_one() {
    let server = Server::start(&[]).await;
    for body in
        ["", "{", "[{\"query\": \"{ hello }\"}]", "{}", "{\"query\": \"{ hello }\", \"variables\": []}", "\u{0}"]
    {
        let request = server.request("POST", "/graphql").bearer_auth(&server.token).body(body);
        let refused = request.header("content-type", "application/json").send().await.unwrap();
        assert_refused(refused, 400, "BAD_REQUEST").await;
    }
}

#[tokio::test]
async fn a_refused_document_has_no_data_and_its_status_is_the_media_types() {
    let server = Server::start(&[]).await;
    for query in ["{", "{ unknown }", "{ hello(name: 1) }", "subscription { count(to: 1) }"] {
        for (accept, expected) in [("application/json", 200), (RESPONSE_JSON, 400), ("*/*", 200)] {
            let request = server.post(&json!({ "query": query })).header("accept", accept);
            let (status, headers, body) = parts(request.send().await.unwrap()).await;
            assert_eq!((status, body.get("data")), (expected, None), "{query}");
            assert!(body["errors"][0]["message"].is_string());
            let media = if accept == "*/*" { "application/json" } else { accept };
            assert_eq!(headers["content-type"], format!("{media}; charset=utf-8"));
        }
    }
}

#[tokio::test]
async fn an_executed_document_is_200_whatever_failed_in_it() {
    let server = Server::start(&[]).await;
    for accept in ["application/json", RESPONSE_JSON] {
        let request = server.post(&json!({ "query": "{ fails }" })).header("accept", accept);
        let (status, _, body) = parts(request.send().await.unwrap()).await;
        assert_eq!((status, body.get("data")), (200, Some(&Value::Null)));
        assert_eq!(body["errors"][0]["path"], json!(["fails"]));
    }
}

#[tokio::test]
async fn a_client_that_accepts_nothing_that_is_written_is_told_so() {
    let server = Server::start(&[]).await;
    let request = server.post(&json!({ "query": "{ hello }" })).header("accept", "text/html");
    assert_refused(request.send().await.unwrap(), 406, "NOT_ACCEPTABLE").await;
}

#[tokio::test]
async fn a_refusal_is_written_as_the_client_accepts_it() {
    let server = Server::start(&[]).await;
    let request = server.request("POST", "/graphql").header("accept", RESPONSE_JSON);
    let headers = assert_refused(request.send().await.unwrap(), 401, "UNAUTHENTICATED").await;
    assert_eq!(headers["content-type"], format!("{RESPONSE_JSON}; charset=utf-8"));
}

#[tokio::test]
async fn a_body_is_bounded() {
    let server = Server::start(&[("http.graphql_body_bytes", "1000")]).await;
    let body = |length: usize| {
        let empty = json!({ "query": "{ hello }", "padding": "" }).to_string().len();
        json!({ "query": "{ hello }", "padding": "x".repeat(length - empty) })
    };
    assert_eq!(server.post(&body(1_000)).send().await.unwrap().status(), 200);
    for length in [1_001, 1_000_000] {
        assert_refused(server.post(&body(length)).send().await.unwrap(), 413, "TOO_LARGE").await;
    }
}

/// Sends a head and begins a body, by hand.
async fn begin(server: &Server, head: &str, body: &str) -> TcpStream {
    let mut connection = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\nauthorization: Bearer {}\r\n{head}\r\n\r\n",
        server.token
    );
    connection.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    connection
}

async fn answer(mut connection: TcpStream) -> String {
    let mut answer = vec![0; 64];
    let length = connection.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test]
async fn a_body_in_pieces_is_bounded_too() {
    let server = Server::start(&[("http.graphql_body_bytes", "1000")]).await;
    let piece = format!("12c\r\n{}\r\n", "x".repeat(300));
    let body = format!("{}0\r\n\r\n", piece.repeat(4));
    let connection = begin(&server, "transfer-encoding: chunked", &body).await;
    assert!(answer(connection).await.starts_with("HTTP/1.1 413"));
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let server = Server::start_with(&[], |settings| settings.http.request_timeout = Duration::from_millis(20)).await;
    let connection = begin(&server, "content-length: 100", "{").await;
    assert!(answer(connection).await.starts_with("HTTP/1.1 408"));
}

#[tokio::test]
async fn an_operation_ends_with_its_client() {
    let server = Server::start(&[]).await;
    let body = json!({ "query": "{ wait }" }).to_string();
    let connection = begin(&server, &format!("content-length: {}", body.len()), &body).await;
    let mut waiting = server.seen.waiting.subscribe();
    waiting.wait_for(|count| *count == 1).await.unwrap();
    drop(connection);
    waiting.wait_for(|count| *count == 0).await.unwrap();
}

#[tokio::test]
async fn an_operation_ends_after_a_set_time() {
    let server = Server::start_with(&[], |settings| settings.http.request_timeout = Duration::from_millis(20)).await;
    let refused = server.post(&json!({ "query": "{ wait }" })).send().await.unwrap();
    assert_refused(refused, 503, "TIMEOUT").await;
    assert_eq!(*server.seen.waiting.borrow(), 0);
}

#[tokio::test]
async fn a_panic_is_caught_and_told_to_nobody() {
    let server = Server::start(&[]).await;
    let request = server.post(&json!({ "query": "{ panics }" })).header("x-request-id", "mine-1");
    let (status, headers, body) = parts(request.send().await.unwrap()).await;
    assert_eq!((status, &headers["x-request-id"]), (500, &HeaderValue::from_static("mine-1")));
    let error = json!({
        "message": "Internal server error (request mine-1)",
        "extensions": { "code": "INTERNAL", "requestId": "mine-1" },
    });
    assert_eq!(body, json!({ "errors": [error] }));
    assert_eq!(server.query("{ hello }").await["data"]["hello"], "Hello, !");
}

#[tokio::test]
async fn every_response_has_a_request_id() {
    let server = Server::start(&[]).await;
    let id = |given: &'static str| {
        let request = server.request("GET", "/health/live").header("x-request-id", given);
        async { request.send().await.unwrap().headers()["x-request-id"].to_str().unwrap().to_owned() }
    };
    assert_eq!(id("a-b_c.1").await, "a-b_c.1");
    for harmful in ["", "with space", "\"quoted\""] {
        assert_ne!(id(harmful).await, harmful);
    }
    let response = server.request("GET", "/health/live").send().await.unwrap();
    assert_eq!(response.headers()["x-request-id"].len(), 32);
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn the_explorer_is_a_page_without_secrets() {
    let server = Server::start(&[]).await;
    let page = server.request("GET", "/graphiql").send().await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("connect-src 'self'") && !policy.contains("script-src 'unsafe-inline'"));
    let page = page.text().await.unwrap();
    assert_eq!(page.matches("<script").count(), page.matches("</script>").count());
    assert_eq!(page.matches("https://unpkg.com/").count(), page.matches("integrity=\"sha384-").count());
    let script = server.request("GET", "/graphiql.js").send().await.unwrap().text().await.unwrap();
    assert!(script.contains("/graphql/ws") && script.contains("Bearer"));
}
