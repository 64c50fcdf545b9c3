#!/usr/bin/env bash
# Usage: forks.sh
# What deploy.yml does for the template, for each services/NAME that holds a Dockerfile: its image is built there, started once
# and archived as service-NAME.tar, which images.sh brings to each stack's registry. Without services/ it does nothing.
set -euo pipefail
shopt -s nullglob

for dockerfile in services/*/Dockerfile; do
  directory=${dockerfile%/Dockerfile}
  name=${directory#services/}
  image=service-$name
  docker build --platform linux/amd64 --tag "$image:built" "$directory"
  docker run --detach --name "$image" --read-only --publish 8080:8080 --env OTEL_TRACES_EXPORTER=none "$image:built"
  curl --silent --show-error --fail --retry 20 --retry-delay 1 --retry-all-errors http://localhost:8080/healthz
  docker stop "$image"
  docker logs "$image"
  # By way of a file, as in deploy.yml (skopeo#2802).
  docker save "$image:built" --output saved.tar
  skopeo copy docker-archive:saved.tar "oci-archive:$image.tar"
  echo "$directory: $(skopeo inspect --format '{{.Digest}}' "oci-archive:$image.tar")"
done
