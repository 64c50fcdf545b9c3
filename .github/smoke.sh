#!/usr/bin/env bash
# Usage: smoke.sh STACK
# Sends one document through the gateway and explains its trace. Fails if either does.
set -euo pipefail
stack=$1
gateway=$(pulumi stack output urls --json --stack "$stack" | jq --exit-status --raw-output .gateway)
project=$(pulumi stack output project --stack "$stack")

# A trace id whose lower half is small is kept at any ratio (app/telemetry/sampling.py), so prod's 10 % do not matter.
header="traceparent: 00-$(openssl rand -hex 8)0000$(openssl rand -hex 6)-$(openssl rand -hex 8)-01"
answer=$(curl --silent --show-error --fail-with-body --max-time 60 --retry 3 --header "$header" \
  --data-binary @README.md "$gateway/documents?name=smoke-test.md")
echo "$answer"
trace=$(jq --exit-status --raw-output .trace_id <<< "$answer")

for seconds in 5 10 20 40 60; do # until the last spans can be read
  sleep "$seconds"
  if .venv/bin/blueprint explain "$trace" --project "$project"; then exit 0; fi
done
echo "trace $trace did not arrive in project $project" >&2
exit 1
