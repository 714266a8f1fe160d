#!/usr/bin/env bash
# Each public header compiles alone, without a warning, under g++, and all of them together under clang++; a header whose
# library is missing is named as skipped. Then the time that d16.hpp costs its user.
set -euo pipefail
cd "$(dirname "$0")/.."

check() {  # check COMPILER HEADER
  local output
  if output=$("$1" -std=c++20 -Wall -Wextra -Wpedantic -Werror -Wno-unknown-pragmas -fsyntax-only -I include -x c++ - <<<"#include <$2>" 2>&1); then
    return
  fi
  if missing=$(grep -oE "fatal error: '?(fitsio|png|jpeglib|sep|hdf5|zlib)\.h" <<<"$output"); then
    echo "skipped: $2 needs ${missing#*error: }"
  else
    printf 'FAILED: %s with %s\n%s\n' "$2" "$1" "$output"
    return 1
  fi
}
export -f check

failed=0 start=$SECONDS
headers=$(cd include && find -L d16 -name '*.hpp' | sort)
said=$(xargs -P "$(nproc)" -I {} bash -c "check g++ {}" <<<"$headers") || failed=1
echo "g++: $(wc -l <<<"$headers") headers in $((SECONDS - start)) s"
[[ -z $said ]] || echo "$said"

if command -v clang++ >/dev/null; then
  start=$SECONDS
  grep -vxFf <(sed -n 's/^skipped: \([^ ]*\) .*/\1/p' <<<"$said") <<<"$headers" | sed 's/.*/#include <&>/' |
    clang++ -std=c++20 -Wall -Wextra -Wpedantic -Werror -Wno-unknown-pragmas -fsyntax-only -I include -x c++ - || failed=1
  echo "clang++: all at once in $((SECONDS - start)) s"
else
  echo "skipped: clang++ is not installed"
fi

echo '#include <d16.h>' | gcc -std=c99 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I include -x c -

TIMEFORMAT='#include <d16/d16.hpp>: %R s with g++ -fsyntax-only'
time check g++ d16/d16.hpp
exit $failed
