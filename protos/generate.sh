#!/bin/sh
# Generates the Python stubs (client/shiplift/v1), with the protos as they are and as a descriptor set beside
# them, and the client's methods (client/shiplift/_methods.py).
# With --check it changes nothing, and fails when the ones that are there are not what it would write.
set -eu
cd "$(dirname "$0")/.."
python=$PWD/.venv/protos/bin/python

# In a copy of the tree: nobody ever imports a half-written stub, and --check has what to compare.
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
mkdir -p "$new/client/shiplift/v1"
cp -R protos pyproject.toml "$new"
cp client/shiplift/v1/__init__.py "$new/client/shiplift/v1"
(
    cd "$new"
    $python -m grpc_tools.protoc -I protos \
        --plugin=protoc-gen-mypy_grpc="$(dirname "$python")/protoc-gen-mypy_grpc" \
        --python_out=client --pyi_out=client --grpc_python_out=client --mypy_grpc_out=quiet:client \
        protos/shiplift/v1/*.proto
    # With comments, which the descriptors in the stubs lack.
    $python -m grpc_tools.protoc -I protos --include_imports --include_source_info \
        --descriptor_set_out=client/shiplift/v1/descriptor.binpb protos/shiplift/v1/*.proto
    for proto in protos/shiplift/v1/*.proto; do
        ln -s "../../../$proto" client/shiplift/v1
    done
    $python protos/generate_client.py
)
.venv/bin/ruff format -q --config pyproject.toml "$new/client/shiplift/_methods.py"

if [ "${1-}" = --check ]; then
    stale=
    diff -rq -x __pycache__ client/shiplift/v1 "$new/client/shiplift/v1" || stale=yes
    diff -q client/shiplift/_methods.py "$new/client/shiplift/_methods.py" || stale=yes
    if [ "$stale" ]; then
        echo "The generated code is stale: run 'make protos' and commit what it changes." >&2
        exit 1
    fi
else
    rm -f client/shiplift/v1/*_pb2* client/shiplift/v1/*.proto
    cp -P "$new"/client/shiplift/v1/* client/shiplift/v1
    cp "$new/client/shiplift/_methods.py" client/shiplift
fi
