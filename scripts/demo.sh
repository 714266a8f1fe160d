#!/usr/bin/env bash
# The main job from nothing: simulated galaxies, or the cutouts of --input DIR, become a catalogue and a report.
#   scripts/demo.sh [--input DIR]
# Leaves catalog.fits, catalog.csv and report.html in demo-output/. Installs what is missing first.
set -euo pipefail
cd "$(dirname "$0")/.."

input=
while (($#)); do
  case $1 in
    --input)
      (($# > 1)) || { echo "demo.sh: --input needs a folder or file" >&2 && exit 2; }
      input=$(realpath -m -- "$OLDPWD/$2")
      [[ $2 == /* ]] && input=$2
      shift 2
      ;;
    -h | --help) sed -n '2,4s/^# \?//p' "$0" && exit 0 ;;
    *) echo "demo.sh: unknown argument '$1'; usage: scripts/demo.sh [--input DIR]" >&2 && exit 2 ;;
  esac
done
if [[ -n $input && ! -e $input ]]; then
  echo "demo.sh: $input: no such file or folder" >&2
  exit 1
fi

heading() { printf '\n== %s\n' "$*"; }

heading "Packages"
scripts/install.sh demo
echo "all there"

heading "Build of the tool (build/bin/d16)"
cmake --preset cpu --log-level=WARNING
cmake --build build --target d16

if [[ -z $input ]]; then
  input=demo-output/field
  heading "A small simulated field: $input"
  build/bin/d16 simulate --out "$input" --seed 16
fi

heading "The main job"
build/bin/d16 run --input "$input" --out demo-output

heading "Results, after $SECONDS s"
for result in catalog.fits catalog.csv report.html; do
  [[ -s demo-output/$result ]] || { echo "demo.sh: demo-output/$result is missing or empty" >&2 && exit 1; }
  echo "  $PWD/demo-output/$result"
done
