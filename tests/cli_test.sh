#!/usr/bin/env bash
# Tests of the command-line tool: the main job from end to end, and bad input of every kind.
#   tests/cli_test.sh [PROGRAM]      default: build/bin/d16
# An error must be one line on stderr that names the file, exit code 1, and leave nothing behind.
set -u
cd "$(dirname "$0")/.." || exit
d16=$(realpath -- "${1:-build/bin/d16}") || exit 1
[[ -x $d16 ]] || { echo "cli_test.sh: $d16: no such program; build it first" >&2 && exit 1; }
shared=$(realpath -m ../shared/data)
unset D16_WEIGHTS

# shellcheck source=tests/cli.bash
source "$PWD/tests/cli.bash"

# --- fixtures ---------------------------------------------------------------------------------------------------------
# Cards of a FITS header, each padded to 80 bytes, END, and the header padded to 2880.
fits_header() {
  local bytes=80 card
  for card in "$@"; do printf '%-80s' "$card" && bytes=$((bytes + 80)); done
  printf '%-80s' END
  printf "%$(((2880 - bytes % 2880) % 2880))s" ''
}
# COUNT copies of four bytes, as printf takes them, and zeros up to a multiple of 2880.
fits_data() {
  local i
  for ((i = 0; i < $1; ++i)); do printf "$2"; done
  head -c $(((2880 - $1 * 4 % 2880) % 2880)) /dev/zero
}
image_cards() { fits_header "SIMPLE  =                    T" "BITPIX  =                  -32" "NAXIS   =                    2" "NAXIS1  = $1" "NAXIS2  = $2"; }
# A safetensors file: length of the header as eight bytes for printf, header, bytes of data.
hostile() {
  printf "$2" >"$1"
  printf '%s' "$3" >>"$1"
  head -c "$4" /dev/zero >>"$1"
}
# The length of a text of less than 256 bytes as eight bytes for printf.
length_of() { printf '\\x%02x\\x00\\x00\\x00\\x00\\x00\\x00\\x00' ${#1}; }

# --- the golden path --------------------------------------------------------------------------------------------------
for command in "" info simulate train "train disk" "train denoise" "train calibration" "train ood" evaluate denoise classify run check "check equivariance"; do
  works "help: d16 $command --help" "$d16" $command --help
done
works "version" "$d16" --version
works "info" "$d16" info
works "info --json" "$d16" info --json
check "info --json is one object" grep -q '"instructions"' stdout
check "info --json has the emulator" grep -q '"cuda_emulated": "CUDA kernels run by the host' stdout
check "info --json says what there is of a GPU, or why there is none" grep -q '"cuda": ".*\(compute capability\|not here: cuda: \)' stdout

works "simulate FITS" "$d16" simulate --out field --count 6 --size 48 --seed 5
check "simulate keeps the truth" test "$(wc -l <field/truth.csv)" = 7
check "simulate keeps clean images" test "$(ls field/clean | wc -l)" = 6
works "simulate again" "$d16" simulate --out again --count 6 --size 48 --seed 5 --threads 1
check "the same seed gives the same bytes" diff -r field again
works "simulate PNG" "$d16" simulate --out pictures --count 60 --size 32 --seed 7 --format png
works "info of an image" "$d16" info field/sim_00001.fits
check "info knows the unit" grep -q nJy stdout
works "info of a picture" "$d16" info pictures/sim_00001.png
works "info of a table" "$d16" info field/truth.csv

mkdir weights
tiny=(--data pictures --size 32 --seed 3 --batch 16)
works "train disk" "$d16" train disk "${tiny[@]}" --labels pictures/truth.csv --out weights/disk.safetensors --epochs 2 --group C4 --widths 2,4
check "train disk writes a model card" grep -q "AUC" weights/disk.md
check "train disk writes a log" test "$(wc -l <weights/disk.training/log.jsonl)" = 2
check "train disk calibrates, and says what it was worth" grep -q "^Calibration, .*clean: temperature .*error on test 0\.[0-9]* ± 0\.[0-9]* -> 0\." weights/disk.md
works "train disk --resume" "$d16" train disk "${tiny[@]}" --labels pictures/truth.csv --out weights/disk.safetensors --epochs 3 --group C4 --widths 2,4 --resume
check "train disk went on" test "$(wc -l <weights/disk.training/log.jsonl)" = 3
works "train disk, plain" "$d16" train disk "${tiny[@]}" --labels pictures/truth.csv --out plain.safetensors --epochs 1 --model plain --widths 2,4
works "train denoise" "$d16" train denoise "${tiny[@]}" --out weights/denoise.safetensors --epochs 1 --widths 2,4 --latent 2
check "train denoise writes a model card" grep -q "PSNR" weights/denoise.md
works "info of weights" "$d16" info weights/disk.safetensors
check "info names the network" grep -q equivariant_classifier stdout
works "evaluate a classifier" "$d16" evaluate --weights weights/disk.safetensors --data pictures --labels pictures/truth.csv
works "evaluate a denoiser" "$d16" evaluate --weights weights/denoise.safetensors --data pictures --json
check "evaluate --json has a median filter" grep -q '"median filter' stdout

works "check equivariance" "$d16" check equivariance --weights weights/disk.safetensors
check "check names the layer that breaks the grid, and why" grep -q "^warning: blur_pool 1 .* 32 + 2\*2 - 5 = 31 is no multiple of the stride 2" stdout
check "check knows a better size" grep -q "images of 33 x 33 pixels keep the grid" stdout
works "check equivariance --size --out" "$d16" check equivariance --weights weights/disk.safetensors --size 33 --out equivariance
check "check: an odd size keeps the grid" grep -q "all layers keep the symmetries of the pixel grid" stdout
check "check: a report with pictures and plots" grep -q "data:image/png.*" equivariance/report.html
check "check: nothing else" test "$(ls -A equivariance)" = report.html
works "check equivariance --input --json" "$d16" check equivariance --weights weights/disk.safetensors --size 33 --input field --json
check "check --json is the verdict" grep -q '"keeps_grid": true' stdout
cp stdout checked.json
works "check again, one thread" "$d16" check equivariance --weights weights/disk.safetensors --size 33 --input field --json --threads 1
check "threads do not change what is measured" cmp checked.json stdout
works "check a dense network" "$d16" check equivariance --weights plain.safetensors --out equivariance
check "a dense network is called what it is" grep -q "not equivariant by construction" stdout
works "check a denoiser" "$d16" check equivariance --weights weights/denoise.safetensors --input pictures/sim_00001.png --json
check "a denoiser does not keep the grid" grep -q '"keeps_grid": false' stdout

labelled=(--data pictures --labels pictures/truth.csv)
works "train calibration" "$d16" train calibration --weights weights/disk.safetensors --denoiser weights/denoise.safetensors "${labelled[@]}" --out calibrated.safetensors --pictures 60
check "train calibration: three ways of being shown" test "$(grep -c '^\(clean\|noisy\|denoised\)[:,].* temperature' stdout)" = 3
check "train calibration: curves" grep -q '^| real galaxies, degraded | shown | purity' stdout
works "train calibration again, one thread" "$d16" train calibration --weights weights/disk.safetensors --denoiser weights/denoise.safetensors "${labelled[@]}" --out once-more.safetensors --pictures 60 --threads 1
numbers() { "$d16" info "$1" | sed '/command/d; /^file/d'; }
check "threads do not change a calibration" cmp <(numbers calibrated.safetensors) <(numbers once-more.safetensors)
mv calibrated.safetensors weights/disk.safetensors
works "train ood" "$d16" train ood --weights weights/disk.safetensors "${labelled[@]}" --outliers field --out weights/disk.ood.safetensors
check "train ood: nine distances against each set" test "$(grep -c '^| \(mahalanobis\|neighbours\|directions\)' stdout)" = 18
check "train ood: outliers that choose nothing are judged on test alone" test "$(grep -c '| field (' stdout)" = 1

export D16_WEIGHTS=$work/weights
works "run" "$d16" run --input field --out results
check "run: a row for each object" test "$(wc -l <results/catalog.csv)" = 7
check "run: a report with pictures" grep -q "data:image/png" results/report.html
check "run: nothing else" test "$(ls -A results | tr '\n' ' ')" = "catalog.csv catalog.fits catalog.reg report.html "
works "info reads the catalogue" "$d16" info results/catalog.fits
check "the catalogue has units" grep -q "ra \[deg\]" stdout
works "run again, one thread" "$d16" run --input field --out results1 --threads 1
check "threads do not change results" cmp results/catalog.csv results1/catalog.csv
works "run on the reference device" "$d16" run --input field/sim_00001.fits --out one --device reference
works "run --json" "$d16" run --input pictures --out results2 --json
check "run --json says how many" grep -q '"objects": 60' stdout
works "run with the truth" "$d16" run --input field --catalog field/truth.csv --truth class --out truth --no-errors --fade 1 --prior 0.9
for words in "SIMULATED: 6 of the 6 objects" "true disks" "Expected number of disks" "residual / σ" "truth" "made fainter" "disk.safetensors: sha256 $(sha256sum weights/disk.safetensors | cut -c1-64)"; do
  check "run with the truth: the report has $words" grep -q "$words" truth/report.html
done
check "looks of one galaxy are not independent in the curves" grep -q "looks of one galaxy do not count as independent" results/report.html
works "run --purity" "$d16" run --input field/sim_00001.fits --out pure --no-errors --purity 0.8 --prior 0.9
check "nor in the intervals of --purity" sh -c "grep -q 'for a purity of 0.8' stdout && ! grep -q 'too narrow' stdout"
LC_ALL=C sed 's/"effects\\"/"effectz\\"/g; s/disk_fields/dusk_fields/g; s/other_fields/ether_fields/g' weights/disk.safetensors >older.safetensors
works "run with weights that do not know their galaxies" "$d16" run --input field/sim_00001.fits --classifier older.safetensors --out older --no-errors --purity 0.8 --prior 0.9
check "intervals of --purity are said to be too narrow" grep -q "intervals too narrow" stdout
check "so are those of the curves" grep -q "intervals, too narrow" older/report.html
values() { cut -d, -f"$(head -1 "$2" | tr , '\n' | grep -nx "$1" | cut -d: -f1)" "$2" | tail -n +2; }
check "p_disk_cal and p_ood are numbers between 0 and 1" \
  awk '!($1 > 0 && $1 < 1 && $2 >= 0 && $2 <= 1) { exit 1 }' <(paste -d' ' <(values p_disk_cal results/catalog.csv) <(values p_ood results/catalog.csv))
check "disks that are more frequent are likelier" \
  awk '!($1 > $2) { exit 1 }' <(paste -d' ' <(values p_disk_cal truth/catalog.csv) <(values p_disk_cal results/catalog.csv))

# The CUDA kernels, by the emulator: the same numbers but for rounding.
emulated=(--device cuda_emulated)
values_of() { cut -d, -f"$(head -1 "$2" | tr , '\n' | grep -nx "$1" | cut -d: -f1)" "$2" | tail -n +2; }
# same_numbers FILE FILE: one number on each line, equal to 1e-4.
same_numbers() {
  paste -d, "$1" "$2" |
    awk -F, '{ n += 1; d = $1 - $2; if ($1 == "" || d > 1e-4 || d < -1e-4) bad = 1 } END { exit (bad || !n) }'
}
mkdir two && cp field/sim_0000[12].fits two
works "run on the cpu" "$d16" run --input two --out two-cpu --no-errors
works "run on the emulator" "$d16" run --input two --out two-emulated --no-errors "${emulated[@]}"
check "the emulator gives the probabilities of the cpu" \
  same_numbers <(values_of p_disk two-cpu/catalog.csv) <(values_of p_disk two-emulated/catalog.csv)
works "classify on the emulator" "$d16" classify --input two --out two.csv "${emulated[@]}"
check "classify: the same" same_numbers <(values_of p_disk_raw two-cpu/catalog.csv) <(values_of p_disk two.csv)
works "denoise on the emulator" "$d16" denoise --input two/sim_00001.fits --out two-denoised "${emulated[@]}"
works "evaluate on the emulator" "$d16" evaluate --weights weights/disk.safetensors --data pictures --labels pictures/truth.csv "${emulated[@]}" --json
works "check equivariance on the emulator" "$d16" check equivariance --weights weights/disk.safetensors --size 17 "${emulated[@]}" --json
few=(--data pictures --size 16 --seed 3 --batch 8 --epochs 2 --limit 40 --widths "2,4")
for where in cpu cuda_emulated; do
  works "train disk, $where" "$d16" train disk "${few[@]}" --labels pictures/truth.csv --out $where.safetensors --group C4 --device $where
  works "train denoise, $where" "$d16" train denoise "${few[@]}" --out $where-denoise.safetensors --latent 2 --device $where
done
losses() { sed 's/.*"loss"://; s/,.*//' "$1/log.jsonl"; }
for what in "" -denoise; do
  check "train$what: the losses of both agree" same_numbers <(losses cpu$what.training) <(losses cuda_emulated$what.training)
done
works "classify" "$d16" classify --input field --out catalog.fits
works "classify to CSV" "$d16" classify --input pictures/sim_00001.png --out one.csv
check "classify: one row" test "$(wc -l <one.csv)" = 2
works "denoise FITS" "$d16" denoise --input field --out denoised
check "denoise: all" test "$(ls denoised | wc -l)" = 6
works "info reads a denoised image" "$d16" info denoised/sim_00001.fits
check "denoise keeps the unit" grep -q nJy stdout
works "denoise PNG" "$d16" denoise --input pictures --out denoised-pictures
works "denoised images can be run again" "$d16" run --input denoised --out results3

# placed FILE CRVAL1 CRPIX1 CRPIX2: 81x81 bytes of 0.04 arcsec at declination 53, a galaxy at column 48, row 44. With
# --zoom 0.5 its frame has to move towards the middle.
placed() {
  {
    fits_header "SIMPLE  =                    T" "BITPIX  =                    8" "NAXIS   =                    2" \
      "NAXIS1  =                   81" "NAXIS2  =                   81" "CTYPE1  = 'RA---TAN'" "CTYPE2  = 'DEC--TAN'" \
      "CRVAL1  = $2" "CRVAL2  = 53.0" "CRPIX1  = $3" "CRPIX2  = $4" "CD1_1   = -1.1111111111e-05" "CD2_2   = 1.1111111111e-05"
    LC_ALL=C awk 'BEGIN { srand(3)
      for (y = 0; y < 81; ++y) for (x = 0; x < 81; ++x) {
        r = sqrt((x - 48) ^ 2 + (y - 44) ^ 2); printf "%c", 20 + 4 * rand() + 100 * exp(-r / 3) }
      for (i = 0; i < 2079; ++i) printf "%c", 1 }'
  } >"$1"
}
# sky CRVAL1 CRPIX1 CRPIX2: where that galaxy is, by the gnomonic projection.
sky() {
  awk -v ra="$1" -v x="$2" -v y="$3" 'BEGIN {
    d = 3.14159265358979 / 180; s = 1.1111111111e-05 * d; xi = -(49 - x) * s; eta = (45 - y) * s; below = cos(53 * d) - eta * sin(53 * d)
    a = ra + atan2(xi, below) / d; if (a >= 360) a -= 360; if (a < 0) a += 360
    printf "%.8f,%.8f\n", a, atan2(sin(53 * d) + eta * cos(53 * d), sqrt(xi * xi + below * below)) / d }'
}
# near RA,DEC RA,DEC: within 0.1 arcsec, 0 hours being no border.
near() {
  awk -F'[, ]' '{ a = ($1 - $3) * 0.6018; if (a > 100) a -= 216.6; if (a < -100) a += 216.6; b = $2 - $4
    exit !($4 != "" && sqrt(a * a + b * b) * 3600 < 0.1) }' <<<"$1 $2"
}
place_in() { paste -d, <(values ra "$1") <(values dec "$1"); }
mkdir far wrapped
placed far/far.fits 150.0 -15000 12000
for band in F115W:359.9999:52 F277W:0.0001:41.1676 F444W:359.9999:52; do
  IFS=: read -r name ra x <<<"$band"
  placed "wrapped/gal_${name}_sci.fits" "$ra" "$x" 40
done
works "run far from the tangent point" "$d16" run --input far --out far-results --no-errors --zoom 0.5
check "the place is the galaxy's, on the sphere" near "$(place_in far-results/catalog.csv)" "$(sky 150 -15000 12000)"
printf 'id,ra,dec\ngal,0.00001,%s\n' "$(sky 359.9999 52 40 | cut -d, -f2)" >wrapped.csv # the header says 359.99996
works "run across 0 hours" "$d16" run --input wrapped --catalog wrapped.csv --bands F444W,F277W,F115W --out wrapped-results --no-errors
check "across 0 hours: three bands" grep -q '"F444W,F277W,F115W"' wrapped-results/catalog.csv
check "across 0 hours: header and catalogue agree" sh -c "! grep -q 'the header says' wrapped-results/catalog.csv"

if [[ -d $shared/jwst_ceers_nircam ]]; then
  works "run on JWST cutouts" "$d16" run --input "$shared/jwst_ceers_nircam" --out jwst
  check "JWST: six objects" test "$(wc -l <jwst/catalog.csv)" = 7
  check "JWST: position known" grep -q "^10735,10735,214.89" jwst/catalog.csv
  check "JWST: F277W where there is no redshift" grep -q '"F277W,F277W,F277W"' jwst/catalog.csv
  works "run with chosen bands" "$d16" run --input "$shared/jwst_ceers_nircam" --out jwst2 --bands f356w,f200w,f115w
  check "JWST: bands as chosen" grep -q '"F356W,F200W,F115W"' jwst2/catalog.csv
  fails "a band that is not there" 1 'no band "F999W"' jwst3 "$d16" run --input "$shared/jwst_ceers_nircam" --out jwst3 --bands F999W
else
  skip "run on JWST cutouts" "no ../shared/data/jwst_ceers_nircam"
fi
if [[ -d $shared/nircam_filters_jades_seds ]]; then
  small=(--data "$shared" --count 90 --validation 120 --test 120 --epochs 3 --runs 2)
  mkdir unbroken broken
  pushd unbroken >/dev/null || exit
  works "train highz" "$d16" train highz "${small[@]}" --out x.safetensors
  popd >/dev/null || exit
  check "train highz writes a card that says simulated" grep -qi "simulated" unbroken/x.md
  pushd broken >/dev/null || exit
  for pause in 3 2 2; do timeout -s KILL $pause "$d16" train highz "${small[@]}" --out x.safetensors >/dev/null 2>&1; done
  works "train highz after kill -9" "$d16" train highz "${small[@]}" --out x.safetensors
  popd >/dev/null || exit
  check "kill -9 and resume: the same weights" cmp unbroken/x.safetensors broken/x.safetensors
  works "train highz, trees" "$d16" train highz --data "$shared" --variant trees-flux --count 90 --validation 120 --test 120 --runs 1 --out trees.json
  tiny_study=(study highz --data "$shared" --out study --only trees-flux --runs 1 --train 90 --validation 120 --test 120 --extra 60)
  works "study highz" "$d16" "${tiny_study[@]}"
  check "study highz writes a report" grep -q "trees-flux" study/report.md
  lines=$(wc -l <study/results.jsonl)
  works "study highz again" "$d16" "${tiny_study[@]}"
  check "a unit is not done again" test "$lines" = "$(wc -l <study/results.jsonl)"
  fails "train highz, unknown variant" 1 "no variant" x.safetensors "$d16" train highz --data "$shared" --variant best --out x.safetensors
  works "simulate survey" "$d16" simulate survey --out survey --count 6 --split validation --data "$shared"
  check "simulate survey: catalogue, cutouts, pictures, and what it is" \
    sh -c '[ -s survey/catalog.fits ] && [ -s survey/examples.png ] && grep -qi simulated survey/README.txt &&
           [ "$(find survey -name "*.fits" | wc -l)" = 7 ]'
  works "simulate survey again" "$d16" simulate survey --out survey2 --count 6 --split validation --data "$shared" --threads 1
  check "simulate survey: the same bytes on one thread" sh -c 'cmp survey/examples.png survey2/examples.png'
else
  skip "simulate survey" "no ../shared/data/nircam_filters_jades_seds"
fi
if [[ -d $shared/hsc_decals_cutouts ]]; then
  works "run on a Legacy Survey file and NumPy arrays" "$d16" run --input "$shared/hsc_decals_cutouts/examples/examp_gals" --out decals
  check "bands of a Legacy Survey file" grep -q '"z,r,g"' decals/catalog.csv
else
  skip "run on a Legacy Survey file and NumPy arrays" "no ../shared/data/hsc_decals_cutouts"
fi

# --- bad arguments ----------------------------------------------------------------------------------------------------
fails "no subcommand" 2 "--help" - "$d16"
fails "unknown subcommand" 2 "--help" - "$d16" fly
fails "missing option" 2 "--out" - "$d16" run --input field
fails "number out of range" 2 "--size" new "$d16" simulate --out new --size 3
fails "train highz without data" 1 nowhere x.safetensors "$d16" train highz --data nowhere --out x.safetensors
fails "simulate survey without its data" 1 void new "$d16" simulate survey --out new --data void
fails "simulate survey: no such split" 1 everything new "$d16" simulate survey --out new --split everything --data "$shared"
fails "unknown device" 2 "--device" - "$d16" info --device abacus
fails "a device without networks to run there" 2 "--device" new "$d16" simulate --out new --device cuda_emulated
fails "check what" 2 "--help" - "$d16" check
fails "check without weights" 2 "--weights" - "$d16" check equivariance
fails "check: size out of range" 2 "--size" - "$d16" check equivariance --weights weights/disk.safetensors --size 7
mkdir foreign && cp plain.safetensors foreign/disk.safetensors && cp weights/disk.ood.safetensors foreign/
fails "run: truth without a catalogue" 1 "--truth class" none "$d16" run --input field --truth class --out none
fails "run: a purity that nothing reaches" 1 "--purity 0.99999" none "$d16" run --input field --purity 0.99999 --prior 0.01 --out none
fails "calibration: a denoiser as classifier" 1 denoise.safetensors none.safetensors "$d16" train calibration --weights weights/denoise.safetensors --denoiser weights/denoise.safetensors "${labelled[@]}" --out none.safetensors
fails "ood of other weights" 1 "other weights" none "$d16" run --input field --classifier "$work/foreign/disk.safetensors" --out none
fails "bad group" 1 "--group X9" x.safetensors "$d16" train disk "${tiny[@]}" --labels pictures/truth.csv --out x.safetensors --group X9

# --- bad input: each alone is an error that names it, and leaves no output ----------------------------------------------
head -c 5000 field/sim_00001.fits >truncated.fits
echo "this is a letter, not an image" >renamed.fits
: >empty.fits
: >empty.png
head -c 20000 /dev/urandom >noise.fits
head -c 20000 /dev/urandom >noise.jpg
head -c 20000 /dev/urandom >noise.png
image_cards 0 0 >zero.fits
{ image_cards 16 16 && fits_data 256 '\x7f\xc0\x00\x00'; } >nan.fits
{ image_cards 16 16 && fits_data 256 '\x3f\x80\x00\x00'; } >flat.fits
image_cards 1000000 1000000 >huge.fits
head -c 700 pictures/sim_00001.png >truncated.png
cp results/catalog.fits table.fits
for file in truncated.fits renamed.fits empty.fits empty.png noise.fits noise.jpg noise.png zero.fits nan.fits huge.fits truncated.png table.fits missing.fits; do
  for command in run classify denoise; do
    out=out-$command
    [[ $command == classify ]] && out=out.csv
    fails "$command: $file" 1 "$file" "$out" "$d16" "$command" --input "$file" --out "$out"
  done
done
fails "info: empty file" 1 empty.fits - "$d16" info empty.fits
fails "info: renamed file" 1 renamed.fits - "$d16" info renamed.fits
fails "info: no such file" 1 nothing.fits - "$d16" info nothing.fits
mkdir void
fails "run: folder without images" 1 void out "$d16" run --input void --out out
works "run: a flat image is an object without anything in it" "$d16" run --input flat.fits --out flat
check "a flat image has no probability, flag 4 and a note" grep -q '^flat,flat.fits,,,,false,[0-9.]*,,.*,\(60\|52\|32828\|32820\),.*all pixels are' flat/catalog.csv

fails "check: no such weights" 1 none.safetensors out "$d16" check equivariance --weights none.safetensors --out out
for file in truncated.fits empty.png missing.fits void; do
  fails "check: $file" 1 "$file" out "$d16" check equivariance --weights weights/disk.safetensors --input "$file" --out out
done

mkdir mixed
cp field/sim_0000[1-3].fits truncated.fits renamed.fits nan.fits mixed
works "run: bad files in a folder are flagged, the rest goes on" "$d16" run --input mixed --out mixed-results
check "a row for each file" test "$(wc -l <mixed-results/catalog.csv)" = 7
check "bad files have flag 1 and a note" test "$(grep -c ',1,[^,]*\(truncated\|renamed\|nan\)\.fits' mixed-results/catalog.csv)" = 3
mkdir allbad
cp truncated.fits renamed.fits allbad
fails "run: a folder of bad files only" 1 "none of its 2 objects" out "$d16" run --input allbad --out out

mkdir pair
cp field/sim_00001.fits pair/F444W_sci.fits
cp renamed.fits pair/F444W_mask.fits
fails "run: a bad mask beside a good image" 1 F444W_mask.fits out "$d16" run --input pair --out out

# --- bad labels -------------------------------------------------------------------------------------------------------
sed '1s/class/kind/' pictures/truth.csv >no-class.csv
fails "missing label column" 1 no-class.csv x.safetensors "$d16" train disk "${tiny[@]}" --labels no-class.csv --out x.safetensors
fails "no label file" 1 nowhere.csv x.safetensors "$d16" train disk "${tiny[@]}" --labels nowhere.csv --out x.safetensors
: >empty.csv
fails "empty label file" 1 empty.csv x.safetensors "$d16" train disk "${tiny[@]}" --labels empty.csv --out x.safetensors
fails "no pictures" 1 void x.safetensors "$d16" train disk --data void --labels pictures/truth.csv --out x.safetensors

# --- bad weights ------------------------------------------------------------------------------------------------------
fails "weights of another network" 1 denoise.safetensors out "$d16" run --input field --out out --classifier weights/denoise.safetensors
fails "weights of another network, as denoiser" 1 disk.safetensors out "$d16" run --input field --out out --denoiser weights/disk.safetensors
fails "no such weights" 1 none.safetensors out "$d16" run --input field --out out --denoiser none.safetensors
fails "resume another network" 1 last.safetensors - "$d16" train disk "${tiny[@]}" --labels pictures/truth.csv --out weights/disk.safetensors --epochs 9 --group C4 --widths 3,3 --resume
head -c 2000 weights/disk.safetensors >cut.safetensors
: >blank.safetensors
cp renamed.fits text.safetensors
hostile length.safetensors '\xff\xff\xff\xff\xff\xff\xff\x7f' '{}' 0
hostile negative.safetensors '\xff\xff\xff\xff\xff\xff\xff\xff' '{}' 0
header='{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}'
hostile overlap.safetensors "$(length_of "$header")" "$header" 12
header='{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
hostile range.safetensors "$(length_of "$header")" "$header" 4
header='{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,0]}}'
hostile overflow.safetensors "$(length_of "$header")" "$header" 0
header='{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}'
hostile sign.safetensors "$(length_of "$header")" "$header" 8
for file in cut blank text length negative overlap range overflow sign; do
  fails "hostile weights: $file" 1 "$file.safetensors" out "$d16" run --input field --out out --classifier "$file.safetensors"
  fails "check of hostile weights: $file" 1 "$file.safetensors" out "$d16" check equivariance --weights "$file.safetensors" --out out
  fails "info of hostile weights: $file" 1 "$file.safetensors" - "$d16" info "$file.safetensors"
done
D16_WEIGHTS=$work/void fails "no weights anywhere" 1 denoise.safetensors out "$d16" run --input field --out out

# --- output that cannot be written --------------------------------------------------------------------------------------
: >file
fails "output folder below a file" 1 file/out - "$d16" run --input field --out file/out
fails "output folder is a file" 1 file - "$d16" run --input field --out file
fails "output folder in /proc" 1 /proc/d16 - "$d16" simulate --out /proc/d16 --count 1
fails "report of a check below a file" 1 file/out - "$d16" check equivariance --weights weights/disk.safetensors --out file/out
fails "catalogue below a file" 1 file/c.csv - "$d16" classify --input field --out file/c.csv
fails "catalogue of unknown kind" 1 c.txt c.txt "$d16" classify --input field --out c.txt
fails "weights below a file" 1 file/x.safetensors - "$d16" train disk "${tiny[@]}" --labels pictures/truth.csv --out file/x.safetensors
if ((EUID != 0)); then
  mkdir locked && chmod 555 locked
  fails "output folder without permission" 1 locked locked/out "$d16" run --input field --out locked/out
else
  skip "output folder without permission" "root may write everywhere"
fi

small() { (ulimit -f 8 && "$@"); } # files of at most 8 KiB
fails "file too large: simulate" 1 new new small "$d16" simulate --out new --count 2 --size 64
fails "file too large: run" 1 new new small "$d16" run --input field --out new
fails "file too large: check" 1 new new small "$d16" check equivariance --weights weights/disk.safetensors --out new
mkdir disk
if mount -t tmpfs -o size=64k none disk 2>/dev/null; then
  mounted=$work/disk
  fails "full disk: simulate" 1 disk disk/truth.csv "$d16" simulate --out disk --count 4 --size 64
  fails "full disk: run" 1 disk/ disk/catalog.csv "$d16" run --input field --out disk
  check "full disk: nothing is left on it" test -z "$(ls -A disk)"
else
  skip "full disk" "no right to mount a small file system"
fi

# --- interruption -------------------------------------------------------------------------------------------------------
# The reference kernels are slow enough to be caught in the act.
mkdir many
for i in 1 2 3 4 5 6 7 8 9; do for j in 1 2 3 4 5 6; do cp "field/sim_0000$j.fits" "many/sim_$i$j.fits"; done; done
slow() { exec "$d16" run --input many --out "$1" --device reference; }
quick() { "$d16" run --input field --out "$1"; }
interruption slow quick "catalog.csv catalog.fits catalog.reg report.html "

echo "cli_test: $passed passed, $failed failed, $skipped skipped"
((failed == 0))
