#!/bin/sh
# Calls a compiler through ccache: cached.sh CCACHE COMPILER ARGUMENT... Paths are stored relative to the sources, so that a
# second clone finds the objects of the first. An old precompiled header goes first: ccache would take it for a source, and
# all that is compiled with the new one would never be found again.
set -eu
for argument; do
  case $argument in *.gch) rm -f "$argument" ;; esac
done
root=$(cd "$(dirname "$0")/.." && pwd)
export CCACHE_BASEDIR="$root" CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros
exec "$@"
