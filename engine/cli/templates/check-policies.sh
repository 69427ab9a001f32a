#!/bin/sh
# What the pipeline runs, and what you can run before you push: tests every policy and builds the bundle.
set -eu
cd "$(dirname "$0")/.."
INTERLOCK="${INTERLOCK:-interlock}"
"$INTERLOCK" policy test policies --data data.yaml
mkdir -p build
"$INTERLOCK" policy build policies --data data.yaml -o build/policies.tar.gz
