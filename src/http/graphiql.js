// Starts GraphiQL. Its header editor goes with every request, and as the payload of `connection_init` on the socket.
const socket = new URL('/graphql/ws', window.location.href);
socket.protocol = socket.protocol === 'https:' ? 'wss:' : 'ws:';

const welcome = `# Paste a token below, under "Headers", in place of PASTE-A-TOKEN-HERE.
# "bluetick token create --workspace NAME --scopes admin,personal" makes one.

{
  viewer {
    workspace {
      name
    }
    scopes
  }
}
`;

ReactDOM.createRoot(document.getElementById('graphiql')).render(
  React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({ url: '/graphql', subscriptionUrl: socket.toString() }),
    defaultQuery: welcome,
    defaultHeaders: '{\n  "Authorization": "Bearer PASTE-A-TOKEN-HERE"\n}',
    defaultEditorToolsVisibility: 'headers',
    shouldPersistHeaders: false,
  }),
);
