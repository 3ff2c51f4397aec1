// urql. Over its normalised cache (@urql/exchange-graphcache) what the subscription brings updates the page's users.
import { Client, fetchExchange, subscriptionExchange } from "@urql/core";
import { pipe, subscribe as listen } from "wonka";
import { CHANGES, SCREEN, conversation, endpoint, headers, sockets, watch } from "./screen.js";

const client = new Client({
  url: endpoint,
  fetchOptions: { headers },
  preferGetMethod: false,
  exchanges: [
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: ({ query, variables }) => ({
        subscribe: (sink) => ({ unsubscribe: sockets.subscribe({ query, variables }, sink) }),
      }),
    }),
  ],
});

await watch({
  async read() {
    const { data, error } = await client.query(SCREEN, { id: conversation }, { requestPolicy: "network-only" });
    if (error) throw error;
    return data.conversation.currentVersion;
  },
  subscribe(variables, sink) {
    const running = pipe(
      client.subscription(CHANGES, variables),
      listen(({ data, error }) => {
        if (!error) return sink.next(data);
        running.unsubscribe();
        sink.stop(error);
      }),
    );
  },
  show: console.log,
});
