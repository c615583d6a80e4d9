// Talks to a gateway through Connect's own client: conversation.js FORMAT OWNER REPO BUILD, in the format
// `json`, `binary`, or `gzip` (JSON, compressed), with the gateway in SHIPLIFT_HTTP and the tokens of somebody
// who may write and of somebody who may only read in SHIPLIFT_TOKEN and SHIPLIFT_READER_TOKEN. It prints each
// call with the answer, or with the error, as a line of JSON.

import { type DescMessage, type MessageShape, create, toJson } from "@bufbuild/protobuf";
import { Code, ConnectError, type Interceptor, createClient } from "@connectrpc/connect";
import { compressionGzip, createConnectTransport } from "@connectrpc/connect-node";

import { BadRequestSchema, ErrorInfoSchema, PreconditionFailureSchema } from "shiplift-stubs/google/rpc/error_details_pb";
import {
  AccessService,
  BuildSchema,
  BuildService,
  GetBuildRequestSchema,
  GetRepositoryRequestSchema,
  ListBuildsResponseSchema,
  ListRepositoriesResponseSchema,
  PromoteRequestSchema,
  RepositorySchema,
  WhoAmIResponseSchema,
} from "shiplift-stubs";

const [format, owner, repo, number] = process.argv.slice(2);
const build = Number(number);

function clients(token: string) {
  const bearer: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
  const transport = createConnectTransport({
    baseUrl: `http://${process.env.SHIPLIFT_HTTP}`,
    httpVersion: "1.1",
    useBinaryFormat: format === "binary",
    sendCompression: format === "gzip" ? compressionGzip : undefined,
    compressMinBytes: 0,
    useHttpGet: format !== "json",
    interceptors: [bearer],
    defaultTimeoutMs: 20_000,
  });
  return { access: createClient(AccessService, transport), builds: createClient(BuildService, transport) };
}

async function tell<D extends DescMessage>(call: string, schema: D, answer: Promise<MessageShape<D>>) {
  console.log(JSON.stringify([call, await outcome(schema, answer)]));
}

async function outcome<D extends DescMessage>(schema: D, answer: Promise<MessageShape<D>>) {
  try {
    return toJson(schema, await answer);
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    return {
      code: Code[error.code],
      message: error.rawMessage,
      details: [
        ...error.findDetails(ErrorInfoSchema).map((info) => toJson(ErrorInfoSchema, info)),
        ...error.findDetails(BadRequestSchema).map((bad) => toJson(BadRequestSchema, bad)),
        ...error.findDetails(PreconditionFailureSchema).map((failed) => toJson(PreconditionFailureSchema, failed)),
      ],
    };
  }
}

const writer = clients(process.env.SHIPLIFT_TOKEN!);
const reader = clients(process.env.SHIPLIFT_READER_TOKEN!);
const stranger = clients("shl_wrong");

await tell("WhoAmI", WhoAmIResponseSchema, writer.access.whoAmI({}));
await tell("ListRepositories", ListRepositoriesResponseSchema, writer.access.listRepositories({}));
await tell("GetRepository", RepositorySchema, writer.access.getRepository({ owner, repo }));
await tell("GetBuild", BuildSchema, writer.builds.getBuild({ owner, repo, build }));

const promotion = create(PromoteRequestSchema, {
  owner,
  repo,
  build,
  target: "production",
  params: { REGION: "eu-west-1", owner: "Ann & Bob = 100 %", page: "Grüße\n+" },
  requestId: "promote once",
  expectedCurrent: 0,
});
for (const call of ["PromoteBuild", "PromoteBuild, again"]) {
  let trailers: [string, string][] = [];
  const onTrailer = (trailer: Headers) => {
    trailers = [...trailer];
  };
  await tell(call, BuildSchema, writer.builds.promoteBuild(promotion, { onTrailer }));
  console.log(JSON.stringify(["its trailers", trailers]));
}
await tell("ListBuilds", ListBuildsResponseSchema, writer.builds.listBuilds({ owner, repo }));

const wrong = { ...promotion, target: "the moon", params: { PATH: "/tmp" }, requestId: "" };
await tell("PromoteBuild, all wrong", BuildSchema, writer.builds.promoteBuild(wrong));
const other = { ...promotion, target: "staging" };
await tell("PromoteBuild, another by the same id", BuildSchema, writer.builds.promoteBuild(other));
const outrun = { ...promotion, requestId: "", expectedCurrent: 7 };
await tell("PromoteBuild, outrun", BuildSchema, writer.builds.promoteBuild(outrun));
const unknown = create(GetBuildRequestSchema, { owner, repo, build: 4000 });
await tell("GetBuild, unknown", BuildSchema, writer.builds.getBuild(unknown));
await tell("PromoteBuild, by a reader", BuildSchema, reader.builds.promoteBuild(promotion));
const nowhere = create(GetRepositoryRequestSchema, { owner, repo: "no-such-repo" });
await tell("GetRepository, unknown", RepositorySchema, reader.access.getRepository(nowhere));
await tell("WhoAmI, by nobody", WhoAmIResponseSchema, stranger.access.whoAmI({}));
