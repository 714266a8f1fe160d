# For mutations.sh and races.sh: the programs of this folder, compiled from a copy of what they include.
# shellcheck shell=bash
# shellcheck disable=SC2034  # for those who source this file
programs=(group dense ladder layers pointwise sums vision)

# copy_sources DIRECTORY: of the six transforms of the fused kernel, instances of one template, two are compiled.
copy_sources() {
  local room
  mkdir -p "$1/include/d16" "$1/tests/cuda"
  for room in include/d16/*; do
    [[ $room == */kernels ]] || ln -s "$PWD/$room" "$1/include/d16/"
  done
  cp -r kernels "$1/include/d16/kernels"
  ln -s include/d16/kernels "$1/kernels"
  cp -r tests/cuda/mutants "$1/tests/cuda/mutants"
  sed -i -E '/case (8|16|-4|-16): return run\(GroupTransform/d' "$1/kernels/cuda/fourier_fused.cuh"
}

# compile DIRECTORY PROGRAM KIND FLAG...: DIRECTORY/PROGRAM.KIND, with the sanitizers that KIND names, or plain. Without
# checks that find nothing more than the address sanitizer does, and with its own as calls: half of the time to compile.
compile() {
  local flags=()
  case $3 in
    plain) ;;
    thread) flags=(-g1 -fsanitize=thread) ;;
    *) flags=(-g1 "-fsanitize=$3" "-fno-sanitize=null,object-size,vptr" -fno-sanitize-recover=all
      --param=asan-instrumentation-with-call-threshold=0) ;;
  esac
  g++ -std=c++20 -O1 -Wno-unknown-pragmas "${flags[@]}" "${@:4}" -I "$1/include" -pthread \
    "$1/tests/cuda/mutants/$2.cpp" -o "$1/$2.$3"
}

# run_program PROGRAM.KIND SETTING... -- CASE...: a sanitizer ends the program at its first finding.
run_program() {
  local program=$1 settings=()
  shift
  while [[ $1 != -- ]]; do settings+=("$1") && shift; done
  env TSAN_OPTIONS=halt_on_error=1 ASAN_OPTIONS=detect_leaks=0 "${settings[@]}" timeout 60 "$program" "${@:2}" 2>&1
}
