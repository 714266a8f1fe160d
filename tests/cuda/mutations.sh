#!/usr/bin/env bash
# Plants bugs in the CUDA kernels and sees each of them found on the emulator: by wrong values or an error in some order
# of threads, by copies that land early, by the address sanitizer, or by the thread sanitizer as a checker of races.
#   mutations.sh          stops at the first column that finds a bug: under three minutes on two cores
#   mutations.sh --all    fills in the whole table
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD all=${1:-} temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

# program | file | bug | what sed does (-z: the whole file is one line)
planted() {
  cat <<'LIST'
pointwise|kernels/cuda/reduce.cuh|sum: no barrier before the warps are added|s/  __syncthreads\(\);\n//
pointwise|kernels/cuda/reduce.cuh|sum: one number too many|s/r < end; r \+= reduce_threads/r <= end; r += reduce_threads/
pointwise|kernels/cuda/reduce.cuh|sum: too little shared memory asked for|s/bytes<double>\(reduce_warps\)/bytes<double>(reduce_warps - 2)/
pointwise|kernels/cuda/reduce.cuh|sum: a step of the shuffle missing|s/distance = 16;/distance = 8;/
pointwise|kernels/cuda/unary.cuh|unary: guard one element too far|s/i < a\.n; i \+=/i <= a.n; i +=/
pointwise|kernels/cuda/nest.cuh|copy: an axis forgotten|s/i > 0; --i/i > 1; --i/
pointwise|tests/cuda/mutants/pointwise.cpp|histogram: += for an atomic addition in memory|s/atomicAdd\(counts \+ i, of_block\[i\]\)/counts[i] += of_block[i]/
pointwise|tests/cuda/mutants/pointwise.cpp|histogram: no barrier after clearing|s/= 0;\n  __syncthreads\(\);/= 0;/
dense|kernels/cuda/product.cuh|product: no barrier between steps|s/    __syncthreads\(\);  \/\/ this step[^\n]*//
dense|kernels/cuda/product.cuh|product: waits for one copy too few|s/cp_async_wait<Tile::stages - 2>/cp_async_wait<Tile::stages - 1>/
dense|kernels/cuda/product.cuh|product: shared memory one stage short|s/bytes<E>\(Tile::stages \* Layout<E, Tile::rows/bytes<E>((Tile::stages - 1) * Layout<E, Tile::rows/
dense|kernels/cuda/product.cuh|product: store without its guard of rows|s/if \(line\.exists && c\.exists\) data/if (c.exists) data/
dense|kernels/cuda/product.cuh|product: the last partial sum dropped|s/split < s\.splits; \+\+split/split < s.splits - 1; ++split/
dense|kernels/cuda/product_operands.cuh|convolution: right border of the image forgotten|s/ && w >= 0 && w < a_\.W;/ \&\& w >= 0;/
dense|kernels/cuda/product_tiles.cuh|product: wrong row of a fragment|s/row \+ lane\(\) % 16\) \*/row + lane() \/ 2) */
group|kernels/cuda/fourier_fused.cuh|D16 convolution: no barrier after the first transform|s/coefficients\);\n  __syncthreads\(\);/coefficients);/
group|kernels/cuda/fourier_fused.cuh|D16 convolution: planes used before they are complete|s/    __syncthreads\(\);  \/\/ the planes are complete[^\n]*//
group|kernels/cuda/fourier_fused.cuh|D16 convolution: store without its guard of columns|s/q >= a\.g\.Q \|\| //
group|kernels/cuda/group_pool.cuh|group pooling: no barrier before the tile is used again|s/    __syncthreads\(\);\n  \}/  }/
group|kernels/cuda/batch_norm.cuh|batch norm: no barrier before the rows are added|s/= sum;\n  __syncthreads\(\);/= sum;/
vision|kernels/cuda/hog.cuh|HOG: no barrier before the votes are counted|s/    __syncthreads\(\);  \/\/ the votes are complete[^\n]*//
vision|kernels/cuda/hog.cuh|HOG: no barrier before the votes are cleared|s/    __syncthreads\(\);  \/\/ the votes may be[^\n]*//
vision|kernels/cuda/hog.cuh|HOG: guard of the cells of a tile forgotten|s/ \&\& cell < count;/;/
vision|kernels/cuda/hog.cuh|HOG: right border of the picture forgotten|s/j > 0 \&\& j \+ 1 < p\.W/j > 0/
vision|kernels/cuda/hog.cuh|HOG: no barrier before the next picture|s/    __syncthreads\(\);  \/\/ the bounds[^\n]*//
vision|kernels/cuda/stretch.cuh|stretch: no barrier before the scales are read|s/  __syncthreads\(\);\n//
vision|kernels/cuda/band_levels.cuh|levels: no barrier after clearing the counts|s/    __syncthreads\(\);  \/\/ all counts are[^\n]*//
vision|kernels/cuda/band_levels.cuh|levels: no barrier before the bucket is looked for|s/    __syncthreads\(\);  \/\/ all are counted[^\n]*//
vision|kernels/cuda/band_levels.cuh|levels: no barrier before the next sum|s/  __syncthreads\(\);  \/\/ of_warp may[^\n]*//
vision|kernels/cuda/augment.cuh|augment: no barrier before the motion is read|s/    __syncthreads\(\);  \/\/ the motion[^\n]*//
vision|kernels/cuda/augment.cuh|augment: no barrier before the next tile|s/    __syncthreads\(\);  \/\/ the tile before[^\n]*//
vision|kernels/cuda/augment.cuh|augment: guard of the last tile forgotten|s/ \&\& first \+ k < p\.values;/;/
vision|kernels/cuda/augment.cuh|augment: noise of a neighbour|s/value % 4 \/ 2 \* pitch/value % 4 % 2 * pitch/
LIST
}

# plant NUMBER FILE SED: a copy of what the programs include, with the bug in it.
plant() {
  local copy=$temp/$1
  mkdir -p "$copy/include/d16" "$copy/tests/cuda"
  for room in include/d16/*; do
    [[ $room == */kernels ]] || ln -s "$root/$room" "$copy/include/d16/"
  done
  cp -r kernels "$copy/include/d16/kernels"
  ln -s include/d16/kernels "$copy/kernels"
  cp -r tests/cuda/mutants "$copy/tests/cuda/mutants"
  [[ -z $2 ]] && return
  sed -zE "$3" "$copy/$2" >"$copy/changed"
  if cmp -s "$copy/changed" "$copy/$2"; then
    echo "FAILED: $2 has nothing like $3" >&2
    return 1
  fi
  mv "$copy/changed" "$copy/$2"
}

# compile NUMBER PROGRAM KIND FLAG...
compile() {
  g++ -std=c++20 -Wno-unknown-pragmas -I "$temp/$1/include" -pthread "${@:4}" \
    "$temp/$1/tests/cuda/mutants/$2.cpp" -o "$temp/$1/$3" 2>"$temp/$1/errors" && return
  cat "$temp/$1/errors" >&2
  return 1
}

# verdict PROGRAM [VARIABLE=VALUE...]: how the program ends; - when it finds nothing.
verdict() {
  local status=0 output
  output=$(env "${@:2}" timeout 120 "$1" 2>&1) || status=$?
  case $output in
    *"ThreadSanitizer: data race"*) echo race ;;
    *"ERROR: AddressSanitizer"* | *"runtime error"*) echo asan ;;
    *FAULT*) echo fault ;;
    *WRONG*) echo wrong ;;
    *) case $status in 0) echo - ;; 124) echo hang ;; *) echo crash ;; esac ;;
  esac
}

# columns NUMBER PROGRAM: the six verdicts.
columns() {
  local row=() copy=$temp/$1
  compile "$1" "$2" plain -O0
  row+=("$(verdict "$copy/plain")" "$(verdict "$copy/plain" D16_EMULATOR_ORDER=reverse)")
  row+=("$(verdict "$copy/plain" D16_EMULATOR_ORDER=random:5)" "$(verdict "$copy/plain" D16_EMULATOR_ASYNC=early)")
  for kind in address,undefined thread; do
    if [[ $all != --all && -n $(tr -d ' -' <<<"${row[*]}") ]]; then
      row+=(.)
      continue
    fi
    compile "$1" "$2" $kind -O1 -g -fsanitize=$kind
    row+=("$(verdict "$copy/$kind")")
  done
  printf '%8s' "${row[@]}"
}

# one NUMBER PROGRAM FILE BUG SED
one() {
  local row
  plant "$1" "$3" "$5" && row=$(columns "$1" "$2") || return 1
  rm -rf "${temp:?}/$1"
  printf '%-58s%s\n' "$4" "$row"
  if [[ -z $3 ]]; then
    [[ -z $(tr -d ' -' <<<"$row") ]] || { echo "FAILED: the kernels as they are" >&2; return 1; }
  else
    [[ -n $(tr -d ' .-' <<<"$row") ]] || { echo "FAILED: nobody found it" >&2; return 1; }
  fi
}
export root all temp
export -f plant compile verdict columns one

printf '%-58s%8s%8s%8s%8s%8s%8s\n' bug forward reverse random early asan tsan
{
  number=0
  for program in pointwise dense group vision; do
    printf '%s\0' $((number++)) $program "" "none in $program" ""
  done
  while IFS='|' read -r program file bug change; do
    printf '%s\0' $((number++)) "$program" "$file" "$bug" "$change"
  done < <(planted)
} | xargs -0 -n 5 -P "$(nproc)" bash -c 'set -euo pipefail; one "$@"' one
echo "all $(planted | wc -l) bugs found"
