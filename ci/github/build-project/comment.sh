#!/usr/bin/env bash
# Writes a file as the comment of the pull request NUMBER; the comment of an earlier run is brought up to date.
# Usage: comment.sh FILE. Needs gh, GH_TOKEN and GITHUB_REPOSITORY.
set -euo pipefail
if [ ! -s "$1" ] || [ -z "${NUMBER:-}" ]; then
    echo "there is no summary, or no pull request to comment on"
    exit 0
fi
text=$(mktemp)
trap 'rm -f "$text"' EXIT
head -c 60000 "$1" > "$text"  # a comment holds 65,536 characters
comments="repos/$GITHUB_REPOSITORY/issues/$NUMBER/comments"
mine='.[] | select(.body | startswith("<!-- emwheels build -->")) | .id'
earlier=$(gh api --paginate "$comments" --jq "$mine" | head -n 1)
if [ -n "$earlier" ]; then
    gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$earlier" -F "body=@$text"
else
    gh api --silent --method POST "$comments" -F "body=@$text"
fi
