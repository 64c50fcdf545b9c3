#!/usr/bin/env bash
# Usage: images.sh STACK [IMAGE]
# Writes IMAGE, or without it one that runs now, into the stack file for each service whose image is the pipeline's to name:
# absent, a placeholder, or `app` of the stack's own registry. Any other image is the service's own and stays.
# Changes the working copy only; nobody commits it.
set -euo pipefail
stack=$1 image=${2:-}

region=$(pulumi config get gcp:region --stack "$stack")
project=$(pulumi config get gcp:project --stack "$stack")
services=$(pulumi config get blueprint:services --stack "$stack")
own=$region-docker.pkg.dev/$project/services-$stack/app

ours=$(jq --raw-output --arg own "$own" '
  def placeholder: test("PROJECT_ID|^REGION-|:TAG$|:DIGEST$");
  to_entries[] | (.value.image // "") as $image
  | select($image == "" or ($image | placeholder) or ($image | startswith($own + "@", $own + ":"))) | .key' <<< "$services")
if [ -z "$ours" ]; then
  echo "stack $stack: every service names an image of its own and none is $own, so nothing would be deployed:" \
    "remove the image of a service that the pipeline builds from the stack file" >&2
  exit 1
fi

# What a service ran; else, for one that is new or was not the pipeline's, what another runs, first of all the pipeline's.
running() {
  jq --raw-output --arg name "$1" --arg own "$own" '
    [.[$name]?.image, .[]?.image] | map(strings | select(. != ""))
    | (map(select(startswith($own))) + .)[0] // empty' <<< "$outputs"
}

if [ -z "$image" ]; then outputs=$(pulumi stack output services --json --stack "$stack"); fi
for name in $ours; do
  value=$image
  if [ -z "$value" ]; then value=$(running "$name"); fi
  if [ -z "$value" ]; then
    echo "stack $stack: no service runs an image that $name could have: bring the stack up once (docs/deployment.md)" >&2
    exit 1
  fi
  pulumi config set --path "blueprint:services.$name.image" "$value" --stack "$stack"
  echo "$name: $value"
done

# The pipeline has built the image already.
if [ "$(pulumi config get blueprint:build --stack "$stack" 2>/dev/null)" = true ]; then
  pulumi config set blueprint:build false --stack "$stack"
fi
