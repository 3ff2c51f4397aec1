//! The demo's content: a line, conversations that are sent and such as users begin, and sends to a few thousand users.

use serde_json::{Value, json};

use super::client::Client;
use super::flows;
use crate::cli::failure::Failure;

/// The provider's id of the demo's line.
pub(super) const LINE: &str = "1055500001";
/// The rate that WhatsApp grants most lines.
const RATE: u32 = 80;
/// One of so many of the users is sent each of the other conversations and versions, and so many more.
const OTHERS: (u32, u32) = (20, 20);

/// The names of the conversations that are sent.
const WELCOME: &str = "Welcome";
const REMINDER: &str = "Payment reminder";

pub(super) const NAMES: [&str; 10] =
    ["Ana", "Luis", "Marta", "Jorge", "Lucía", "Andrés", "Sofía", "Pablo", "Elena", "Diego"];
const CITIES: [&str; 5] = ["Bogotá", "Medellín", "Cali", "Barranquilla", "Cartagena"];

/// Asks for what the progress line shows.
pub(super) const PROGRESS: &str = "query Progress($id: ID!) { conversation(id: $id) { metrics { totalUsers messagesSent \
     inProcess sendFailure read responses responseRate inFlow finished } } }";

const FIND: &str = "query Find($welcome: String, $reminder: String) { \
     welcome: conversations(filter: { name: $welcome }) { nodes { id } } \
     reminder: conversations(filter: { name: $reminder }) { nodes { id } } }";
const CREATE_LINE: &str = "mutation ($input: CreateLineInput!) { payload: createLine(input: $input) \
     { line { id } userErrors { field code message } } }";
const CREATE_CONVERSATION: &str = "mutation ($input: CreateConversationInput!) { payload: createConversation(input: $input) \
     { conversation { id } userErrors { field code message } } }";
const CHOOSE: &str = "mutation ($input: UpdateLineInput!) { payload: updateLine(input: $input) \
     { line { id } userErrors { field code message } } }";
const PUBLISH_VERSION: &str = "mutation ($input: PublishVersionInput!) { payload: publishVersion(input: $input) \
     { version { id } userErrors { field code message } } }";
const SEND: &str = "mutation ($input: SendConversationInput!) { payload: sendConversation(input: $input) \
     { send { id } userErrors { field code message } } }";

/// What was sent.
pub(super) struct Sent {
    /// The conversation's id.
    pub(super) conversation: String,
    /// The send's id.
    pub(super) send: String,
}

/// The conversations that are sent.
struct Scene {
    welcome: String,
    reminder: String,
}

/// Sets the scene, unless it stands since an earlier demo, and begins the sends.
pub(super) async fn tell(client: &Client, users: u32) -> Result<Sent, Failure> {
    let Scene { welcome, reminder } = match find(client).await? {
        Some(scene) => scene,
        None => set(client, users).await?,
    };
    begin(client, &reminder, others(users, 0)).await?;
    let send = begin(client, &welcome, people(0, users)).await?;
    Ok(Sent { conversation: welcome, send })
}

/// Queries worth pasting.
pub(super) fn queries(sent: &Sent) -> [String; 4] {
    let Sent { conversation, send } = sent;
    [
        format!(
            "subscription {{ metricsChanged(conversationId: \"{conversation}\") {{ revision totalUsers messagesSent inProcess sendFailure delivered read responses responseRate }} }}\n"
        ),
        format!(
            "{{ conversation(id: \"{conversation}\") {{ name users(first: 5, filter: {{ stage: [IN_FLOW] }}) {{ totalCount nodes {{ phone name deploymentStatus sessionStatus lastActivityAt variables {{ name value }} history {{ nodes {{ sender kind text at status }} }} }} }} }} }}\n"
        ),
        format!(
            "{{ conversation(id: \"{conversation}\") {{ versions {{ nodes {{ number funnel {{ step entered answered answeredShare left medianSeconds }} }} }} }} }}\n"
        ),
        format!(
            "{{ send(id: \"{send}\") {{ state totalUsers progress {{ status count }} conversation {{ metrics {{ byFailure {{ reason count }} }} versions {{ totalCount nodes {{ number publishedAt }} }} }} }} }}\n"
        ),
    ]
}

async fn set(client: &Client, users: u32) -> Result<Scene, Failure> {
    let line = json!({ "phone": "+576015550100", "phoneNumberId": LINE, "name": "Demo", "messagesPerSecond": RATE });
    let line = made(client, CREATE_LINE, line, "line").await?;
    set_inbound(client, &line).await?;
    let reminder = create(client, REMINDER, "OUTBOUND", flows::reminder()).await?;
    let [first, second, third] = flows::welcome();
    let welcome = create(client, WELCOME, "OUTBOUND", first).await?;
    // Some users of each version, so that versions can be compared.
    for (place, next) in [(1, second), (2, third)] {
        begin(client, &welcome, others(users, place)).await?;
        made(client, PUBLISH_VERSION, json!({ "conversationId": welcome, "flow": next }), "version").await?;
    }
    Ok(Scene { welcome, reminder })
}

/// The conversations that users begin: that of support, unless they ask for a price.
async fn set_inbound(client: &Client, line: &str) -> Result<(), Failure> {
    let feedback = create(client, "Feedback", "INBOUND", flows::feedback()).await?;
    let prices = create(client, "Prices", "INBOUND", flows::prices(&feedback)).await?;
    let support = create(client, "Support", "INBOUND", flows::support(&feedback)).await?;
    let rule = |keyword: &str| json!({ "keyword": keyword, "conversationId": prices });
    let rules = [rule("price"), rule("precio")];
    let input = json!({ "id": line, "defaultConversationId": support, "inboundRules": rules });
    made(client, CHOOSE, input, "line").await?;
    Ok(())
}

/// The conversations of an earlier demo on the same database.
async fn find(client: &Client) -> Result<Option<Scene>, Failure> {
    let data = client.query(FIND, json!({ "welcome": WELCOME, "reminder": REMINDER })).await?;
    let id = |name: &str| data.pointer(&format!("/{name}/nodes/0/id")).and_then(Value::as_str).map(str::to_owned);
    Ok(id("welcome").zip(id("reminder")).map(|(welcome, reminder)| Scene { welcome, reminder }))
}

async fn create(client: &Client, name: &str, direction: &str, flow: Value) -> Result<String, Failure> {
    let input = json!({ "name": name, "direction": direction, "flow": flow });
    made(client, CREATE_CONVERSATION, input, "conversation").await
}

async fn begin(client: &Client, conversation: &str, users: Vec<Value>) -> Result<String, Failure> {
    made(client, SEND, json!({ "conversationId": conversation, "users": users }), "send").await
}

/// The id of what a mutation made.
async fn made(client: &Client, mutation: &str, input: Value, what: &str) -> Result<String, Failure> {
    let data = client.query(mutation, json!({ "input": input })).await?;
    let id = data.pointer(&format!("/payload/{what}/id")).and_then(Value::as_str);
    id.map(str::to_owned).ok_or_else(|| Failure::failed(format!("the demo could not make its {what}")))
}

/// People beyond those of the main send: the n-th such group.
fn others(users: u32, nth: u32) -> Vec<Value> {
    let count = users / OTHERS.0 + OTHERS.1;
    people(users + nth * count, count)
}

/// Made-up people with numbers of a range of their own: a few have no valid number, and a few no first name.
fn people(from: u32, count: u32) -> Vec<Value> {
    (from..from + count).map(person).collect()
}

fn person(number: u32) -> Value {
    let pick = |names: &[&'static str], by: u32| names.get(by as usize % names.len()).copied().unwrap_or_default();
    let phone = if number % 97 == 96 { format!("+57300{number}") } else { format!("+57300{:07}", 1_000_000 + number) };
    let mut variables = vec![json!({ "name": "city", "value": pick(&CITIES, number / 7) })];
    if number % 113 != 112 {
        variables.push(json!({ "name": "first_name", "value": pick(&NAMES, number) }));
    }
    json!({ "phone": phone, "variables": variables })
}
