// conversation ADDRESS OWNER REPO RUN, RUN being a CI system's name for its build; the token is SHIPLIFT_TOKEN.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	pb "github.com/shiplift/shiplift-go/shiplift/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const retries = `{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 5, "initialBackoff": "0.2s",
  "maxBackoff": "3s", "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}}]}`

func must[T any](answer T, err error) T {
	if err != nil {
		panic(err)
	}
	return answer
}

func main() {
	owner, repo, run := os.Args[2], os.Args[3], os.Args[4]
	plaintext := grpc.WithTransportCredentials(insecure.NewCredentials())
	channel := must(grpc.NewClient(os.Args[1], plaintext, grpc.WithDefaultServiceConfig(retries)))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+os.Getenv("SHIPLIFT_TOKEN"))
	fmt.Println("health:", must(health.NewHealthClient(channel).Check(ctx, &health.HealthCheckRequest{})).GetStatus())
	builds := pb.NewBuildServiceClient(channel)
	recorded := must(builds.CreateBuild(ctx, &pb.CreateBuildRequest{Owner: owner, Repo: repo,
		ExternalId: run, After: "9fc1ad6ebf12462f3f9773003e26b4c6f54a772e"})).GetNumber()
	promotion := &pb.PromoteRequest{Owner: owner, Repo: repo, Build: recorded, Target: "production", RequestId: run}
	for _, trailer := range []metadata.MD{nil, nil} { // Twice: the request_id makes it safe to repeat.
		build := must(builds.PromoteBuild(ctx, promotion, grpc.Trailer(&trailer)))
		fmt.Println("promoted as", build.GetNumber(), "replayed:", trailer.Get("shiplift-replayed") != nil)
	}
	_, err := builds.GetBuild(ctx, &pb.GetBuildRequest{Owner: owner, Repo: repo, Build: 4000})
	fmt.Println("refused:", status.Convert(err).Details()[0].(*errdetails.ErrorInfo).GetReason())
	list := &pb.ListBuildsRequest{Owner: owner, Repo: repo, Environment: "staging", PageSize: 1}
	page := must(builds.ListBuilds(ctx, list))
	for ; page.GetNextPageToken() != ""; page = must(builds.ListBuilds(ctx, list)) {
		list.PageToken = page.GetNextPageToken()
	}
	log := must(builds.TailLog(ctx, &pb.TailLogRequest{Owner: owner, Repo: repo, Build: page.Builds[0].Number, Stage: 1, Step: 1}))
	for some, err := log.Recv(); err != io.EOF; some, err = log.Recv() {
		for _, line := range must(some, err).GetLines() {
			fmt.Print(line.GetText())
		}
	}
}
