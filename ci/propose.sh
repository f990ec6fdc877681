#!/usr/bin/env bash
# Opens a merge request for each FOLDER/NAME.patch that ci/bump.sh wrote, or brings the open one up to date.
# usage: ci/propose.sh FOLDER BASE    PUSH_URL is where to push to. Runs nothing of what a patch has in it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=$(realpath "${1:?usage: ci/propose.sh FOLDER BASE}")
base=${2:?usage: ci/propose.sh FOLDER BASE}
start=$(git rev-parse HEAD)
if [ -z "${GITLAB_CI:-}" ]; then
    gh auth setup-git
fi
for patch in "$folder"/*.patch; do
    name=$(basename "$patch" .patch)
    [[ $name =~ ^[a-z0-9][a-z0-9-]*$ && -d recipes/$name ]] || continue
    branch=bump/$name
    git checkout --quiet -B "$branch" "$start"
    # A patch comes from a job that ran foreign code: nothing but this recipe and docs/ is taken from it.
    git apply --index --include="recipes/$name/*" --include="docs/*" "$patch"
    version=$(sed -n "s/^  version: ['\"]\{0,1\}\([A-Za-z0-9.+!_-]*\).*/\1/p" "recipes/$name/meta.yaml" | head -n 1)
    title="$name $version"
    git -c user.name=emwheels -c user.email=emwheels@localhost commit --quiet --message "$title"
    if [ -n "${GITLAB_CI:-}" ]; then
        git push --force "$PUSH_URL" "HEAD:refs/heads/$branch" --push-option=merge_request.create \
            --push-option="merge_request.target=$base" --push-option="merge_request.title=$title"
        continue
    fi
    git push --force "$PUSH_URL" "HEAD:refs/heads/$branch"
    if [ -z "$(gh pr list --head "$branch" --base "$base" --json number --jq '.[].number')" ]; then
        gh pr create --head "$branch" --base "$base" --title "$title" --body-file "$folder/$name.txt"
    else
        gh pr edit "$branch" --title "$title" --body-file "$folder/$name.txt"
    fi
done
git checkout --quiet --detach "$start"
