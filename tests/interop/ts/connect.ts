// connect.js HTTP-ADDRESS OWNER REPO RUN, RUN being a CI system's name for its build; the token is SHIPLIFT_TOKEN.
import { setTimeout } from "node:timers/promises";
import { Code, ConnectError, type Interceptor, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { BuildService } from "shiplift-stubs";
import { ErrorInfoSchema } from "shiplift-stubs/google/rpc/error_details_pb";

const [address, owner, repo, run] = process.argv.slice(2);
const baseUrl = `http://${address}`;

const bearer: Interceptor = (next) => (request) => {
  request.header.set("authorization", `Bearer ${process.env.SHIPLIFT_TOKEN}`);
  return next(request);
};
const retried: Interceptor = (next) => async (request) => {
  for (let wait = 200; ; wait *= 2) {
    try {
      return await next(request);
    } catch (error) {
      if (ConnectError.from(error).code !== Code.Unavailable || request.stream || wait > 1600) throw error;
      await setTimeout(wait);
    }
  }
};
const interceptors = [bearer, retried];
const transport = createConnectTransport({ baseUrl, httpVersion: "1.1", interceptors, defaultTimeoutMs: 20_000 });
const builds = createClient(BuildService, transport);

const ready = await fetch(`${baseUrl}/readyz`); // The gateway's health, as HTTP has it.
console.log("health:", ready.ok ? "SERVING" : "NOT_SERVING");

const after = "9fc1ad6ebf12462f3f9773003e26b4c6f54a772e";
const recorded = await builds.createBuild({ owner, repo, externalId: run, after });
const promotion = { owner, repo, build: recorded.number, target: "production", requestId: run };
for (let time = 0; time < 2; time++) { // The requestId makes it safe to repeat.
  let replayed = false;
  const onTrailer = (trailer: Headers) => { replayed = trailer.has("shiplift-replayed"); };
  const build = await builds.promoteBuild(promotion, { onTrailer });
  console.log("promoted as", build.number, "replayed:", replayed);
}

try {
  await builds.getBuild({ owner, repo, build: 4000 });
} catch (error) {
  const [info] = ConnectError.from(error).findDetails(ErrorInfoSchema);
  console.log("refused:", info.reason);
}

const listing = { owner, repo, environment: "staging", pageSize: 1 };
let page = await builds.listBuilds(listing);
while (page.nextPageToken) page = await builds.listBuilds({ ...listing, pageToken: page.nextPageToken });
const build = page.builds[0].number;
for await (const some of builds.tailLog({ owner, repo, build, stage: 1, step: 1 }))
  for (const line of some.lines) process.stdout.write(line.text);
