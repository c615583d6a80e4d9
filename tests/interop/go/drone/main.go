// Command drone talks to a gateway as Drone's own clients do, with the gateway in DRONE_SERVER and the token in
// DRONE_TOKEN: drone OWNER REPO BUILD makes all calls of a visit, and with promote TARGET, rollback TARGET,
// approve STAGE or decline STAGE behind it that one. It prints each call with what it found, or with the error,
// as a line of JSON.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"strconv"

	"github.com/drone/drone-go/drone"
	"golang.org/x/oauth2"
)

type line struct {
	Call  string `json:"call"`
	Found any    `json:"found,omitempty"`
	Error string `json:"error,omitempty"`
}

func tell(call string, found any, err error) {
	told := line{Call: call, Found: found}
	if err != nil {
		told = line{Call: call, Error: err.Error()}
	}
	if err := json.NewEncoder(os.Stdout).Encode(told); err != nil {
		log.Fatal(err)
	}
}

func main() {
	log.SetFlags(0)
	owner, repo := os.Args[1], os.Args[2]
	number, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	// As drone-go's README has it, and as the drone command does it.
	token := &oauth2.Token{AccessToken: os.Getenv("DRONE_TOKEN")}
	client := drone.NewClient(os.Getenv("DRONE_SERVER"), new(oauth2.Config).Client(context.Background(), token))

	if len(os.Args) == 6 {
		act(client, owner, repo, number, os.Args[4], os.Args[5])
	} else {
		visit(client, owner, repo, number)
	}
}

func act(client drone.Client, owner, repo string, number int, verb, word string) {
	params := map[string]string{"REGION": "eu-west-1"}
	switch verb {
	case "promote":
		build, err := client.Promote(owner, repo, number, word, params)
		tell("Promote", build, err)
	case "rollback":
		build, err := client.Rollback(owner, repo, number, word, params)
		tell("Rollback", build, err)
	case "secrets":
		keep(client, owner, repo)
	case "approve":
		tell("Approve", nil, client.Approve(owner, repo, number, stage(word)))
	case "decline":
		tell("Decline", nil, client.Decline(owner, repo, number, stage(word)))
	default:
		log.Fatalf("%s: wanted promote, rollback, secrets, approve or decline", verb)
	}
}

// What "drone secret" and "drone orgsecret" do: add, info, ls, update, rm.
func keep(client drone.Client, owner, repo string) {
	secret, err := client.SecretCreate(owner, repo, &drone.Secret{Name: "token", Data: "correct horse battery"})
	tell("SecretCreate", secret, err)
	secret, err = client.Secret(owner, repo, "token")
	tell("Secret", secret, err)
	secret, err = client.SecretUpdate(owner, repo, &drone.Secret{Name: "token", PullRequest: true})
	tell("SecretUpdate", secret, err)
	secrets, err := client.SecretList(owner, repo)
	tell("SecretList", secrets, err)
	tell("SecretDelete", nil, client.SecretDelete(owner, repo, "token"))
	secret, err = client.Secret(owner, repo, "token")
	tell("Secret, gone", secret, err)
	secret, err = client.SecretUpdate(owner, repo, &drone.Secret{Name: "token", Data: "another staple"})
	tell("SecretUpdate, gone", secret, err)

	secret, err = client.OrgSecretCreate(owner, &drone.Secret{Name: "key", Data: "of all of them", PullRequest: true})
	tell("OrgSecretCreate", secret, err)
	secret, err = client.OrgSecret(owner, "key")
	tell("OrgSecret", secret, err)
	secret, err = client.OrgSecretUpdate(owner, &drone.Secret{Name: "key", Data: "of all of them, now"})
	tell("OrgSecretUpdate", secret, err)
	secrets, err = client.OrgSecretList(owner)
	tell("OrgSecretList", secrets, err)
	secrets, err = client.OrgSecretListAll()
	tell("OrgSecretListAll", secrets, err)
	tell("OrgSecretDelete", nil, client.OrgSecretDelete(owner, "key"))
	secrets, err = client.OrgSecretList(owner)
	tell("OrgSecretList, empty", secrets, err)
}

func stage(word string) int {
	number, err := strconv.Atoi(word)
	if err != nil {
		log.Fatal(err)
	}
	return number
}

func visit(client drone.Client, owner, repo string, number int) {
	user, err := client.Self()
	tell("Self", user, err)
	repos, err := client.RepoList()
	tell("RepoList", repos, err)
	found, err := client.Repo(owner, repo)
	tell("Repo", found, err)
	found, err = client.Repo(owner, "no-such-repo")
	tell("Repo, unknown", found, err)
	found, err = client.RepoEnable(owner, repo)
	tell("RepoEnable", found, err)

	build, err := client.Build(owner, repo, number)
	tell("Build", build, err)
	build, err = client.Build(owner, repo, 4000)
	tell("Build, unknown", build, err)
	build, err = client.BuildLast(owner, repo, "")
	tell("BuildLast", build, err)
	build, err = client.BuildLast(owner, repo, "no-such-branch")
	tell("BuildLast, unknown branch", build, err)

	params := map[string]string{"REGION": "eu-west-1", "owner": "Ann & Bob = 100 %", "page": "Grüße\n+"}
	build, err = client.Promote(owner, repo, number, "production", params)
	tell("Promote", build, err)
	build, err = client.Promote(owner, repo, number, "", nil)
	tell("Promote, no target", build, err)
	build, err = client.Promote(owner, repo, 4000, "production", nil)
	tell("Promote, unknown build", build, err)
	build, err = client.Promote(owner, "no-such-repo", number, "production", nil)
	tell("Promote, unknown repository", build, err)

	build, err = client.BuildLast(owner, repo, "master")
	tell("BuildLast, after the promotion", build, err)
	builds, err := client.BuildList(owner, repo, drone.ListOptions{})
	tell("BuildList", builds, err)
	builds, err = client.BuildList(owner, repo, drone.ListOptions{Page: 2, Size: 1})
	tell("BuildList, the second page of one", builds, err)
	builds, err = client.BuildList(owner, repo, drone.ListOptions{Page: 3, Size: 1})
	tell("BuildList, after the last", builds, err)
}
