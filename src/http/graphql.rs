//! GraphQL over HTTP, by the specification's draft: POST for everything but subscriptions, GET for queries.
//!
//! As nothing but a bearer token in a header opens anything, and nothing but JSON is read, no page of another origin can
//! make a browser send what is carried out.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response, ServerError};
use async_graphql_axum::GraphQLResponse;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request as HttpRequest, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response as HttpResponse};
use axum::{Extension, Json};
use serde::Serialize;

use super::Services;
use super::authorization;
use super::body;
use super::negotiation::{Media, has_json_body};
use super::operation;
use super::parameters::{self, Malformed, QueryString};
use super::refusal::{Kind, Refusal};
use crate::graphql::{Caller, Code};
use crate::telemetry::RequestId;

/// The response to a document that was refused: by the specification it has no `data` at all, while async-graphql always
/// writes one.
#[derive(Serialize)]
struct ErrorsOnly {
    errors: Vec<ServerError>,
}

/// `POST /graphql`.
pub(super) async fn post(
    State(services): State<Arc<Services>>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let media = accepted(&headers)?;
    let answer = async {
        let viewer = authorization::viewer(&services.tokens, &headers).await?;
        let request = read_body(&services, &headers, request).await?;
        execute(&services, request, Caller { viewer, request_id }, media).await
    };
    answer.await.map_err(|refusal| refusal.written_as(media))
}

/// `GET /graphql`.
pub(super) async fn get(
    State(services): State<Arc<Services>>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    query: Result<Query<QueryString>, QueryRejection>,
) -> Result<HttpResponse, Refusal> {
    let media = accepted(&headers)?;
    let answer = async {
        let viewer = authorization::viewer(&services.tokens, &headers).await?;
        let request = read_query_string(&services, query)?;
        execute(&services, request, Caller { viewer, request_id }, media).await
    };
    answer.await.map_err(|refusal| refusal.written_as(media))
}

fn accepted(headers: &HeaderMap) -> Result<Media, Refusal> {
    let message = "Accept must allow application/graphql-response+json or application/json";
    Media::accepted(headers).ok_or_else(|| Refusal::new(Kind::NotAcceptable, message))
}

/// Reads the request in a query string; that of a mutation is refused.
pub(super) fn read_query_string(
    services: &Services,
    query: Result<Query<QueryString>, QueryRejection>,
) -> Result<Request, Refusal> {
    let Query(query) = query.map_err(|_| Malformed::new("The query string is malformed"))?;
    let mut request = parameters::from_query_string(query)?;
    // A GET must be safe to repeat and to prefetch.
    if services.operations.kind(&mut request) == Some(OperationType::Mutation) {
        let refusal = Refusal::new(Kind::MethodNotAllowed, "A mutation must be sent with POST");
        return Err(refusal.with_header(ALLOW, HeaderValue::from_static("POST")));
    }
    Ok(request)
}

/// Reads the request in a body.
pub(super) async fn read_body(
    services: &Services,
    headers: &HeaderMap,
    request: HttpRequest,
) -> Result<Request, Refusal> {
    if !has_json_body(headers) {
        let message = "The body must be application/json in UTF-8, and Content-Type must say so";
        return Err(Refusal::new(Kind::UnsupportedMediaType, message));
    }
    let http = &services.http;
    let body = body::read(request.into_body(), http.graphql_body_bytes.get(), http.request_timeout).await?;
    Ok(parameters::from_body(&body)?)
}

async fn execute(services: &Services, request: Request, caller: Caller, media: Media) -> Result<HttpResponse, Refusal> {
    let response = services.operations.execute(request, caller).await?;
    let headers = [(CONTENT_TYPE, media.header()), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((headers, write(response, media)).into_response())
}

fn write(response: Response, media: Media) -> HttpResponse {
    if !operation::is_refused(&response) {
        return GraphQLResponse::from(response).into_response();
    }
    let status = match media {
        _ if response.errors.iter().any(|error| Code::RateLimited.is_of(error)) => StatusCode::TOO_MANY_REQUESTS,
        Media::GraphqlResponse => StatusCode::BAD_REQUEST,
        Media::Json => StatusCode::OK,
    };
    (status, response.http_headers, Json(ErrorsOnly { errors: response.errors })).into_response()
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self::new(Kind::BadRequest, malformed.to_string())
    }
}
