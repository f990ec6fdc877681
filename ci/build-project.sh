#!/usr/bin/env bash
# Builds, tests and audits a Python project; the action for GitHub and the job for GitLab run it. Reads the environment:
#   EMWHEELS_PROJECT    its folder (default: .)             EMWHEELS_TARGETS    Pyodide versions, with commas
#   EMWHEELS_OUTPUT     for wheels (default: wheelhouse)    EMWHEELS_ENGINES    engines, with commas
#   EMWHEELS_SUMMARY    for Markdown (default: emwheels.md) EMWHEELS_ARGUMENTS  further options of emwheels build
#   EMWHEELS            the program (default: that of this checkout)
#   EMWHEELS_RECIPES    a checkout with recipes of libraries (default: this one, if it is one)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

program=(${EMWHEELS:-"$here/.venv/bin/emwheels"})
recipes=${EMWHEELS_RECIPES:-$here}
if [ -d "$recipes/recipes" ]; then
    program+=(--project "$recipes")
fi
summary=${EMWHEELS_SUMMARY:-emwheels.md}
rm -f "$summary"
arguments=(build "${EMWHEELS_PROJECT:-.}" --output-dir "${EMWHEELS_OUTPUT:-wheelhouse}" --summary "$summary")
if [ -n "${EMWHEELS_TARGETS:-}" ]; then
    arguments+=(--target "$EMWHEELS_TARGETS")
fi
IFS=', ' read -r -a engines <<< "${EMWHEELS_ENGINES:-}"
for engine in "${engines[@]}"; do
    arguments+=(--engine "$engine")
done
read -r -a further <<< "${EMWHEELS_ARGUMENTS:-}"
"${program[@]}" "${arguments[@]}" "${further[@]}"
