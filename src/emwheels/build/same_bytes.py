"""What makes a second build give the same bytes: one time, one place for the compiler's data."""

from __future__ import annotations

EPOCH = 1704067200
"""2024-01-01: the time of everything in a wheel (SOURCE_DATE_EPOCH)."""

SAME_ADDRESSES_OPTION = "--addr-no-randomize"

SAME_ADDRESSES = """\
if setarch --addr-no-randomize true 2> /dev/null; then
    exec setarch --addr-no-randomize "$0" "$@"
fi
echo "emwheels: this container does not let programs have the same addresses each time: a few objects may differ"
exec "$@"
"""
"""A script of the shell; its name, ``$0``, is one more option of setarch(8).

What LLVM 21 makes of some C++ functions with exceptions depends on the addresses that it has its own data at: of ten
compilations of OpenCV's aruco_dictionary.cpp two differed from the others, and none without random addresses. The
default seccomp filters of podman and docker do not allow it. The length of the command line moves that data too: with
``-MD`` the same file came out otherwise by emcc than by ccache, which asks for its list of headers in another way."""
