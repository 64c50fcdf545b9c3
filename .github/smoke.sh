#!/usr/bin/env bash
# Usage: smoke.sh STACK
# Sends one document through the gateway and explains its trace. Fails unless it is answered and every service left a span.
set -euo pipefail
stack=$1
# A fork's own: the service that is asked, the path that is posted to, and the services that have a part in the answer.
service=${SMOKE_SERVICE:-gateway}
path=${SMOKE_PATH:-/documents?name=smoke-test.md}
expect=${SMOKE_EXPECT:-gateway,extract,archive}

urls=$(pulumi stack output urls --json --stack "$stack")
url=$(jq --exit-status --raw-output --arg name "$service" '.[$name]' <<< "$urls")
project=$(pulumi stack output project --stack "$stack")

# Each try is a trace of its own, or the spans of one that failed would speak for one that did not. The first may find no
# instance of any service. A trace id whose lower half is small is kept at any ratio (app/telemetry/sampling.py), so prod's
# 10 % do not matter.
for try in 1 2 3 4; do
  trace=$(openssl rand -hex 8)0000$(openssl rand -hex 6)
  if curl --silent --show-error --fail-with-body --max-time 60 --header "traceparent: 00-$trace-$(openssl rand -hex 8)-01" \
    --data-binary @README.md "$url$path"; then break; fi
  if [ "$try" = 4 ]; then
    echo "$service of stack $stack did not answer" >&2
    exit 1
  fi
  sleep 5
done
echo

for seconds in 5 10 20 40 60; do # until the last spans can be read
  sleep "$seconds"
  if .venv/bin/blueprint explain "$trace" --project "$project" --expect "$expect"; then exit 0; fi
done
echo "trace $trace did not arrive whole in project $project" >&2
exit 1
