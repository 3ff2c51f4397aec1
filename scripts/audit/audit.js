// Runs the public audits of GraphQL over HTTP against a server: node audit.js URL TOKEN. Exit status 1 if any is not ok.
import { serverAudits } from "graphql-http";

const [url, token] = process.argv.slice(2);
const fetchFn = (input, init = {}) => fetch(input, { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } });
const results = await Promise.all(serverAudits({ url, fetchFn }).map((audit) => audit.fn()));
const failed = results.filter(({ status }) => status !== "ok");
for (const { status, id, name, reason } of failed) console.log(`${status} ${id} ${name}: ${reason}`);
console.log(`audits of GraphQL over HTTP: ${results.length - failed.length} of ${results.length} ok`);
process.exit(failed.length > 0 ? 1 : 0);
