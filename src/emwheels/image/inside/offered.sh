# Asks apt, in an empty root file system that mmdebstrap made, what a suite offers. Nothing is downloaded but its lists.
# Arguments: the root file system; packages whose files alone are taken, a word; packages to install. Writes the records
# of what would be installed to ROOT/offered, and of what would be taken to ROOT/taken.
set -eu
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" LC_ALL=C
root=$1
taken=$2
shift 2
essential=$(apt-cache dumpavail | sed -n -e '/^Package: /{s///;h}' -e '/^Essential: yes/{g;p}')
names=$(apt-get --simulate install $essential "$@" | sed -n 's/^Inst \([^ ]*\) .*/\1/p')
test -n "$names"
apt-cache show --no-all-versions $names > "$root/offered"
: > "$root/taken"
[ -z "$taken" ] || apt-cache show --no-all-versions $taken > "$root/taken"
