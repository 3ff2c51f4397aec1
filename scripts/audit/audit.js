// Runs the public audits of GraphQL over HTTP against a server: node audit.js URL TOKEN. Exit status 1 if any is not ok.
import { serverAudits } from "graphql-http";

const [url, token] = process.argv.slice(2);
const fetchFn = (input, init = {}) => fetch(input, { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } });
const results = await Promise.all(serverAudits({ url, fetchFn }).map((audit) => audit.fn()));
const failed = results.filter(({ status }) => status !== "ok");
for (const { status, id, name, reason } of failed) console.log(`${status} ${id} ${name}: ${reason}`);
for (const level of ["MUST", "SHOULD", "MAY"]) {
  const meant = results.filter(({ name }) => name.startsWith(level));
  const ok = meant.filter(({ status }) => status === "ok");
  console.log(`audits of GraphQL over HTTP: ${level} ${ok.length} of ${meant.length}`);
}
process.exit(failed.length > 0 ? 1 : 0);
