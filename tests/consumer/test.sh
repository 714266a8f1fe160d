#!/usr/bin/env bash
# Uses d16 as its users do: by one -I, by add_subdirectory, and by find_package after an installation of build/.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

configure=(cmake -S "$here" -G Ninja -D CMAKE_BUILD_TYPE=Debug --log-level=WARNING)

# Where CFITSIO, libpng and libjpeg cannot be found: the headers alone need none of them.
hide=(-D CMAKE_DISABLE_FIND_PACKAGE_PNG=ON -D CMAKE_DISABLE_FIND_PACKAGE_JPEG=ON -D CMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON)

echo "-- g++ -std=c++20 -I include"
g++ -std=c++20 -Wall -Wextra -Wpedantic -Werror -I "$root/include" "$here/main.cpp" -o "$temp/plain" -pthread
"$temp/plain"

echo "-- add_subdirectory"
"${configure[@]}" -B "$temp/sub" -D SUBDIRECTORY="$root" "${hide[@]}"
cmake --build "$temp/sub" -- --quiet
"$temp/sub/consumer"

echo "-- find_package"
cmake --install "$root/build" --prefix "$temp/prefix" >/dev/null
"${configure[@]}" -B "$temp/found" -D CMAKE_PREFIX_PATH="$temp/prefix" "${hide[@]}"
cmake --build "$temp/found" -- --quiet
"$temp/found/consumer" && "$temp/found/consumer_c"

echo "-- what was installed"
if links=$(find "$temp/prefix" -type l | grep .); then
  printf 'links instead of files:\n%s\n' "$links"
  exit 1
fi
diff -r "$root/kernels" "$temp/prefix/include/d16/kernels"
"$temp/prefix/bin/d16" --version
