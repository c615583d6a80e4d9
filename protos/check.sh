#!/bin/sh
# Checks the protos with buf: its lint, and that nothing breaks against the merge base with main
# (on main: the parent commit). buf comes with npm; CI must have it, a contributor need not.
set -eu
cd "$(dirname "$0")/.."

if ! command -v npm >/dev/null; then
    echo "buf lint and buf breaking are skipped: npm is missing (install Node.js 20 or later)."
    [ "${CI-}" != true ]
    exit
fi
make -s .venv/node/.installed
buf=.venv/node/node_modules/.bin/buf
$buf lint

if ! head=$(git rev-parse --verify -q HEAD 2>/dev/null); then
    echo "buf breaking has nothing to compare with: this is no git checkout with a commit."
    exit
fi
base=
for main in origin/main main; do
    base=$(git merge-base HEAD $main 2>/dev/null) && break
done
[ "$base" != "$head" ] || base=
base=${base:-$(git rev-parse --verify -q HEAD~1)} || {
    echo "buf breaking has nothing to compare with: the commit has no parent here."
    exit
}
if ! git cat-file -e "$base:protos" 2>/dev/null; then
    echo "buf breaking has nothing to compare with: commit $base has no protos."
    exit
fi
# The release that stubs stay compatible with since: whoever changes it begins anew, and says why in the changelog.
anew=$(git log -1 --format=%H -- protos/BASELINE)
if [ -n "$anew" ] && git merge-base --is-ancestor "$base" "$anew"; then
    base=$anew
fi
if [ "$base" = "$head" ]; then
    echo "buf breaking has nothing to compare with: compatibility begins with this commit."
    exit
fi
$buf breaking --against "$(git rev-parse --git-common-dir)#format=git,ref=$base"
