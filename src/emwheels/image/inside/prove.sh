# Compiles and runs a few programs, in the image, without network, and prints a line "NAME: WHAT IT PRINTED" for each.
# /mnt/proof has the programs, /mnt/runtime a Pyodide. Arguments: the flags to compile with and to link with, a word each.
set -eu
cflags=$1
ldflags=$2
mkdir /tmp/out
cd /tmp/out

ran() {
    name=$1
    shift
    printf '%s: %s\n' "$name" "$("$@")"
}

echo "version: $(emcc -dumpversion)"
emcc -O2 /mnt/proof/plain.c -o plain.js
ran plain node plain.js
em++ -O2 $cflags $ldflags /mnt/proof/exceptions.cpp -o exceptions.js
ran exceptions node exceptions.js
emcc -O2 $cflags $ldflags /mnt/proof/jump.c -o jump.js
ran jump node jump.js
emcc -O3 -msimd128 /mnt/proof/simd.c -o simd.js
ran simd node simd.js
em++ -O3 -msimd128 $cflags -c /mnt/proof/side.cpp -o side.o
em++ $ldflags -sSIDE_MODULE=2 -Wl,--experimental-pic -sEXPORTED_FUNCTIONS=_caught,_jumped,_computed side.o -o side.so
ran side node /mnt/proof/load.mjs /mnt/runtime /tmp/out/side.so
