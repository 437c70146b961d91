#!/usr/bin/env bash
# Gives a Debian machine a compiler with the wasm32-unknown-unknown target, for where rustup cannot
# download one. It takes Debian's own compiler and builds the standard library for it from Debian's
# copy of the source. `cargo xtask wasm` calls this when it needs it and then uses the result; by
# hand: PATH=/usr/bin:$PATH cargo check --target wasm32-unknown-unknown
#
# It may be run any number of times. Where all is there, it ends at once.
set -euo pipefail

target=wasm32-unknown-unknown
packages=(rustc-web cargo-web rust-web-src)
rustc=/usr/bin/rustc

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The caller may run in another toolchain, whose settings must not reach this one.
unset CARGO LD_LIBRARY_PATH RUSTC RUSTUP_TOOLCHAIN RUSTC_WRAPPER RUSTFLAGS CARGO_TARGET_DIR
export PATH=/usr/bin:$PATH

# Only compiling shows that the library is there and that this very compiler built it: after an
# update of the packages, the old library's files are still in their place.
can_compile() {
  [ -x "$rustc" ] && "$rustc" --crate-name probe --crate-type lib --emit metadata \
    --target "$target" --out-dir "$scratch" - </dev/null 2>/dev/null
}

if can_compile; then
  exit 0
fi

# A fresh machine has no package lists, and an old list names versions that are gone. A machine
# that already has the packages need not ask.
if ! dpkg-query --show --showformat='${db:Status-Status}\n' "${packages[@]}" 2>/dev/null |
  awk '$1 != "installed" { missing = 1 } END { exit missing || NR != '"${#packages[@]}"' }'; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || echo "the package lists could not be updated; trying with those at hand" >&2
  apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

# The standard library is no ordinary dependency: a stable cargo builds it only when told that it
# may use unstable features. An empty crate that depends on it is enough to have it built.
cd "$scratch"
/usr/bin/cargo init --quiet --lib --vcs none --name empty .
RUSTC_BOOTSTRAP=1 RUSTC=$rustc CARGO_TARGET_DIR=$scratch/target \
  /usr/bin/cargo build --quiet --release --target "$target" -Z build-std=std,panic_abort
built=$scratch/target/$target/release/deps
rm -f "$built"/libempty-*

# What an older compiler left would stand beside the new files and be found first.
libraries=$("$rustc" --print target-libdir --target "$target")
mkdir -p "$libraries"
rm -f "$libraries"/*.rlib
cp "$built"/*.rlib "$libraries"/

if ! can_compile; then
  echo "the standard library for $target was built, but $rustc cannot use it" >&2
  exit 1
fi
echo "the standard library for $target is in $libraries"
