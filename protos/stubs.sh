#!/bin/sh
# Generates a package of stubs for another language into gen/: protos/stubs.sh go|java|ts|rust|csharp|python.
# What it needs beside the language's own toolchain it gets itself, by `make`.
set -eu
cd "$(dirname "$0")/.."
language=${1-}
out=gen/$language
case $language in
go | java | ts | rust | csharp | python) ;;
*) echo "Say which language: make stubs LANG=go, java, ts, rust, csharp or python." >&2; exit 2 ;;
esac
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
tarball=shiplift-stubs-$version.tgz

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

# The project's file, with our version in place of its 0.0.0.
template() {
    sed "s/0\.0\.0/$version/" "protos/stubs/$language/$1" >"$out/$1"
}

case $language in
go)
    need go "Install Go 1.24 or later."
    GOBIN=$PWD/.venv/go go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
    GOBIN=$PWD/.venv/go go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
    module=$(sed -n 's/^module //p' protos/stubs/go/go.mod)
    empty "$out"
    protoc --plugin=.venv/go/protoc-gen-go --go_out="$out" --go_opt=module="$module" \
        --plugin=.venv/go/protoc-gen-go-grpc --go-grpc_out="$out" --go-grpc_opt=module="$module"
    cp protos/stubs/go/go.mod protos/stubs/go/go.sum "$out"
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
    template pom.xml
    ;;
ts)
    need npm "Install Node.js 20 or later with npm."
    make -s .venv/node/.installed .venv/protos/.installed
    empty "$out"
    # No package on npm has the messages of errors' details: they come with ours.
    google=$(.venv/protos/bin/python -c 'import google.rpc; print(*google.rpc.__path__)')/../..
    protoc -I "$google" --plugin=.venv/node/node_modules/.bin/protoc-gen-es \
        --es_out="$out" --es_opt=target=js+dts --es_opt=import_extension=js \
        google/rpc/error_details.proto google/rpc/status.proto
    template package.json
    for file in $(cd "$out" && echo shiplift/v1/*_pb.js); do
        echo "export * from \"./$file\";"
    done | tee "$out/index.js" >"$out/index.d.ts"
    (cd "$out" && npm pack --silent --ignore-scripts >/dev/null)
    ;;
rust)
    need cargo "Install Rust 1.88 or later with cargo."
    mkdir -p .venv/rust
    # In a copy: cargo writes a lock file beside what it builds.
    cp -R protos/stubs/rust/generate .venv/rust
    cargo build -q --manifest-path .venv/rust/generate/Cargo.toml --target-dir .venv/rust/target
    empty "$out/src"
    protoc --include_imports --include_source_info --descriptor_set_out=.venv/rust/shiplift.binpb
    .venv/rust/target/debug/generate .venv/rust/shiplift.binpb "$out/src"
    cp protos/stubs/rust/lib.rs "$out/src"
    template Cargo.toml
    ;;
csharp)
    # The NuGet package Grpc.Tools generates the code where the project is built, and has what that needs.
    empty "$out/protos/shiplift"
    cp -R protos/shiplift/v1 "$out/protos/shiplift"
    template Shiplift.Stubs.csproj
    ;;
python)
    package=$out/shiplift_stubs
    empty "$package"
    protoc --python_out="$out" --pyi_out="$out" --grpc_python_out="$out"
    mv "$out/shiplift/v1" "$package/v1"
    rmdir "$out/shiplift"
    # Under a name of its own, so that it goes beside the client, which has the package shiplift.
    sed -i.old 's/^from shiplift\.v1 import/from shiplift_stubs.v1 import/' "$package"/v1/*.py*
    rm "$package"/v1/*.old
    touch "$package/__init__.py" "$package/v1/__init__.py" "$package/py.typed"
    template pyproject.toml
    ;;
esac

sed -e "s#@OUT@#$PWD/$out#; s/@VERSION@/$version/; s/@TARBALL@/$tarball/" \
    -e '/@RETRIES@/{' -e 'r protos/stubs/retries.json' -e 'd' -e '}' "protos/stubs/$language/usage.txt"
