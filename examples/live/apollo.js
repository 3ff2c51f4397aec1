// Apollo Client 4. Its cache is normalised by id, so a user that a page shows is updated by what the subscription brings.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { OperationTypeNode } from "graphql";
import { CHANGES, SCREEN, conversation, endpoint, headers, sockets, watch } from "./screen.js";

const client = new ApolloClient({
  cache: new InMemoryCache(),
  link: ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    new GraphQLWsLink(sockets),
    new HttpLink({ uri: endpoint, headers }),
  ),
});

await watch({
  async read() {
    const { data } = await client.query({ query: gql(SCREEN), variables: { id: conversation }, fetchPolicy: "network-only" });
    return data.conversation.currentVersion;
  },
  subscribe(variables, sink) {
    client.subscribe({ query: gql(CHANGES), variables }).subscribe({
      next: ({ data, error }) => (error ? sink.stop(error) : sink.next(data)),
      error: sink.stop,
      complete: () => {},
    });
  },
  show: console.log,
});
