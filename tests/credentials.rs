//! Access tokens: a line is called with its own, or else with the common one.

use bluetick::config::Secret;
use bluetick::whatsapp::simulator::SimulatorSettings;
use serde_json::json;

use crate::support::database::Database;
use crate::support::trial::tests;
use crate::support::workspace::{Workspace, flow, recipients};

tests! {
    on_both_databases: [
        a_line_is_called_with_its_own_access_token,
        a_line_with_a_token_sends_where_there_is_no_common_one,
    ],
}

async fn a_line_is_called_with_its_own_access_token(database: Database) {
    let tokens = [("whatsapp.access_token", "outdated"), ("whatsapp.lines.1000.access_token", "the line's own")];
    only_the_first_line_sends(database, &tokens).await;
}

async fn a_line_with_a_token_sends_where_there_is_no_common_one(database: Database) {
    only_the_first_line_sends(database, &[("whatsapp.lines.1000.access_token", "the line's own")]).await;
}

/// A provider that knows the token of the first line alone: what is sent on another one waits, and the figures say so.
async fn only_the_first_line_sends(database: Database, tokens: &[(&str, &str)]) {
    let settings =
        SimulatorSettings { access_token: Some(Secret::new("the line's own")), ..SimulatorSettings::default() };
    let (workspace, provider) = Workspace::with_provider_and(database, settings, tokens).await;
    let other = workspace.another_line(false).await;
    let waiting = workspace.conversation_on(&other, "Waiting", "OUTBOUND", flow()).await;
    workspace.send(&waiting, recipients(0, 3)).await;
    let sending = workspace.conversation("Sending").await;
    workspace.send(&sending, recipients(0, 3)).await;
    workspace.accepted_people(&sending).await;
    // The provider counts only calls with a token that it knows.
    assert_eq!(provider.counters().calls, 3);
    let metrics = workspace.metrics(&waiting).await;
    assert_eq!((&metrics["inProcess"], &metrics["sendFailure"]), (&json!(3), &json!(0)));
    assert_eq!(metrics["byStatus"][0], json!({ "status": "QUEUED", "count": 3 }));
}
