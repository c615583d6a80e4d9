// Command promote promotes a build: promote ADDRESS OWNER REPO BUILD TARGET, with the token in
// SHIPLIFT_TOKEN. It prints the new build, or why there is none.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	shipliftv1 "shiplift/v1"
)

func main() {
	log.SetFlags(0)
	address, owner, repo, target := os.Args[1], os.Args[2], os.Args[3], os.Args[5]
	number, err := strconv.ParseInt(os.Args[4], 10, 32)
	if err != nil {
		log.Fatal(err)
	}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+os.Getenv("SHIPLIFT_TOKEN"))
	build, err := shipliftv1.NewBuildServiceClient(connection).PromoteBuild(ctx, &shipliftv1.PromoteRequest{
		Owner: owner, Repo: repo, Build: int32(number), Target: target,
		Params: map[string]string{"REGION": "eu"},
	})
	if err != nil {
		log.Fatalf("%s: %s", status.Code(err), status.Convert(err).Message())
	}
	fmt.Printf("build %d to %s: %s\n", build.GetNumber(), build.GetDeployTo(), build.GetStatus())
}
