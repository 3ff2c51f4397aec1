//! The end of a server.

use std::time::Duration;

use serde_json::json;
use tokio::net::TcpStream;

use super::server::Server;
use super::socket::Socket;

#[tokio::test]
async fn running_requests_finish_and_no_new_ones_are_taken() {
    let mut server = Server::start(&[]).await;
    let waits = server.post(&json!({ "query": "mutation { after(added: 1) }" })).send();
    let mut waiting = server.seen.waiting.subscribe();
    let finish = async {
        waiting.wait_for(|count| *count == 1).await.unwrap();
        server.shutdown.cancel();
        while TcpStream::connect(server.address).await.is_ok() {}
        server.seen.added.send_modify(|added| *added += 1);
    };
    let (answer, ()) = tokio::join!(waits, finish);
    assert_eq!(answer.unwrap().status(), 200);
    server.tasks.join_next().await.unwrap().unwrap();
}

#[tokio::test]
async fn sockets_are_closed_after_last_frames_and_once_their_queries_are_answered() {
    let mut server = Server::start(&[]).await;
    let mut socket = Socket::greeted(&server).await;
    let mut greeting = Socket::unknown(&server).await;
    socket.subscribe("s", "subscription { forever }").await;
    assert_eq!(socket.next().await["type"], "next");
    socket.subscribe("m", "mutation { after(added: 1) }").await;
    let mut waiting = server.seen.waiting.subscribe();
    waiting.wait_for(|count| *count == 2).await.unwrap();

    server.shutdown.cancel();
    assert_eq!(socket.next().await["payload"]["data"], json!({ "forever": false }));
    waiting.wait_for(|count| *count == 1).await.unwrap();
    server.seen.added.send_modify(|added| *added += 1);
    assert_eq!(socket.next().await, json!({ "id": "m", "type": "next", "payload": { "data": { "after": true } } }));
    assert_eq!(socket.next().await, json!({ "id": "m", "type": "complete" }));
    assert_eq!(socket.closed().await, 1001);
    assert_eq!(greeting.closed().await, 1001);
    // The client's half of the good-bye.
    drop((socket, greeting));
    server.tasks.join_next().await.unwrap().unwrap();
}

#[tokio::test]
async fn what_does_not_finish_is_not_waited_for_for_ever() {
    let mut server = Server::start_with(&[], |settings| settings.http.shutdown = Duration::from_millis(20)).await;
    let mut socket = Socket::greeted(&server).await;
    socket.subscribe("q", "{ wait }").await;
    server.seen.waiting.subscribe().wait_for(|count| *count == 1).await.unwrap();
    server.shutdown.cancel();
    server.tasks.join_next().await.unwrap().unwrap();
}
