import static io.grpc.Metadata.ASCII_STRING_MARSHALLER;

import com.google.rpc.ErrorInfo;
import io.grpc.ClientInterceptors;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import shiplift.v1.*;

/** Conversation ADDRESS OWNER REPO RUN, RUN being a CI system's name for its build; the token is SHIPLIFT_TOKEN. */
class Conversation {
  static final Map<String, Object> RETRIES = Map.of("methodConfig", List.of(Map.of("name", List.of(Map.of()),
      "retryPolicy", Map.of("maxAttempts", 5.0, "initialBackoff", "0.2s", "maxBackoff", "3s",
          "backoffMultiplier", 2.0, "retryableStatusCodes", List.of("UNAVAILABLE")))));

  public static void main(String[] words) throws Exception {
    String owner = words[1], repo = words[2], run = words[3];
    var headers = new Metadata();
    headers.put(Metadata.Key.of("authorization", ASCII_STRING_MARSHALLER), "Bearer " + System.getenv("SHIPLIFT_TOKEN"));
    var channel = Grpc.newChannelBuilder(words[0], InsecureChannelCredentials.create()).defaultServiceConfig(RETRIES)
        .intercept(MetadataUtils.newAttachHeadersInterceptor(headers)).build();
    var health = HealthGrpc.newBlockingStub(channel).check(HealthCheckRequest.getDefaultInstance());
    System.out.println("health: " + health.getStatus());
    var trailers = new AtomicReference<Metadata>();
    var builds = BuildServiceGrpc.newBlockingStub(ClientInterceptors.intercept(channel,
        MetadataUtils.newCaptureMetadataInterceptor(new AtomicReference<>(), trailers)));
    var recorded = builds.withDeadlineAfter(20, TimeUnit.SECONDS).createBuild(CreateBuildRequest.newBuilder()
        .setOwner(owner).setRepo(repo).setExternalId(run).setAfter("9fc1ad6ebf12462f3f9773003e26b4c6f54a772e").build());
    var promotion = PromoteRequest.newBuilder().setOwner(owner).setRepo(repo).setBuild(recorded.getNumber())
        .setTarget("production").setRequestId(run).build(); // The request_id makes it safe to repeat.
    for (int time = 0; time < 2; time++) {
      var build = builds.withDeadlineAfter(20, TimeUnit.SECONDS).promoteBuild(promotion);
      boolean replayed = trailers.get().containsKey(Metadata.Key.of("shiplift-replayed", ASCII_STRING_MARSHALLER));
      System.out.println("promoted as " + build.getNumber() + " replayed: " + replayed);
    }
    try {
      builds.getBuild(GetBuildRequest.newBuilder().setOwner(owner).setRepo(repo).setBuild(4000).build());
    } catch (StatusRuntimeException refused) {
      var info = StatusProto.fromThrowable(refused).getDetails(0).unpack(ErrorInfo.class);
      System.out.println("refused: " + info.getReason());
    }
    var listing = ListBuildsRequest.newBuilder().setOwner(owner).setRepo(repo).setEnvironment("staging").setPageSize(1);
    var page = builds.listBuilds(listing.build());
    while (!page.getNextPageToken().isEmpty())
      page = builds.listBuilds(listing.setPageToken(page.getNextPageToken()).build());
    builds.tailLog(TailLogRequest.newBuilder().setOwner(owner).setRepo(repo).setBuild(page.getBuilds(0).getNumber())
        .setStage(1).setStep(1).build()).forEachRemaining(
            some -> some.getLinesList().forEach(line -> System.out.print(line.getText())));
  }
}
