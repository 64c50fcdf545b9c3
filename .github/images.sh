#!/usr/bin/env bash
# Usage: images.sh [--preview] STACK [IMAGE...]
# Writes an image into the stack file for each service whose image is the pipeline's to name: absent, a placeholder, or of the
# stack's own registry and named `app`, or NAME where the service's `source` is services/NAME. Any other image is the service's
# own and stays. Each gets one of its own code, `app` or NAME:
#   1. the IMAGE that ends in /NAME@DIGEST or /NAME:TAG
#   2. what runs, unless an IMAGE named `app` says that a commit is deployed
#   3. what service-NAME.tar holds, which is pushed first
#   4. with --preview, and never to be deployed: what another service runs
# Where there is none it fails, and has written nothing. In the repository it changes the working copy only; nobody commits it.
set -euo pipefail
preview=false
if [ "$1" = --preview ]; then
  preview=true
  shift
fi
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

# The first IMAGE of the code $1, or nothing.
given() {
  local name=$1 image
  shift
  for image in "$@"; do
    case ${image##*/} in "$name"@* | "$name":*) echo "$image" && return ;; esac
  done
}

# What the service $1 runs, else what another does, first of all of the same code $2; for a preview of any code at all.
running() {
  jq --raw-output --arg name "$1" --arg own "$registry/$2" --argjson any "$preview" '
    [.[$name]?.image, .[]?.image] | map(strings | select(. != ""))
    | (map(select(startswith($own + "@", $own + ":"))) + if $any then . else [] end)[0] // empty' <<< "$outputs"
}

# The image of services/$1, from its archive by way of the registry.
archived() {
  local digest archive=service-$1.tar
  # One after the other by &&: within a substitution `set -e` does not stop.
  skopeo copy --preserve-digests "oci-archive:$archive" "docker://$registry/$1:${GITHUB_SHA:-by-hand}" >&2 &&
    digest=$(skopeo inspect --format '{{.Digest}}' "oci-archive:$archive") &&
    echo "$registry/$1@$digest"
}

missing() { # SERVICE CODE
  if [ "$2" = app ]; then
    echo "stack $stack: there is no image of the template for $1: name it as an IMAGE (…/app@sha256:…)," \
      "or bring the stack up once (docs/deployment.md)" >&2
  else
    echo "stack $stack: there is no image for services/$2, which $1 is: name it as a further IMAGE (…/$2@sha256:…)," \
      "or have service-$2.tar here, which .github/forks.sh makes" >&2
  fi
  exit 1
}

# All are found before one is written: half a stack file would be one release for some services and another for the rest.
release=$(given app "$@")
found='' outputs=''
while read -r name built; do
  value=$(given "$built" "$@")
  if [ -z "$value$release" ]; then
    if [ -z "$outputs" ]; then outputs=$(pulumi stack output services --json --stack "$stack" < /dev/null); fi
    value=$(running "$name" "$built")
  fi
  # Who previews may not push.
  if [ -z "$value" ] && ! $preview && [ -f "service-$built.tar" ]; then value=$(archived "$built" < /dev/null); fi
  if [ -z "$value" ]; then missing "$name" "$built"; fi
  case $value in
    "$registry/$built"[@:]*) ;;
    *) if $preview; then echo "::warning::no image of services/$built runs yet: the preview shows $name with $value" >&2; fi ;;
  esac
  found+="$name $value"$'\n'
done <<< "$ours"

while read -r name value; do
  pulumi config set --path "blueprint:services.$name.image" "$value" --stack "$stack" < /dev/null
  echo "$name: $value"
done <<< "${found%$'\n'}"

for image in "$@"; do
  if ! grep --quiet --fixed-strings " $image" <<< "$found"; then echo "stack $stack: no service takes $image" >&2; fi
done

# The pipeline has built the image already.
if [ "$(pulumi config get blueprint:build --stack "$stack" 2>/dev/null)" = true ]; then
  pulumi config set blueprint:build false --stack "$stack"
fi
