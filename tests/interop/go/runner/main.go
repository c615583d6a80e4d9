// Command runner reads pipeline files as a Drone runner does: it puts variables into the text with Drone's
// library, takes it apart into documents, and reads these with the YAML library that Drone's comes from.
// It takes a list of {"text", "variables"} as JSON on stdin, and prints the documents of each, or what is
// wrong with it.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/drone/envsubst"
	"gopkg.in/yaml.v2"
)

type file struct {
	Text      string            `json:"text"`
	Variables map[string]string `json:"variables"`
}

type step struct {
	Name        string            `json:"name"`
	Image       string            `json:"image"`
	Commands    []string          `json:"commands"`
	Entrypoint  []string          `json:"entrypoint"`
	Environment map[string]string `json:"environment"`
	Settings    map[string]string `json:"settings"`
	Detach      bool              `json:"detach"`
}

type document struct {
	Kind        string `json:"kind"`
	Name        string `json:"name"`
	Concurrency struct {
		Limit int `json:"limit"`
	} `json:"concurrency"`
	Environment map[string]string `json:"environment"`
	Steps       []step            `json:"steps"`
	Other       map[string]string `json:"other"`
}

type read struct {
	Error     string     `json:"error"`
	Documents []document `json:"documents"`
}

func main() {
	log.SetFlags(0)
	var files []file
	if err := json.NewDecoder(os.Stdin).Decode(&files); err != nil {
		log.Fatal(err)
	}
	found := []read{}
	for _, each := range files {
		documents, err := each.documents()
		told := read{Documents: documents}
		if err != nil {
			told.Error = err.Error()
		}
		found = append(found, told)
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		log.Fatal(err)
	}
}

func (f file) documents() ([]document, error) {
	text, err := envsubst.Eval(f.Text, func(name string) string {
		if value := f.Variables[name]; strings.Contains(value, "\n") {
			return fmt.Sprintf("%q", value)
		}
		return f.Variables[name]
	})
	if err != nil {
		return nil, err
	}
	var parts []*strings.Builder
	lines := bufio.NewScanner(strings.NewReader(text)) // Which stops at a line of 64 KiB.
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "...") {
			break
		}
		if strings.HasPrefix(line, "---") || len(parts) == 0 {
			parts = append(parts, new(strings.Builder))
		}
		if !strings.HasPrefix(line, "---") {
			parts[len(parts)-1].WriteString(line + "\n")
		}
	}
	var found []document
	for _, part := range parts {
		var read document
		if err := yaml.Unmarshal([]byte(part.String()), &read); err != nil {
			return nil, err
		}
		found = append(found, read)
	}
	return found, lines.Err()
}
