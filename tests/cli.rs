//! The command line, as operators and their scripts use it: the very binary.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use bluetick::whatsapp::simulator::SimulatorSettings;
use reqwest::StatusCode;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::client::{Client, http};
use crate::support::database::Database;
use crate::support::process::{Binary, Process, bare};
use crate::support::server::VERIFY_TOKEN;
use crate::support::trial::{Fixture, tests};
use crate::support::wait::until;
use crate::support::webhook::{APP_SECRET, Webhook, text};
use crate::support::workspace::{
    CREATE_CONVERSATION, SEND_CONVERSATION, Workspace, create_line, flow, id_of, phone, recipients, wa_id,
};

tests! {
    on_both_databases: [
        a_token_is_shown_once_and_works_until_it_is_revoked,
        a_token_that_cannot_be_is_refused,
        any_number_of_nodes_bring_the_database_up_to_date_at_once,
        verify_tells_which_figures_differ,
        a_message_to_the_simulated_provider_comes_back_as_webhooks,
        logs_tell_no_secrets_and_nothing_of_people,
        a_list_is_sent_and_followed_to_its_end,
        a_refused_list_is_told_row_by_row,
        a_list_is_carried_again_when_the_connection_breaks,
    ],
    without_database: [
        the_schemas_are_printed_as_they_are_committed,
        every_command_explains_itself,
        an_unknown_or_wrong_setting_is_refused_by_its_name,
        a_secret_that_is_at_fault_is_not_shown,
        an_occupied_address_is_told_and_nothing_is_served,
        the_demo_shows_what_it_promises,
        a_demo_goes_on_in_a_file_of_its_own,
    ],
}

const VIEWER: &str = "{ viewer { workspace { name } scopes } }";

/// What no message may show.
const PASSWORD: &str = "hunter2";

async fn a_token_is_shown_once_and_works_until_it_is_revoked(database: Database) {
    let binary = Binary::on(database.clone()).await;
    let _server = binary.serve().await;
    let made = binary.run(&["token", "create", "--workspace", "Acmé & Co", "--scopes", "write"]);
    let (token, progress) = (said(&made), told(&made));
    assert!(made.status.success() && token.lines().count() == 1, "the token is printed, alone: {token}{progress}");
    let token = token.trim_end();
    let client = Client::new(&binary.url(), token);
    let viewer = json!({ "workspace": { "name": "Acmé & Co" }, "scopes": ["READ", "WRITE"] });
    assert_eq!(client.ask_one(VIEWER, json!({})).await, viewer);

    let listed = said(&binary.run(&["token", "list"]));
    assert!(listed.contains("Acmé & Co") && listed.contains("read,write") && listed.lines().count() == 1, "{listed}");
    assert!(!listed.contains(token) && !progress.contains(token), "it is shown no second time");
    assert_eq!(database.count(&format!("SELECT count(*) FROM tokens WHERE hash = '{token}'")).await, 0);

    let id = listed.split_whitespace().next().unwrap();
    assert!(binary.run(&["token", "revoke", id]).status.success());
    until("the token opens nothing", async || {
        (client.post(VIEWER, json!({})).await.status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    assert!(said(&binary.run(&["token", "list"])).contains("revoked"));
}

async fn a_token_that_cannot_be_is_refused(database: Database) {
    let binary = Binary::on(database.clone()).await;
    let long = "n".repeat(201);
    let create = ["token", "create", "--workspace"];
    for (arguments, named) in [
        (vec!["acme", "--scopes", "read,owner"], "owner"),
        (vec!["acme", "--scopes", ""], "--scopes"),
        (vec![" "], "workspace"),
        (vec![long.as_str()], "workspace"),
        (vec![], "--workspace"),
    ] {
        refused(&mut binary.command(&[&create[..], &arguments[..]].concat()), named);
    }
    let conversation = format!("conv_{}", "0".repeat(32));
    for id in ["", "nonsense", &conversation] {
        refused(&mut binary.command(&["token", "revoke", id]), "token");
    }
    let unknown = format!("tok_{}", "0".repeat(32));
    let revoked = binary.run(&["token", "revoke", &unknown]);
    assert_eq!(revoked.status.code(), Some(1), "the call is right, and the answer is no");
    assert!(told(&revoked).contains(&unknown));
    assert_eq!(said(&binary.run(&["token", "list"])), "");
    assert_eq!(database.count("SELECT count(*) FROM workspaces").await, 0);
}

async fn any_number_of_nodes_bring_the_database_up_to_date_at_once(database: Database) {
    let binary = Binary::on(database.clone()).await;
    let start = |_| binary.command(&["migrate"]).stderr(Stdio::piped()).spawn().unwrap();
    let nodes: Vec<_> = (0..4).map(start).collect();
    for node in nodes {
        let ended = node.wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", told(&ended));
    }
    binary.client("read");
    assert!(binary.run(&["migrate"]).status.success());
    assert_eq!(database.count("SELECT count(*) FROM tokens").await, 1, "what is there stays");
}

async fn verify_tells_which_figures_differ(database: Database) {
    let workspace = Workspace::make(database.clone()).await;
    let conversation = workspace.conversation("Welcome").await;
    let send = workspace.send(&conversation, recipients(0, 3)).await;
    let document = "query($id: ID!) { conversation(id: $id) { currentVersion { id } } }";
    let found = workspace.api.ask_one(document, json!({ "id": conversation })).await;
    let version = id_of(&found["currentVersion"]);
    let binary = Binary::on(database.clone()).await;
    let verified = binary.run(&["verify"]);
    assert!(verified.status.success() && said(&verified).is_empty(), "{}{}", said(&verified), told(&verified));
    for (tamper, of, kept) in [
        ("UPDATE tally SET users = 40 WHERE users = 3", version, "40"),
        ("UPDATE tally SET users = 3; UPDATE send_tally SET deployments = 50", send, "50"),
    ] {
        let db = database.connect().await;
        db.execute_unprepared(tamper).await.unwrap();
        db.close().await.unwrap();
        let verified = binary.run(&["verify"]);
        let differences = said(&verified);
        assert_eq!(verified.status.code(), Some(1), "{tamper}: {differences}");
        let words: Vec<_> = differences.split_whitespace().collect();
        assert_eq!(differences.lines().count(), 1, "{tamper}: {differences}");
        assert!(differences.contains(&of) && differences.to_uppercase().contains("QUEUED"), "{differences}");
        assert!(words.contains(&kept) && words.contains(&"3"), "{differences}");
    }
}

async fn a_message_to_the_simulated_provider_comes_back_as_webhooks(database: Database) {
    let binary = Binary::on(database.clone()).await;
    let _server = binary.serve().await;
    let webhooks = format!("{}/webhooks/whatsapp", binary.url());
    let place = ["--listen", "127.0.0.1:0", "--webhook-url", &webhooks];
    let rest = ["--app-secret", APP_SECRET, "--speed", "100"];
    let mut provider = Process::start(binary.command(&[&["simulate"][..], &place, &rest].concat()));
    let url = provider.prints("http://").await;
    let message = json!({ "messaging_product": "whatsapp", "to": phone(0), "type": "template",
        "template": { "name": "welcome", "language": { "code": "es" } } });
    let call = http().post(format!("{url}/1000/messages")).bearer_auth("any").json(&message);
    let answer = call.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let answer: Value = answer.json().await.unwrap();
    assert!(answer["messages"][0]["id"].as_str().unwrap().starts_with("wamid."), "{answer}");
    // They are signed well, or they would not be kept; and nobody here has such a line.
    until("a webhook is kept", async || {
        let kept = database.count("SELECT count(*) FROM kept WHERE reason = 'unknown_line'").await;
        (kept > 0).then_some(())
    })
    .await;
    provider.terminate();
    assert!(provider.ended().await.success());
}

async fn logs_tell_no_secrets_and_nothing_of_people(database: Database) {
    let mut binary = Binary::on(database).await;
    binary.set("BLUETICK_LOG_LEVEL", "warn,bluetick=trace");
    binary.set("BLUETICK_WHATSAPP_ACCESS_TOKEN", PASSWORD);
    // Nobody listens there, so calls fail.
    binary.set("BLUETICK_WHATSAPP_BASE_URL", "http://127.0.0.1:1/v25.0");
    let mut server = binary.serve().await;
    let client = binary.client("admin");
    let line = create_line(&client, "1000", false).await;
    let input = json!({ "name": "Welcome", "direction": "OUTBOUND", "lineId": line.id, "flow": flow() });
    let made = client.change(CREATE_CONVERSATION, json!({ "input": input })).await;
    let input = json!({ "conversationId": id_of(&made["conversation"]), "users": recipients(0, 1) });
    client.change(SEND_CONVERSATION, json!({ "input": input })).await;
    let mut misspelt = text("wamid.2", &wa_id(&phone(0)), "A private word", 0);
    misspelt["timestamp"] = json!("A private time");
    let webhook = Webhook::of("1000").message(misspelt).profile(&wa_id(&phone(0)), "Ana Privada");
    assert_eq!(binary.post(&webhook.payload()).await, Some(StatusCode::OK));
    client.post("query($id: ID!) { node(id: $id) { id } }", json!({ "id": "A private id" })).await;
    client.with_token(Some("bt_wrong")).post(VIEWER, json!({})).await;
    client.get(&format!("/webhooks/whatsapp?hub.verify_token={}", VERIFY_TOKEN.replace(' ', "%20"))).await;
    until("the failed call is logged", async || server.printed().contains("provider").then_some(())).await;
    server.terminate();
    assert!(server.ended().await.success());
    let (printed, token, number) = (server.printed(), client.token.unwrap(), phone(0));
    for secret in [APP_SECRET, VERIFY_TOKEN, PASSWORD, "bt_wrong", &token, &wa_id(&number), "private", "Privada"] {
        assert!(!printed.contains(secret), "{secret} is in the log:\n{printed}");
    }
}

async fn a_list_is_sent_and_followed_to_its_end(database: Database) {
    let (workspace, provider) = Workspace::with_provider(database, SimulatorSettings::default()).await;
    let (conversation, folder) = (workspace.conversation("Welcome").await, TempDir::new().unwrap());
    let (list, token) = (folder.path().join("list.csv"), folder.path().join("token"));
    fs::write(&list, format!("phone,name\n{},Ana\nnobody,Eva\n{},Luis\n", phone(0), phone(1))).unwrap();
    fs::write(&token, format!("{}\n", workspace.api.token.as_deref().unwrap())).unwrap();
    let (list, token) = (list.to_str().unwrap(), token.to_str().unwrap());
    let arguments = [
        "send",
        "--conversation",
        &conversation,
        "--csv",
        list,
        "--server",
        &workspace.server.url,
        "--token-file",
        token,
        "--skip-invalid",
        "--idempotency-key",
        "spring",
    ];
    for _ in 0..2 {
        let ended = output(bare(&arguments)).await;
        assert_eq!(ended.status.code(), Some(0), "{}", told(&ended));
        let send = said(&ended).trim_end().to_owned();
        assert!(send.starts_with("send_") && send.lines().count() == 1, "the id is printed, alone: {send}");
        let progress = told(&ended);
        for words in ["line 3: the phone has no digit", "2 users", "2 of 2", "The send is completed"] {
            assert!(progress.contains(words), "{words}: {progress}");
        }
        assert!(!progress.contains(workspace.api.token.as_deref().unwrap()));
    }
    assert_eq!(provider.counters().calls, 2);
    assert_eq!(workspace.server.differences().await, []);
}

async fn a_refused_list_is_told_row_by_row(workspace: Workspace) {
    let (conversation, folder) = (workspace.conversation("Welcome").await, TempDir::new().unwrap());
    let list = folder.path().join("list.ndjson");
    fs::write(&list, "{\"phone\":\"nobody\"}\n{\"phone\":\"+573000000001\"}\n").unwrap();
    let list = list.to_str().unwrap();
    let token = workspace.api.token.clone().unwrap();
    let call = |arguments: &[&str], token: &str| {
        let mut command = bare(&[&["send", "--conversation", &conversation], arguments].concat());
        command.env("BLUETICK_CLIENT_SERVER", &workspace.server.url).env("BLUETICK_CLIENT_TOKEN", token);
        command
    };
    let ended = output(call(&["--ndjson", list], &token)).await;
    assert_eq!((ended.status.code(), said(&ended).as_str()), (Some(1), ""));
    assert!(told(&ended).contains("line 1: the phone has no digit"), "{}", told(&ended));
    let ended = output(call(&["--ndjson", list], "unknown")).await;
    assert_eq!((ended.status.code(), said(&ended).as_str()), (Some(1), ""));
    for (arguments, token, named) in [
        (vec![], token.as_str(), "--csv"),
        (vec!["--csv", list, "--ndjson", list], &token, "--ndjson"),
        (vec!["--csv", "missing.csv"], &token, "missing.csv"),
        (vec!["--csv", list], "", "BLUETICK_CLIENT_TOKEN"),
        (vec!["--csv", list, "--server", "nowhere"], &token, "nowhere"),
        (vec!["--csv", list, "--token-file", "missing"], &token, "missing"),
        (vec!["--csv", list, "--scheduled-at", "tomorrow"], &token, "--scheduled-at"),
        (vec!["--csv", list, "--time-to-live", "29"], &token, "--time-to-live"),
        (vec!["--csv", list, "--conversation", "nonsense"], &token, "--conversation"),
    ] {
        refused(&mut call(&arguments, token), named);
    }
    let sends = workspace.server.database.count("SELECT count(*) FROM sends").await;
    assert_eq!(sends, 0);
}

async fn a_list_is_carried_again_when_the_connection_breaks(database: Database) {
    let (workspace, provider) = Workspace::with_provider(database, SimulatorSettings::default()).await;
    let (conversation, folder) = (workspace.conversation("Welcome").await, TempDir::new().unwrap());
    let list = folder.path().join("list.csv");
    fs::write(&list, format!("phone\n{}\n{}\n", phone(0), phone(1))).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = workspace.server.url.trim_start_matches("http://").to_owned();
    // The first connection passes everything on to the server, and nothing back.
    tokio::spawn(async move {
        for number in 0.. {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(async move {
                if number > 0 {
                    return drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
                }
                let (mut sent, mut answer) = (vec![0; 65_536], [0]);
                while server.try_read(&mut answer).is_err() {
                    tokio::select! {
                        read = client.read(&mut sent) => server.write_all(&sent[..read.unwrap()]).await.unwrap(),
                        answered = server.readable() => answered.unwrap(),
                    }
                }
            });
        }
    });
    let mut command =
        bare(&["send", "--conversation", &conversation, "--csv", list.to_str().unwrap(), "--server", &url]);
    command.env("BLUETICK_CLIENT_TOKEN", workspace.api.token.as_deref().unwrap());
    let ended = output(command).await;
    assert_eq!(ended.status.code(), Some(0), "{}", told(&ended));
    assert!(told(&ended).contains("Trying again"), "{}", told(&ended));
    assert_eq!(workspace.server.database.count("SELECT count(*) FROM sends").await, 1);
    assert_eq!(provider.counters().calls, 2);
}

/// Runs a command that calls a server of this process.
async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

async fn the_schemas_are_printed_as_they_are_committed() {
    for (file, arguments) in [("schema.graphql", &["schema"][..]), ("flow.schema.json", &["schema", "--flow"])] {
        let committed = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let printed = bare(arguments).output().unwrap();
        assert!(printed.status.success() && printed.stderr.is_empty());
        assert!(printed.stdout == committed, "cargo run -- {} > {file}", arguments.join(" "));
    }
}

async fn every_command_explains_itself() {
    let commands = ["serve", "demo", "migrate", "schema", "token", "token create", "token list", "token revoke"];
    for command in commands.into_iter().chain(["", "send", "verify", "simulate"]) {
        let arguments: Vec<_> = command.split_whitespace().chain(["--help"]).collect();
        let explained = bare(&arguments).output().unwrap();
        assert!(explained.status.success(), "{command}");
        assert!(said(&explained).contains(format!("Usage: bluetick {command}").trim_end()), "{}", said(&explained));
    }
    for (wrong, named) in [("nonsense", "nonsense"), ("token nonsense", "nonsense"), ("serve --nonsense", "--nonsense")]
    {
        refused(&mut bare(&wrong.split(' ').collect::<Vec<_>>()), named);
    }
}

async fn an_unknown_or_wrong_setting_is_refused_by_its_name() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("own.toml");
    for (settings, named) in [
        ("nonsense = 1", "nonsense"),
        ("[http]\nnonsense = 1", "http.nonsense"),
        ("[nonsense]\nlisten = \"\"", "nonsense.listen"),
        ("[http]\nshutdown_seconds = \"soon\"", "http.shutdown_seconds"),
        ("[http]\nshutdown_seconds = 0", "http.shutdown_seconds"),
        ("[live]\npoll_ms = -1", "live.poll_ms"),
        ("[log]\nformat = \"xml\"", "log.format"),
        ("[log]\nlevel = \"loud=loud=loud\"", "log.level"),
        ("listen = [", "own.toml"),
    ] {
        fs::write(&file, settings).unwrap();
        refused(in_folder(&folder, &["migrate"]).arg("--config").arg(&file), named);
        refused(in_folder(&folder, &["serve"]).env("BLUETICK_CONFIG", &file), named);
    }
    refused(in_folder(&folder, &["migrate"]).args(["--config", "missing.toml"]), "missing.toml");
    for (variable, value) in
        [("BLUETICK_NONSENSE", "1"), ("BLUETICK_HTTP_NONSENSE", ""), ("BLUETICK_LIVE_POLL_MS", "soon")]
    {
        refused(in_folder(&folder, &["serve"]).env(variable, value), variable);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no database was made");
}

async fn a_secret_that_is_at_fault_is_not_shown() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("own.toml");
    for at_fault in [format!("app_secret = [\"{PASSWORD}\"]"), format!("app_secret = \"{PASSWORD}")] {
        fs::write(&file, format!("[whatsapp]\n{at_fault}\n")).unwrap();
        let told = refused(in_folder(&folder, &["migrate"]).arg("--config").arg(&file), "");
        assert!(!told.contains(PASSWORD), "{told}");
    }
    for url in
        ["mysql://me:SECRET@127.0.0.1/x", "postgress://me:SECRET@127.0.0.1/x", "postgres://me:SECRET@127.0.0.1:x/x"]
    {
        let opened =
            in_folder(&folder, &["migrate"]).env("DATABASE_URL", url.replace("SECRET", PASSWORD)).output().unwrap();
        assert!(!opened.status.success() && !told(&opened).is_empty(), "{url}");
        assert!(!told(&opened).contains(PASSWORD), "{}", told(&opened));
    }
}

async fn an_occupied_address_is_told_and_nothing_is_served() {
    let (folder, other) = (TempDir::new().unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = other.local_addr().unwrap().to_string();
    let mut command = in_folder(&folder, &["serve"]);
    command.env("BLUETICK_LISTEN", &address);
    let mut server = Process::start(command);
    assert!(!server.ended().await.success());
    assert!(server.printed().contains(&address), "{}", server.printed());
}

async fn the_demo_shows_what_it_promises() {
    let (folder, other) = (TempDir::new().unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let occupied = other.local_addr().unwrap().to_string();
    let mut command = in_folder(&folder, &["demo", "--users", "60"]);
    command.env("BLUETICK_LISTEN", &occupied);
    let mut demo = Process::start(command);
    let (url, token) = (demo.prints("http://").await, demo.prints("bt_").await);
    assert!(!url.contains(&occupied), "it finds a place of its own");
    demo.prints("Ctrl-C").await;
    let printed = demo.printed();
    let lines = printed.lines().filter(|line| line.starts_with("{ ") || line.starts_with("subscription "));
    let (live, asked): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with("subscription "));
    assert_eq!((live.len(), asked.len()), (1, 3), "four queries worth pasting: {printed}");
    let client = Client::new(&url, &token);
    for query in asked {
        client.ask(query, json!({})).await;
    }
    let mut metrics = client.subscribe(live[0], json!({})).await;
    metrics.next_where(|metrics| metrics["totalUsers"] == 60 && metrics["messagesSent"].as_i64() > Some(0)).await;
    let document = "{ conversations { nodes { direction versions { totalCount } metrics { totalUsers } } } }";
    let found = client.ask_one(document, json!({})).await;
    let conversations = found["nodes"].as_array().unwrap();
    assert!(conversations.iter().any(|one| one["versions"]["totalCount"] == 3 && one["metrics"]["totalUsers"] == 60));
    let inbound = |one: &&Value| one["direction"] == "INBOUND";
    assert!(conversations.iter().find(inbound).unwrap()["metrics"]["totalUsers"].is_i64());
    until("its users talk, and its agents with them", async || {
        let document = "{ bot: sessions(filter: { status: [BOT, RATING, COMPLETED] }) { totalCount }
            agent: sessions(filter: { agent: \"Carla\" }) { totalCount } }";
        let found = client.ask(document, json!({})).await;
        let some = |name: &str| found[name]["totalCount"].as_i64() > Some(0);
        (some("bot") && some("agent")).then_some(())
    })
    .await;
    demo.terminate();
    assert!(demo.ended().await.success());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "it leaves nothing behind");
}

async fn a_demo_goes_on_in_a_file_of_its_own() {
    let folder = TempDir::new().unwrap();
    for deployments in [20, 40] {
        let mut command = in_folder(&folder, &["demo", "--users", "20", "--database", "demo.db"]);
        command.env("BLUETICK_LISTEN", "127.0.0.1:0");
        let mut demo = Process::start(command);
        let (url, token) = (demo.prints("http://").await, demo.prints("bt_").await);
        let client = Client::new(&url, &token);
        let document =
            "{ conversations(filter: { name: \"Welcome\" }) { nodes { metrics { totalUsers totalDeployments } } } }";
        let found = client.ask_one(document, json!({})).await;
        let metrics = json!({ "totalUsers": 20, "totalDeployments": deployments });
        assert_eq!(found, json!({ "nodes": [{ "metrics": metrics }] }));
        demo.terminate();
        assert!(demo.ended().await.success());
    }
}

/// What a command answers.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What accompanies it.
fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A command that finds no settings but those that it is given.
fn in_folder(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = bare(arguments);
    command.current_dir(folder.path());
    command
}

/// A wrong call answers nothing, and tells what is wrong; that is what this returns.
fn refused(command: &mut Command, named: &str) -> String {
    let output = command.output().unwrap();
    let told = told(&output);
    assert_eq!(output.status.code(), Some(2), "{named}: {told}");
    assert!(told.contains(named) && output.stdout.is_empty(), "{named}: {told}");
    told
}
