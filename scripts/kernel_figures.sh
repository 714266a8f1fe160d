#!/usr/bin/env bash
# Compiles every CUDA kernel for sm_90a and writes docs/cuda-kernels.md: registers, memory, occupancy, instructions.
#   scripts/kernel_figures.sh           writes the table
#   scripts/kernel_figures.sh --check   compares it with what the sources give; the same nvcc only
# Both fail when a kernel spills registers, keeps an array in local memory, or has no tensor-core instructions although it
# claims to use them. Needs nvcc; for the instructions also cuobjdump, from the toolkit or from PyPI
# (nvidia-cuda-cuobjdump): without it the table is not written, and --check skips those columns and says so.
# What is compiled stays in build/kernel-figures/, and is compiled again only where a source has changed.
# Exit status 77: skipped, with the reason.
set -euo pipefail
cd "$(dirname "$0")/.."

check=false
case ${1:-} in
  '') ;;
  --check) check=true ;;
  -h | --help) sed -n '2,9s/^# \?//p' "$0" && exit 0 ;;
  *) echo "kernel_figures.sh: unknown argument '$1'; usage: scripts/kernel_figures.sh [--check]" >&2 && exit 2 ;;
esac

table=docs/cuda-kernels.md
work=build/kernel-figures
columns=9  # of a row that need no disassembler

skip() { echo "skipped: $*" && exit 77; }

command -v nvcc >/dev/null || skip "there is no nvcc on the path"
command -v c++filt >/dev/null || skip "there is no c++filt; it comes with binutils"
nvcc_version=$(nvcc --version | sed -n 's/.*release .*, V\([0-9.]*\).*/\1/p')
if $check; then
  [[ -f $table ]] || { echo "kernel_figures.sh: there is no $table; run scripts/kernel_figures.sh" >&2 && exit 1; }
  committed=$(sed -n 's/.*nvcc \([0-9][0-9.]*[0-9]\).*/\1/p' "$table" | head -1)
  [[ $committed == "$nvcc_version" ]] || skip "another nvcc: $table is of $committed, this is $nvcc_version"
fi
disassembler=true
command -v cuobjdump >/dev/null || disassembler=false
$disassembler || $check || skip "there is no cuobjdump; pip install nvidia-cuda-cuobjdump brings one"

mkdir -p "$work"
[[ -f $work/nvcc && $(<"$work/nvcc") == "$nvcc_version" ]] || rm -f "$work"/*.{ptx,cubin,ptxas,sass} 2>/dev/null
echo "$nvcc_version" >"$work/nvcc"

# is_current RESULT DEPENDENCIES: whether none of the files that nvcc has read is newer.
is_current() {
  local file files
  [[ -s $1 && -s $2 ]] || return 1
  read -ra files -d '' < <(sed 's/^[^:]*://; s/\\$//' "$2") || true
  for file in "${files[@]}"; do
    [[ -e $file && ! $file -nt $1 ]] || return 1
  done
}

# compile SOURCE: leaves NAME.ptx, NAME.cubin, NAME.ptxas (what ptxas says) and NAME.sass (instructions counted).
compile() {
  local source=$1 name at
  name=$(basename "$source" .cu)
  at=$work/$name
  if ! is_current "$at.ptxas" "$at.d"; then
    rm -f "$at".{ptx,cubin,ptxas,sass}
    nvcc -std=c++20 -O3 -DNDEBUG -Iinclude -diag-suppress=1675 -DD16_GPU=cuda -gencode arch=compute_90a,code=compute_90a -ptx -MD -MF "$at.d" \
      -o "$at.ptx" "$source"
    ptxas -v -arch=sm_90a "$at.ptx" -o "$at.cubin" 2>"$at.log" || { cat "$at.log" >&2 && return 1; }
    mv "$at.log" "$at.ptxas"
  fi
  if $disassembler && [[ ! -s $at.sass ]]; then
    cuobjdump --dump-sass "$at.cubin" | count_instructions >"$at.part"
    mv "$at.part" "$at.sass"
  fi
}

# From machine code: "kernel HMMA LDSM LDGSTS FFMA DFMA LDG.128 LDG.64 LDG.32 STG.128 STG.64 STG.32 LDS STS BAR local".
count_instructions() {
  awk '
    function width(op) { return op ~ /\.128/ ? "128" : op ~ /\.64/ ? "64" : "32" }
    function flush(  i, line) {
      if (kernel == "") return
      line = kernel
      for (i = 1; i <= kinds; ++i) line = line " " (count[kind[i]] + 0)
      print line
      split("", count)
    }
    BEGIN { kinds = split("HMMA LDSM LDGSTS FFMA DFMA LDG128 LDG64 LDG32 STG128 STG64 STG32 LDS STS BAR LOCAL", kind) }
    /Function :/ { flush(); kernel = $NF; next }
    /^ +\/\*[0-9a-f]+\*\/ / {
      op = $2 ~ /^@/ ? $3 : $2
      base = op
      sub(/[.;].*/, "", base)
      if (base == "LDG" || base == "STG") ++count[base width(op)]
      else if (base == "LDL" || base == "STL") ++count["LOCAL"]
      else ++count[base]
    }
    END { flush() }'
}

# One line for each kernel of a file: name, threads of its launch bound (0: none), whether it takes dynamic shared memory,
# registers, stack, spills stored and loaded, static shared memory, and what count_instructions has found.
figures_of() {
  local at=$work/$1 sass=/dev/null
  if $disassembler; then sass=$at.sass; fi
  awk '
    FILENAME ~ /\.ptx$/ {
      if ($0 ~ /\.entry /) { kernel = $0; sub(/.*\.entry /, "", kernel); sub(/[( ].*/, "", kernel) }
      else if ($1 == ".maxntid") { gsub(/[,;]/, " "); threads[kernel] = $2 * ($3 ? $3 : 1) * ($4 ? $4 : 1) }
      else if ($0 ~ /d16_shared_memory/ && $0 !~ /\.extern/) dynamic[kernel] = 1
      next
    }
    FILENAME ~ /\.sass$/ { kernel = $1; sub(/[^ ]+ /, ""); mix[kernel] = $0; next }
    /Compiling entry function/ { split($0, part, "\047"); kernel = part[2]; names[++count] = kernel; next }
    /bytes stack frame/ { stack[kernel] += $1; stores[kernel] += $5; loads[kernel] += $9; next }
    /Used [0-9]+ registers/ {
      for (i = 1; i < NF; ++i) {
        if ($i == "Used") registers[kernel] = $(i + 1)
        if ($(i + 1) == "bytes" && $(i + 2) ~ /^smem/) shared[kernel] = $i
      }
    }
    END {
      for (i = 1; i <= count; ++i) {
        k = names[i]
        print k, threads[k] + 0, dynamic[k] + 0, registers[k] + 0, stack[k] + 0, stores[k] + 0, loads[k] + 0,
              shared[k] + 0, (k in mix ? mix[k] : "- - - - - - - - - - - - - - -")
      }
    }' "$at.ptx" "$sass" "$at.ptxas" | c++filt | LC_ALL=C sort
}

# Rows of the table from lines of figures_of. Complains on stderr, one line for each fault, and then fails.
rows() {
  awk -v instructions="$disassembler" '
    function smaller(a, b) { return a < b ? a : b }
    function larger(a, b) { return a > b ? a : b }
    function up(n, unit) { return int((n + unit - 1) / unit) * unit }
    function fault(text) { print "kernel_figures.sh: " text > "/dev/stderr"; faults = 1 }

    # The n-th template argument of a name that begins at its "<".
    function argument(list, n,  i, c, depth, text) {
      for (i = 2; i <= length(list); ++i) {
        c = substr(list, i, 1)
        if (depth == 0 && (c == "," || c == ">")) {
          gsub(/^ +| +$/, "", text)
          if (--n == 0) return text
          text = ""
          if (c == ">") return ""
          continue
        }
        depth += (c == "<") - (c == ">")
        text = text c
      }
      return ""
    }
    # A function up to its parameters: the first bracket outside of template arguments.
    function without_parameters(name,  i, c, depth) {
      for (i = 1; i <= length(name); ++i) {
        c = substr(name, i, 1)
        if (c == "(" && depth == 0) return substr(name, 1, i - 1)
        depth += (c == "<") - (c == ">")
      }
      return name
    }
    function bytes_of_element(list) {
      return list ~ /char/ ? 1 : list ~ /short/ ? 2 : list ~ /uint4/ ? 16 : list ~ /long/ ? 8 : 4
    }
    function bytes_of(type) { return type ~ /double/ ? 8 : type ~ /bf16/ ? 2 : 4 }
    # Of one stage of an operand, as dense::Layout lays it out.
    function stage_bytes(element, size, deep,  chunk, depth, pitch) {
      chunk = 16 / element
      depth = 4 * chunk
      pitch = (deep ? depth : size) + (!deep && element == 4 ? 2 : 1) * chunk
      return (deep ? size : depth) * pitch * element
    }
    function product_bytes(list,  tile, element, stages, a, b) {
      tile = substr(argument(list, 1), index(argument(list, 1), "<"))
      element = bytes_of(argument(tile, 1))
      stages = argument(list, 1) ~ /SimtTile/ ? 3 : 4
      a = argument(list, 2) ~ /true/
      b = argument(list, 3) ~ /true/
      return stages * (stage_bytes(element, argument(tile, 2), a) + stage_bytes(element, argument(tile, 3), b))
    }
    # Of the fused group convolution, 3 x 3: coefficients under the tile, and panels or the exchange of the epilogue.
    function fused_bytes(name,  transform, order, pixels) {
      transform = substr(name, index(name, "GroupTransform<") + 14)
      order = argument(transform, 1) * (argument(transform, 2) == "true" ? 2 : 1)
      pixels = 1024 / order
      return (pixels / 8 + 2) * 10 * order * 16 + larger(6 * 16384, pixels * (8 * (order + 4) + 4) * 4)
    }
    # Of the gradient of its weights, 3 x 3: coefficients under 8 x 4 pixels, panels, coefficients of dy.
    function gradient_bytes(name,  transform, order, blocks, planes) {
      transform = substr(name, index(name, "GroupTransform<") + 14)
      order = argument(transform, 1) * (argument(transform, 2) == "true" ? 2 : 1)
      blocks = (order == 32 ? 2 : 3) * (name ~ /Bf16Products/ ? 1 : 2)
      planes = order == 32 && blocks == 4 ? 2 : 6
      return order * 16 * (10 * 6 + planes * 32) + order * blocks * (32 * 4 + 12) * 4
    }
    # What the launchers ask for; the same sums as there.
    function dynamic_bytes(name, list) {
      if (name ~ /^dense::product</) return product_bytes(list)
      if (name ~ /^dense::depthwise_dw</) return 256 * argument(list, 2) * (argument(list, 1) ~ /double/ ? 8 : 4)
      if (name ~ /^fourier::fused</) return fused_bytes(name)
      if (name ~ /^fourier::gradient_products</) return gradient_bytes(name)
      if (name ~ /^fourier::multiply_/) return 2 * 16 * 68 * bytes_of(argument(list, 1))
      if (name ~ /^ladder::dense_shared</) return 2 * 16 * 16 * 4
      if (name ~ /^ladder::dense_registers</) return 2 * 16 * 68 * 4
      if (name ~ /^ladder::dense_double_buffered</) return 4 * 16 * 68 * 4
      if (name ~ /^ladder::dense_tensor_cores</) return 2 * 64 * 40 * 2
      if (name ~ /^ladder::dense_staged</) return 8 * 64 * 40 * 2
      if (name ~ /^(dense::sum_chunk|dense::sum_chunks)</) return 256 * 8
      if (name ~ /^(sum_kernel|losses::(pairs|labels|sum_weights)|optim::(begin_step|squares)_kernel)</) return 8 * 8
      if (name ~ /^max_kernel</) return 8 * 16
      if (name ~ /^windows::large_mean</) return 256 * 8 * argument(list, 2)
      if (name ~ /^channels::add_pixels</) return 256 * 16
      if (name ~ /^gates::whole_sample</) return 512 * 8
      if (name ~ /^norm::add_rows</) return 32 * 8 * 16
      if (name ~ /^dense::pack_weights</) return 8 * 32 * 25 * larger(4, bytes_of(argument(list, 2)))
      if (name ~ /^dense::fill_turned</) return 32 * 33 * larger(4, bytes_of(argument(list, 1)))
      if (name ~ /^turn_kernel</) return 32 * 33 * bytes_of_element(list)
      if (name ~ /^(softmax_rows|max_short_rows_kernel)</) return 256 * 11 * bytes_of(argument(list, 1))  # ten classes
      if (name ~ /^sum_short_rows_kernel</) return 256 * 11 * larger(4, bytes_of(argument(list, 1)))
      if (name ~ /^softmax_dx_rows</) return 2 * 256 * 11 * bytes_of(argument(list, 1))
      if (name ~ /^pooling::pool_rows</) return 256 * 16 * larger(4, bytes_of(argument(list, 1)))  # order 16
      if (name ~ /^pooling::pool_max_dx</) return 256 * 16 * larger(4, bytes_of(argument(list, 1))) + 256 * 4
      if (name ~ /^oriented::hog_kernel</) return 80 + 8 * 8 * 9 * 8 + 256 * 9 * 8  # 64 x 64 pixels, usual options
      if (name ~ /^levels::/) return 16 * 8 + 1040
      if (name ~ /^stretching::/) return 3 * 32  # three bands
      if (name ~ /^tsne::repel</) return 2 * 256 * bytes_of(argument(list, 1)) + 8 * 8
      if (name ~ /^tsne::attract</) return 8 * 8
      if (name ~ /^tsne::move</) return 2 * 8 * 8
      if (name ~ /^augmenting::/) return 48 + 64 + 32 + 32 + 2 * 260 * 16  # seven bands, with noise
      return -1
    }
    # Blocks of a multiprocessor: 64 warps, 32 blocks, 4 x 16384 registers in pieces of 256, 228 KB with 1 KB for each
    # block (CUDA C++ Programming Guide, "Compute Capabilities"; cuda_occupancy.h).
    function blocks(threads, registers, shared,  warps, at_once) {
      warps = up(threads, 32) / 32
      at_once = smaller(32, int(64 / warps))
      if (registers > 0)
        at_once = smaller(at_once, int(int(16384 / up(registers * 32, 256)) * 4 / up(warps, 4)))
      return smaller(at_once, int(228 * 1024 / (1024 + up(shared, 128))))
    }
    function short(name) {
      gsub(/d16::kernels::(cuda::)?/, "", name)
      gsub(/d16::/, "", name)
      gsub(/\(anonymous namespace\)::/, "", name)
      return name
    }
    {
      line = $0
      gsub(/\(anonymous namespace\)/, "(anonymous_namespace)", line)
      # A demangled name has blanks: the 22 numbers are the last ones.
      fields = split(line, f, " ")
      name = f[1]
      for (i = 2; i <= fields - 22; ++i) name = name " " f[i]
      n = fields - 22
      gsub(/\(anonymous_namespace\)/, "(anonymous namespace)", name)
      name = short(name)
      sub(/^void /, "", name)
      name = without_parameters(name)
      gsub(/ >/, ">", name)
      list = index(name, "<") ? substr(name, index(name, "<")) : ""
      threads = f[n + 1]
      bounded = threads > 0
      if (!bounded) threads = 256
      shared = f[n + 7]
      if (f[n + 2]) {
        more = dynamic_bytes(name, list)
        if (more < 0) fault(name ": add its shared memory to dynamic_bytes in scripts/kernel_figures.sh")
        else shared += more
      }
      at_once = blocks(threads, f[n + 3], shared)
      if (f[n + 5] + f[n + 6] > 0) fault(name " spills registers: " f[n + 5] " bytes stored, " f[n + 6] " loaded")
      else if (f[n + 4] > 0) fault(name " keeps " f[n + 4] " bytes in local memory")
      claims = name ~ /^dense::product<dense::MmaTile|^fourier::(fused|gradient_products)<fourier::(Bf16|Tf32)|tensor_cores|dense_staged|mma_peak/
      if (instructions == "true") {
        if (claims && f[n + 8] == 0) fault(name " claims tensor cores and has no HMMA")
        if (f[n + 22] > 0) fault(name " has " f[n + 22] " loads and stores of local memory")
      }
      row = "| `" name "` | " threads (bounded ? "" : " *") " | " f[n + 3] " | " shared " | " f[n + 5] + f[n + 6] " | " \
            f[n + 4] " | " at_once " | " int(100 * at_once * up(threads, 32) / 2048 + 0.5) " % | "
      for (i = 8; i <= 12; ++i) row = row f[n + i] " | "
      row = row f[n + 13] "/" f[n + 14] "/" f[n + 15] " | " f[n + 16] "/" f[n + 17] "/" f[n + 18] " | "
      print row f[n + 19] " | " f[n + 20] " | " f[n + 21] " | " f[n + 22] " |"
    }
    END { exit faults }'
}

page() {
  cat <<END
# The CUDA kernels on sm_90a, as the compiler leaves them

Made by \`scripts/kernel_figures.sh\` with nvcc $nvcc_version, \`-O3\`; \`scripts/test.sh --all\` makes it again and compares. Nothing
here was measured on a GPU: it is what can be known without one. [cuda-rooflines.md](cuda-rooflines.md) says what each kernel is bound by.

- *threads*: of a block, by the kernel's launch bound; with a star it has none, and launchers take 256.
- *shared*: bytes of shared memory of a block, as the launcher asks for them; of the fused group convolution for 3 x 3
  filters, of softmax and short maxima for 10 classes, of pooling over the group for order 16, of HOG for 64 x 64 pixels, of the stretch for 3 bands, of augmentation for 7 with noise.
- *spills*, *local*: bytes of registers in memory, and of arrays there. Both must be 0.
- *blocks*, *occupancy*: blocks on one multiprocessor at once, and the share of its 64 warps that they are. Products keep their sums in registers and
  hide latency by asynchronous copies, not by warps: for them a low occupancy is the design.
- *instructions*: how often each stands in the code (not how often it runs). HMMA: tensor cores. LDSM: their operands from shared memory. LDGSTS:
  asynchronous copies. LDG, STG: global memory, 16/8/4 bytes and less for each thread. BAR: barriers. local: LDL and STL.
END
  local name
  for name in "$@"; do
    printf '\n## %s\n\n' "$name.cu"
    echo "| kernel | threads | registers | shared | spills | local | blocks | occupancy | HMMA | LDSM | LDGSTS | FFMA | DFMA | LDG | STG | LDS | STS | BAR | local |"
    echo "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    cat "$work/$name.rows"
  done
}

# The columns before the instructions, for a comparison without a disassembler.
without_instructions() { cut -d'|' -f "1-$columns"; }

sources=(src/gpu/*.cu)
for source in bench/cuda/*.cu; do
  [[ -f $source ]] && sources+=("$source")
done
compilers=()
for source in "${sources[@]}"; do
  while (($(jobs -rp | wc -l) >= $(nproc))); do wait -n || true; done
  compile "$source" &
  compilers+=($!)
done
for compiler in "${compilers[@]}"; do wait "$compiler"; done

names=() failed=0
for source in "${sources[@]}"; do
  name=$(basename "$source" .cu)
  figures_of "$name" >"$work/$name.figures"
  [[ -s $work/$name.figures ]] || continue
  rows <"$work/$name.figures" >"$work/$name.rows" || failed=1
  names+=("$name")
done
page "${names[@]}" >"$work/page.md"

if ! $check; then
  cp "$work/page.md" "$table"
  echo "$table: $(grep -c '^| `' "$table") kernels"
elif $disassembler; then
  diff "$table" "$work/page.md" || { echo "kernel_figures.sh: $table is out of date; run scripts/kernel_figures.sh" >&2 && failed=1; }
else
  echo "skipped: the columns of instructions, because there is no cuobjdump"
  diff <(without_instructions <"$table") <(without_instructions <"$work/page.md") ||
    { echo "kernel_figures.sh: $table is out of date; run scripts/kernel_figures.sh" >&2 && failed=1; }
fi
exit "$failed"
