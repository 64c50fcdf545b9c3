#!/usr/bin/env bash
# Usage: images.sh STACK [IMAGE]
# Names the image of each service that names none in its stack file, or still the placeholder: IMAGE, or without it the one
# that runs now.
# Writes into the working copy of the stack file; nobody commits it.
set -euo pipefail
stack=$1 image=${2:-}

running() {
  pulumi stack output services --json --stack "$stack" | jq --exit-status --raw-output --arg name "$1" '.[$name].image'
}

pulumi config get blueprint:services --stack "$stack" |
  jq --raw-output 'to_entries[] | select(.value.image // "" | test("^$|:TAG$|:DIGEST$")) | .key' |
  while read -r name; do
    pulumi config set --path "blueprint:services.$name.image" "${image:-$(running "$name")}" --stack "$stack"
  done

# The pipeline has built the image already.
if [ "$(pulumi config get blueprint:build --stack "$stack" 2>/dev/null)" = true ]; then
  pulumi config set blueprint:build false --stack "$stack"
fi
