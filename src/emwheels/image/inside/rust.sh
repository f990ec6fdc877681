# Makes the Rust layer in /mnt/rust, inside the build image and without network: rustc and cargo of Debian's packages, and
# the standard library for wasm32-unknown-emscripten, which Debian does not have. The same packages give the same bytes.
# /mnt/debs holds the packages and /mnt/making is a scratch folder. Arguments: rust-src, then the packages to unpack.
set -eu
layer=/mnt/rust making=/mnt/making sources=$1
shift
for deb in "$@"; do dpkg-deb -x "$deb" "$layer"; done
cd "$layer/usr"
rm -rf bin/rustdoc libexec share/man share/cargo share/zsh share/bash-completion share/lintian
libraries=$(cd "$layer" && echo usr/lib/*-linux-gnu)
mkdir -p "$layer/bin" "$layer/opt/emwheels"
for program in rustc cargo; do
    # The image does not have the libraries of these programs in a place where they would look.
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} exec %s "$@"\n' \
        "$layer/$libraries" "$layer/usr/bin/$program" > "$layer/bin/$program"
    chmod 755 "$layer/bin/$program"
done
# The registry that cargo asks by default, for machines that are not configured for another.
LC_ALL=C grep -aoE 'sparse\+https://[a-z0-9.-]+/' bin/cargo | sort -u > "$layer/opt/emwheels/crates-registry"
test "$(wc -l < "$layer/opt/emwheels/crates-registry")" = 1

export PATH=$layer/bin:$PATH HOME=$making
version=$(rustc --version)
commit=$(rustc --version --verbose | sed -n 's/^commit-hash: //p')
host=$(rustc --version --verbose | sed -n 's/^host: //p')
echo "$version: the standard library for wasm32-unknown-emscripten"
# rustc wants the folder of a linker of its own for every WebAssembly target, although it calls emcc for this one.
mkdir -p "lib/rustlib/$host/bin/gcc-ld"
dpkg-deb --fsys-tarfile "$sources" | tar -x -C "$making" --wildcards --strip-components=4 './usr/src/rustc-*/library'
cd "$making/library" # its .cargo/config.toml points cargo at library/vendor
# What makes it the standard library: unstable features, and the mark of crates that are not for everybody.
export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$making/target CARGO_HOME=$making/cargo CARGO_NET_OFFLINE=true
export CARGO_PROFILE_DIST_DEBUG=0
export RUSTFLAGS="-Zforce-unstable-if-unmarked --remap-path-prefix=$making/library=/rustc/$commit/library"
cargo build --frozen --profile dist --target wasm32-unknown-emscripten -p sysroot --features "panic-unwind backtrace"
std=$layer/usr/lib/rustlib/wasm32-unknown-emscripten/lib
mkdir -p "$std"
cp "$making"/target/wasm32-unknown-emscripten/dist/deps/*.rlib "$std"

echo "$version: a first module"
cd "$making"
unset RUSTC_BOOTSTRAP RUSTFLAGS
echo '#[no_mangle] pub extern "C-unwind" fn first(n: u32) -> usize { if n > 9 { panic!("{n}") }; format!("{n}").len() }' > first.rs
rustc --edition 2021 --target wasm32-unknown-emscripten --crate-type cdylib -O -C link-arg=-Wl,--experimental-pic first.rs -o first.wasm
find "$layer" -exec touch -h -d @0 {} +
chmod -R a+rX,go-w "$layer"
