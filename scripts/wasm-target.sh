#!/usr/bin/env bash
# Gives a Debian machine a compiler with the wasm32-unknown-unknown target, for where rustup cannot
# download one. It takes Debian's own compiler and builds the standard library for it from Debian's
# copy of the source. `cargo xtask wasm` and `cargo xtask edge` call this when they need it and then
# use the result; by hand: PATH=/usr/bin:$PATH cargo build --target wasm32-unknown-unknown
#
# It may be run any number of times. Where all is there, it ends at once.
set -euo pipefail

target=wasm32-unknown-unknown
packages=(rustc-web cargo-web rust-web-src rust-web-llvm)
rustc=/usr/bin/rustc

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The caller may run in another toolchain, whose settings must not reach this one.
unset CARGO LD_LIBRARY_PATH RUSTC RUSTUP_TOOLCHAIN RUSTC_WRAPPER RUSTFLAGS CARGO_TARGET_DIR
export PATH=/usr/bin:$PATH

# Only building shows that the library is there and that this very compiler built it: after an
# update of the packages, the old library's files are still in their place. Optimising across crates
# and linking need more than compiling does, so the probe does both.
can_build() {
  [ -x "$rustc" ] && "$rustc" --crate-name probe --crate-type cdylib -C lto --target "$target" \
    -o "$scratch/probe.wasm" - </dev/null >/dev/null 2>&1
}

is_installed() {
  dpkg-query --show --showformat='${db:Status-Status}\n' "$@" 2>/dev/null |
    awk '$1 != "installed" { missing = 1 } END { exit missing || NR != '"$#"' }'
}

install() {
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

if can_build; then
  exit 0
fi

# A fresh machine has no package lists, and an old list names versions that are gone. A machine
# that already has the packages need not ask.
if ! is_installed "${packages[@]}"; then
  apt-get update -qq || echo "the package lists could not be updated; trying with those at hand" >&2
  install "${packages[@]}"
fi

# The compiler calls LLVM's linker by a name that leads to the version it was built with.
linker=lld-$("$rustc" --version --verbose | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
is_installed "$linker" || install "$linker"

# The standard library is no ordinary dependency: a stable cargo builds it only when told that it
# may use unstable features. An empty crate that depends on it is enough to have it built. Without
# bitcode nothing could be optimised across it.
cd "$scratch"
/usr/bin/cargo init --quiet --lib --vcs none --name empty .
RUSTC_BOOTSTRAP=1 RUSTC=$rustc RUSTFLAGS=-Cembed-bitcode=yes CARGO_TARGET_DIR=$scratch/target \
  /usr/bin/cargo build --quiet --release --target "$target" -Z build-std=std,panic_abort
built=$scratch/target/$target/release/deps
rm -f "$built"/libempty-*

# What an older compiler left would stand beside the new files and be found first.
libraries=$("$rustc" --print target-libdir --target "$target")
mkdir -p "$libraries"
rm -f "$libraries"/*.rlib
cp "$built"/*.rlib "$libraries"/

if ! can_build; then
  echo "the standard library for $target was built, but $rustc cannot use it" >&2
  exit 1
fi
echo "the standard library for $target is in $libraries"
