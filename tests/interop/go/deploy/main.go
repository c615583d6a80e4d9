// Command deploy takes promotions to an environment, one after the other, and runs a command for each,
// with its parameters in the environment: deploy ADDRESS ENVIRONMENT COMMAND..., the token in
// SHIPLIFT_TOKEN.
package main

import (
	"context"
	"log"
	"os"
	"os/exec"
	"syscall"
	"time"

	pb "github.com/shiplift/shiplift-go/shiplift/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

func main() {
	connection, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true))) // A server that starts again is waited for.
	if err != nil {
		log.Fatal(err)
	}
	stages := pb.NewStageServiceClient(connection)
	bearer := "Bearer " + os.Getenv("SHIPLIFT_TOKEN")
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", bearer)
	for {
		got, err := stages.AcquireStage(ctx,
			&pb.AcquireStageRequest{Machine: "go", Kind: "external", Environments: []string{os.Args[2]}})
		if err == nil && got.GetOffer() != nil {
			err = deploy(ctx, stages, got.GetOffer().GetId())
		}
		if err != nil {
			log.Print(err)
			time.Sleep(time.Second)
		}
	}
}

func deploy(ctx context.Context, stages pb.StageServiceClient, id int64) error {
	lease, err := stages.AcceptStage(ctx, &pb.AcceptStageRequest{StageId: id, Machine: "go"})
	if err != nil {
		return err // Somebody else was faster.
	}
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	command := exec.CommandContext(running, os.Args[3], os.Args[4:]...)
	command.Env = os.Environ()
	for name, value := range lease.GetPlan().GetEnvironment() {
		command.Env = append(command.Env, name+"="+value)
	}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGTERM) }
	go func() { // The watch keeps the lease, and tells of a cancel.
		var seen *pb.WatchStageResponse
		for !seen.GetStop() && running.Err() == nil {
			watch, err := stages.WatchStage(running, &pb.WatchStageRequest{StageId: id})
			for err == nil && !seen.GetStop() {
				seen, err = watch.Recv()
			}
		}
		cancel()
	}()
	report := &pb.UpdateStageRequest{StageId: id, Status: pb.BuildStatus_BUILD_STATUS_SUCCESS}
	if output, err := command.CombinedOutput(); err != nil {
		why, code := err.Error(), int32(command.ProcessState.ExitCode())
		report.Status, report.Error, report.ExitCode = pb.BuildStatus_BUILD_STATUS_FAILURE, &why, &code
		log.Printf("%s", output)
	}
	_, err = stages.UpdateStage(ctx, report)
	return err
}
