#!/usr/bin/env bash
# Usage: images.sh STACK [IMAGE...]
# Writes an image, or without IMAGE one that runs now, into the stack file for each service whose image is the pipeline's to
# name: absent, a placeholder, or of the stack's own registry and named `app`, or NAME where the service's `source` is
# services/NAME. Any other image is the service's own and stays. The first IMAGE is the template's; a service with a `source`
# gets the IMAGE that ends in /NAME@DIGEST or /NAME:TAG, else what service-NAME.tar holds, which is pushed first.
# In the repository it changes the working copy only; nobody commits it.
set -euo pipefail
stack=$1
shift

region=$(pulumi config get gcp:region --stack "$stack")
project=$(pulumi config get gcp:project --stack "$stack")
services=$(pulumi config get blueprint:services --stack "$stack")
registry=$region-docker.pkg.dev/${project/:/\/}/services-$stack # as infra/components/registry.py has example.com:project
own=$registry/app

# A line each: the service, and the name of the image that is built for it.
ours=$(jq --raw-output --arg registry "$registry/" '
  def placeholder: test("PROJECT_ID|^REGION-|:TAG$|:DIGEST$");
  def of($name): startswith($registry + $name + "@", $registry + $name + ":");
  to_entries[] | ((.value.source // "services/app") | ltrimstr("services/")) as $built | (.value.image // "") as $image
  | select($image == "" or ($image | placeholder or of("app") or of($built))) | "\(.key) \($built)"' <<< "$services")
if [ -z "$ours" ]; then
  echo "stack $stack: every service names an image of its own and none is $own, so nothing would be deployed:" \
    "remove the image of a service that the pipeline builds from the stack file" >&2
  exit 1
fi

# What a service ran; else, for one that is new or was not the pipeline's, what another runs, first of all of the same code.
running() {
  jq --raw-output --arg name "$1" --arg own "$registry/$2" '
    [.[$name]?.image, .[]?.image] | map(strings | select(. != ""))
    | (map(select(startswith($own + "@", $own + ":"))) + .)[0] // empty' <<< "$outputs"
}

# The image of services/$1: one of the given ones, else from its archive by way of the registry.
forks() {
  local name=$1 image archive=service-$1.tar
  shift
  for image in "$@"; do
    case $image in */"$name"@* | */"$name":*) echo "$image" && return ;; esac
  done
  if ! [ -f "$archive" ]; then
    echo "stack $stack: there is no image for services/$name: name it as a further IMAGE (…/$name@sha256:…)," \
      "or have $archive here, which .github/forks.sh makes" >&2
    return 1
  fi
  # One after the other by &&: within a substitution `set -e` does not stop.
  skopeo copy --preserve-digests "oci-archive:$archive" "docker://$registry/$name:${GITHUB_SHA:-by-hand}" >&2 &&
    image=$(skopeo inspect --format '{{.Digest}}' "oci-archive:$archive") &&
    echo "$registry/$name@$image"
}

if [ $# = 0 ]; then outputs=$(pulumi stack output services --json --stack "$stack"); fi
while read -r name built; do
  if [ $# = 0 ]; then
    value=$(running "$name" "$built")
  elif [ "$built" = app ]; then
    value=$1
  else
    value=$(forks "$built" "$@")
  fi
  if [ -z "$value" ]; then
    echo "stack $stack: no service runs an image that $name could have: bring the stack up once (docs/deployment.md)" >&2
    exit 1
  fi
  pulumi config set --path "blueprint:services.$name.image" "$value" --stack "$stack" < /dev/null
  echo "$name: $value"
done <<< "$ours"

# The pipeline has built the image already.
if [ "$(pulumi config get blueprint:build --stack "$stack" 2>/dev/null)" = true ]; then
  pulumi config set blueprint:build false --stack "$stack"
fi
