// What both examples ask for, and how they are started: node apollo.js URL TOKEN CONVERSATION-ID
import WebSocket from "ws";
import { createClient } from "graphql-ws";

const [url, token, conversation] = process.argv.slice(2);
if (!conversation) {
  console.error("usage: node apollo.js http://127.0.0.1:8080 TOKEN CONVERSATION-ID");
  process.exit(2);
}

export const endpoint = `${url}/graphql`;
export const headers = { authorization: `Bearer ${token}` };
export { conversation };

// The query tells the revision that it describes.
export const SCREEN = `query Screen($id: ID!) {
  conversation(id: $id) {
    id
    currentVersion { id number metrics { revision totalUsers messagesSent } users(first: 50) { nodes { id phone deploymentStatus stage } } }
  }
}`;

// The subscription begins behind it. The version is named, so that revisions of another one cannot be mixed up with these.
export const CHANGES = `subscription Changes($id: ID!, $version: Int!, $after: Int!) {
  userChanged(conversationId: $id, version: $version, afterRevision: $after) {
    revision
    user { id phone deploymentStatus stage }
  }
}`;

// No retries of its own: a retry would subscribe behind the revision where the page began, not where it has come to.
export const sockets = createClient({
  url: `${url.replace("http", "ws")}/graphql/ws`,
  connectionParams: { Authorization: `Bearer ${token}` },
  webSocketImpl: globalThis.WebSocket ?? WebSocket,
  retryAttempts: 0,
});

// Reads, follows, and follows again behind the last revision that was given, until the log does not reach back that far.
//   read():                       the query's `currentVersion`
//   subscribe(variables, sink):   begins a subscription; `sink` has next(data) and stop(error or undefined)
export async function watch({ read, subscribe, show }) {
  const begin = async () => {
    const version = await read();
    let revision = version.metrics.revision;
    show(`version ${version.number} at revision ${revision}: ${version.metrics.totalUsers} users`);
    const follow = () =>
      subscribe(
        { id: conversation, version: version.number, after: revision },
        {
          next({ userChanged }) {
            revision = userChanged.revision;
            show(`${revision}: ${userChanged.user.phone} is ${userChanged.user.deploymentStatus}`);
          },
          stop(error) {
            const codes = (error?.errors ?? error?.graphQLErrors ?? (Array.isArray(error) ? error : [])).map((one) => one.extensions?.code);
            if (codes.includes("REVISION_TRIMMED")) return begin();
            if (codes.length > 0 && !codes.includes("UNAVAILABLE")) throw new Error(codes.join());
            // The server is going away (1001), full (1013) or out of reach: come back, but not all at once.
            setTimeout(follow, 500 + Math.random() * 2000);
          },
        },
      );
    follow();
  };
  await begin();
}
