#!/usr/bin/env bash
# Usage: smoke.sh STACK
# One request to each entry of the deployed stack, and to each service that none of them leads to, and whether its trace is
# complete (`blueprint verify`); what is not says why.
set -euo pipefail
stack=$1
# A fork's own, in the env of up.yml: a request such as "POST /orders", and the services that have a part in its answer
# (with SMOKE_EXPECT no others are asked).
options=(--stack "$stack" --timeout 150)
if [ -n "${SMOKE_REQUEST:-}" ]; then options+=(--request "$SMOKE_REQUEST"); fi
if [ -n "${SMOKE_EXPECT:-}" ]; then options+=(--expect "$SMOKE_EXPECT"); fi

.venv/bin/blueprint verify "${options[@]}"
