#!/usr/bin/env bash
# Logs in to the project's own registry, where jobs share what they built. The job token lives as long as the job.
set -euo pipefail
printf '%s' "$CI_JOB_TOKEN" | podman login "$CI_REGISTRY" --username gitlab-ci-token --password-stdin
