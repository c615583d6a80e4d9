#!/bin/sh
# Generates stubs for another language into gen/: protos/stubs.sh go|java|ts.
# What it needs beside the language's own toolchain it gets itself, by `make`.
set -eu
cd "$(dirname "$0")/.."
language=${1-}
out=gen/$language
case $language in
go | java | ts) ;;
*) echo "Say which language: make stubs LANG=go, LANG=java or LANG=ts." >&2; exit 2 ;;
esac

need() {
    command -v "$1" >/dev/null || { echo "Stubs for $language need $1. $2" >&2; exit 1; }
}

protoc() {
    make -s .venv/protos/.installed
    .venv/protos/bin/python -m grpc_tools.protoc -I protos "$@" protos/shiplift/v1/*.proto
}

empty() {
    rm -rf "$out"
    mkdir -p "$1"
}

case $language in
go)
    need go "Install Go 1.24 or later."
    GOBIN=$PWD/.venv/go go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
    GOBIN=$PWD/.venv/go go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
    empty "$out"
    protoc --plugin=.venv/go/protoc-gen-go --go_out="$out" --go_opt=module=shiplift \
        --plugin=.venv/go/protoc-gen-go-grpc --go-grpc_out="$out" --go-grpc_opt=module=shiplift
    cp protos/stubs/go.mod protos/stubs/go.sum "$out"
    echo "$out is the Go module shiplift. To use it in yours:"
    echo "  go mod edit -require=shiplift@v0.0.0 -replace=shiplift=$PWD/$out && go mod tidy"
    echo "  import shipliftv1 \"shiplift/v1\""
    ;;
java)
    need mvn "Install Maven and a JDK 17 or later."
    # protoc and the plugin are programs, not libraries: the registry has one of each for every platform.
    case $(uname -sm) in
    "Linux x86_64") platform=linux-x86_64 ;;
    "Linux aarch64") platform=linux-aarch_64 ;;
    "Darwin arm64") platform=osx-aarch_64 ;;
    "Darwin x86_64") platform=osx-x86_64 ;;
    *) echo "Stubs for java: no protoc is published for $(uname -sm)." >&2; exit 1 ;;
    esac
    for program in com.google.protobuf:protoc:4.33.5 io.grpc:protoc-gen-grpc-java:1.80.0; do
        mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.11.0:copy \
            -Dartifact=$program:exe:$platform -DoutputDirectory="$PWD/.venv/java" -Dmdep.stripVersion=true
    done
    chmod +x .venv/java/*.exe
    empty "$out/src/main/java"
    # Maven's protoc comes without google/protobuf/*.proto: it reads what the other protoc has read.
    protoc --include_imports --include_source_info --descriptor_set_out=.venv/java/shiplift.binpb
    .venv/java/protoc-$platform.exe --descriptor_set_in=.venv/java/shiplift.binpb \
        --java_out="$out/src/main/java" \
        --plugin=protoc-gen-grpc-java=.venv/java/protoc-gen-grpc-java-$platform.exe \
        --grpc-java_out="$out/src/main/java" $(cd protos && echo shiplift/v1/*.proto)
    cp protos/stubs/pom.xml "$out"
    echo "$out is a Maven project. To use it: mvn -f $out/pom.xml install"
    ;;
ts)
    need npm "Install Node.js 20 or later with npm."
    make -s .venv/node/.installed
    empty "$out"
    protoc --plugin=.venv/node/node_modules/.bin/protoc-gen-es \
        --es_out="$out" --es_opt=target=ts --es_opt=import_extension=js
    cp protos/stubs/package.json protos/stubs/tsconfig.json "$out"
    echo "$out is an npm package. To use it: npm install ./$out"
    ;;
esac
