# Makes every system library of Emscripten that a side module or a configure check may link, into $EM_CACHE.
# Emscripten makes them at first use, under a lock that parallel builds race for; the cache is frozen after this.
# Argument: further flags for linking side modules.
set -eu
mkdir -p "$EM_CACHE" /tmp/warm
cd /tmp/warm
cat > c.c <<'EOF'
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
static jmp_buf back;
int main(void) { if (!setjmp(back)) longjmp(back, 1); printf("%f\n", sin(1.0)); return 0; }
EOF
cat > cxx.cpp <<'EOF'
#include <iostream>
#include <stdexcept>
int main() { try { throw std::runtime_error("x"); } catch (std::exception &e) { std::cout << e.what(); } }
EOF
exceptions="-fwasm-exceptions -sSUPPORT_LONGJMP=wasm"
side="-fPIC -sSIDE_MODULE=2${1:+ $1}"
echo "Emscripten's system libraries: programs"
for optimisation in -O0 -O2 -Oz; do
    emcc $optimisation c.c -o c.js
    emcc $optimisation $exceptions c.c -o c.js
    em++ $optimisation $exceptions cxx.cpp -o cxx.js
done
em++ -O2 cxx.cpp -o cxx.js
# CMake's check_type_size and Meson's checks of sizes link these without a word of why they fail.
echo "Emscripten's system libraries: programs without JavaScript"
em++ -O2 cxx.cpp -o cxx.wasm
emcc -O2 $exceptions c.c -o c.wasm
echo 'int answer(void) { return 42; }' > reactor.c
emcc -O2 --no-entry reactor.c -o reactor.wasm
echo "Emscripten's system libraries: side modules"
for optimisation in -O0 -O2 -O3 -Oz; do
    emcc $optimisation $exceptions $side c.c -o c.wasm
    em++ $optimisation $exceptions $side cxx.cpp -o cxx.wasm
done
embuilder --pic build libc libc_optz libc++-legacyexcept libc++abi-legacyexcept libunwind-legacyexcept \
    libclang_rt.builtins libdlmalloc 2>/dev/null || true
