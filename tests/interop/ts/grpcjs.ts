// grpcjs.js ADDRESS OWNER REPO RUN, RUN being a CI system's name for its build; the token is SHIPLIFT_TOKEN.
import { type DescMethod, type MessageInitShape, type MessageShape, create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { Client, Metadata, type ServiceError, credentials } from "@grpc/grpc-js";
import { service as health } from "grpc-health-check";
import { BuildService } from "shiplift-stubs";
import { ErrorInfoSchema } from "shiplift-stubs/google/rpc/error_details_pb";
import { StatusSchema } from "shiplift-stubs/google/rpc/status_pb";

const retries = `
{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 5, "initialBackoff": "0.2s",
  "maxBackoff": "3s", "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}}]}`;
const [address, owner, repo, run] = process.argv.slice(2);
const channel = new Client(address, credentials.createInsecure(), { "grpc.service_config": retries });
const metadata = new Metadata();
metadata.set("authorization", `Bearer ${process.env.SHIPLIFT_TOKEN}`);

function call<M extends DescMethod>(method: M, fields: MessageInitShape<M["input"]>) {
  const path = `/${method.parent.typeName}/${method.name}`;
  const write = (request: MessageShape<M["input"]>) => Buffer.from(toBinary<M["input"]>(method.input, request));
  const read = (bytes: Buffer): MessageShape<M["output"]> => fromBinary<M["output"]>(method.output, bytes);
  return [path, write, read, create<M["input"]>(method.input, fields), metadata] as const;
}
type Answer<M extends DescMethod> = { message: MessageShape<M["output"]>; trailers: Metadata };
const unary = <M extends DescMethod>(method: M, fields: MessageInitShape<M["input"]>) =>
  new Promise<Answer<M>>((resolve, reject) => {
    let message: MessageShape<M["output"]>;
    const options = { deadline: Date.now() + 20_000 };
    channel.makeUnaryRequest(...call(method, fields), options, (error, answer) => {
      if (error) reject(error);
      message = answer!;
    }).on("status", ({ metadata }) => resolve({ message, trailers: metadata }));
  });
const { createBuild, promoteBuild, getBuild, listBuilds, tailLog } = BuildService.method;
const { path, requestSerialize, responseDeserialize } = health.Check;
await new Promise((resolve) =>
  channel.makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, (error, answer) =>
    resolve(console.log("health:", error ?? (answer as { status: string }).status))));

const after = "9fc1ad6ebf12462f3f9773003e26b4c6f54a772e";
const recorded = (await unary(createBuild, { owner, repo, externalId: run, after })).message;
const promotion = { owner, repo, build: recorded.number, target: "production", requestId: run };
for (let time = 0; time < 2; time++) { // The requestId makes it safe to repeat.
  const { message, trailers } = await unary(promoteBuild, promotion);
  console.log("promoted as", message.number, "replayed:", trailers.get("shiplift-replayed").length > 0);
}
try {
  await unary(getBuild, { owner, repo, build: 4000 });
} catch (error) {
  const [bytes] = (error as ServiceError).metadata.get("grpc-status-details-bin");
  const [detail] = fromBinary(StatusSchema, bytes as Buffer).details;
  console.log("refused:", anyUnpack(detail, ErrorInfoSchema)?.reason);
}
const listing = { owner, repo, environment: "staging", pageSize: 1, pageToken: "" };
let page = (await unary(listBuilds, listing)).message;
for (; (listing.pageToken = page.nextPageToken); ) page = (await unary(listBuilds, listing)).message;
const build = page.builds[0].number;
for await (const some of channel.makeServerStreamRequest(...call(tailLog, { owner, repo, build, stage: 1, step: 1 })))
  for (const line of some.lines) process.stdout.write(line.text);
