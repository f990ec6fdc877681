#!/usr/bin/env bash
# Writes a file as a note of the merge request, or brings the note of an earlier run up to date. Usage: comment.sh FILE.
# Needs curl, EMWHEELS_COMMENT_TOKEN, and what a pipeline of a merge request sets; without a token or a request it does nothing.
set -euo pipefail
if [ ! -s "$1" ] || [ -z "${EMWHEELS_COMMENT_TOKEN:-}" ] || [ -z "${CI_MERGE_REQUEST_IID:-}" ]; then
    echo "no note: there is no summary, no merge request or no EMWHEELS_COMMENT_TOKEN"
    exit 0
fi
notes="$CI_API_V4_URL/projects/$CI_PROJECT_ID/merge_requests/$CI_MERGE_REQUEST_IID/notes"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf 'header = "PRIVATE-TOKEN: %s"\n' "$EMWHEELS_COMMENT_TOKEN" > "$folder/curl"  # no other process sees it there
head -c 900000 "$1" > "$folder/text"  # a note holds a million characters
curl --silent --show-error --fail --config "$folder/curl" --output "$folder/notes" "$notes?per_page=100"
earlier=$(python3 - "$folder/notes" << 'PROGRAM'
import json
import sys

with open(sys.argv[1]) as stream:
    mine = [note["id"] for note in json.load(stream) if note["body"].startswith("<!-- emwheels build -->")]
print(mine[0] if mine else "")
PROGRAM
)
method=POST
if [ -n "$earlier" ]; then
    method=PUT
    notes="$notes/$earlier"
fi
curl --silent --show-error --fail --config "$folder/curl" --output "$folder/answer" --request "$method" \
    --data-urlencode "body@$folder/text" "$notes"
