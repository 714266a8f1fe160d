#!/usr/bin/env bash
# Objects built with different flags share one program: it links, gives the same results, and the object for any machine
# keeps code for any machine: outside of the kernels chosen at run time none of its functions uses AVX-512.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[[ $(uname -m) == x86_64 ]] || { echo "skipped: this machine is no x86-64" && exit 77; }
grep -qw avx2 /proc/cpuinfo || { echo "skipped: this machine has no AVX2" && exit 77; }
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

compile() { g++ -std=c++20 -I "$here/../../include" "${@:2}" -c -o "$temp/$1.o"; }
compile main -O2 "$here/main.cpp"
compile baseline -O2 -D PART=baseline "$here/part.cpp" &
compile avx2 -O2 -mavx2 -mfma -D PART=avx2 "$here/part.cpp"
wait $!
compile native -O3 -march=native -D PART=native "$here/part.cpp"

# Of an inline function that several objects define the linker takes the first: the portable object comes first.
(cd "$temp" && g++ main.o baseline.o avx2.o native.o -o portable_first -pthread && g++ main.o native.o avx2.o baseline.o -o native_first -pthread)
"$temp/portable_first"
"$temp/native_first"

# Functions local to an object (clones such as .isra.0) are never shared: another object's may have the same name.
nm --defined-only "$temp/baseline.o" | awk '$2 ~ /[TWu]/ { print $3 }' | sort -u >"$temp/portable_functions"
objdump -d --no-show-raw-insn "$temp/portable_first" |
  awk '/^[0-9a-f]+ <.*>:$/ { name = $2; gsub(/[<>:]/, "", name) } /%zmm/ { print name }' | sort -u >"$temp/with_zmm"
if leaks=$(comm -12 "$temp/portable_functions" "$temp/with_zmm" | grep -v avx512); then
  printf 'functions of the portable object that use AVX-512:\n%s\n' "$(c++filt <<<"$leaks")"
  exit 1
fi
echo "$(wc -l <"$temp/portable_functions") functions of the portable object, none with AVX-512 but those chosen at run time"
grep -q avx512 "$temp/with_zmm" || { echo "no function for AVX-512 at all: the check sees nothing" && exit 1; }
