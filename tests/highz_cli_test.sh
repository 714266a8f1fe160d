#!/usr/bin/env bash
# Tests of d16 classify --system highz: simulated surveys, cutouts of telescopes, catalogues, and hostile ones.
#   tests/highz_cli_test.sh [PROGRAM]      default: build/bin/d16
# Weights are those of the program, or of D16_WEIGHTS. Needs ../shared/data; exit status 77 (skipped) without either.
# An error must be one line on stderr that names the file, exit code 1, and leave nothing behind.
set -u
cd "$(dirname "$0")/.." || exit
d16=$(realpath -- "${1:-build/bin/d16}") || exit 1
[[ -x $d16 ]] || { echo "highz_cli_test.sh: $d16: no such program; build it first" >&2 && exit 1; }
shared=$(realpath -m ../shared/data)
weights=$(realpath -m "${D16_WEIGHTS:-weights}")
trees=$weights/highz.json
[[ -d $shared/nircam_filters_jades_seds ]] || { echo "skipped: there is no ../shared/data/nircam_filters_jades_seds" && exit 77; }
[[ -f $trees ]] || { echo "skipped: there are no weights $trees; d16 train highz makes them" && exit 77; }
export D16_WEIGHTS=$weights

# shellcheck source=tests/cli.bash
source "$PWD/tests/cli.bash"

classify() { "$d16" classify --system highz "$@"; }
rows() { tail -n +2 "$1" | wc -l; }
# column FILE NAME: the values of one column of a CSV, one a line, in FILE without commas inside quotes.
column() {
  awk -F, -v name="$2" 'NR == 1 { for (i = 1; i <= NF; ++i) if ($i == name) at = i; next } { print $at }' "$1"
}

# --- fixtures ---------------------------------------------------------------------------------------------------------
# Cards of a FITS header, each padded to 80 bytes, END, and the header padded to 2880.
fits_header() {
  local bytes=80 card
  for card in "$@"; do printf '%-80s' "$card" && bytes=$((bytes + 80)); done
  printf '%-80s' END
  printf "%$(((2880 - bytes % 2880) % 2880))s" ''
}
primary() { fits_header "SIMPLE  =                    T" "BITPIX  =                    8" "NAXIS   =                    0" "EXTEND  =                    T"; }
# table_hdu NAME ROWS BYTES_OF_A_ROW COLUMN:FORM...: the header of a binary table.
table_hdu() {
  local name=$1 rows=$2 bytes=$3 i=0 cards=() column
  shift 3
  for column in "$@"; do
    i=$((i + 1))
    cards+=("$(printf "%-8s= '%s'" TTYPE$i "${column%:*}")" "$(printf "%-8s= '%s'" TFORM$i "${column#*:}")")
  done
  fits_header "XTENSION= 'BINTABLE'" "BITPIX  =                    8" "NAXIS   =                    2" "NAXIS1  = $bytes" \
    "NAXIS2  = $rows" "PCOUNT  =                    0" "GCOUNT  =                    1" "TFIELDS = $i" "EXTNAME = '$name'" "${cards[@]}"
}
# block TEXT: the bytes that printf makes of it, and zeros up to a multiple of 2880.
block() {
  printf "$1" >bytes
  cat bytes
  head -c $(((2880 - $(stat -c %s bytes) % 2880) % 2880)) /dev/zero
}
int() { printf '\\x00\\x00\\x00\\x%02x' "$1"; }        # a number below 256 as an int32 for printf
one='\x3f\x80\x00\x00' two='\x40\x00\x00\x00'          # as float32
nan='\x7f\xc0\x00\x00'

# --- a simulated survey -----------------------------------------------------------------------------------------------
works "simulate a survey" "$d16" simulate survey --out survey --data "$shared" --count 30 --seed 3
works "classify a folder of simulate survey" classify --input survey --out results
check "survey: catalogue, table, report and nothing else" test "$(ls -A results | tr '\n' ' ')" = "catalog.csv catalog.fits report.html "
check "survey: a row for each object" test "$(rows results/catalog.csv)" = 30
check "survey: input columns first" grep -q "^ID,RA,DEC,F090W_CIRC2,.*TRUE_CLASS.*,p_lowz,p_highz,p_bd,class," results/catalog.csv
works "survey catalogue as CSV" classify --input survey/catalog.fits --out from-fluxes.csv
column results/catalog.csv ID >ids
column from-fluxes.csv ID >other-ids
check "survey: the order is kept" cmp ids other-ids
column results/catalog.csv p_lowz >low && column results/catalog.csv p_highz >high && column results/catalog.csv p_bd >dwarf
check "probabilities sum to 1 or are missing" awk -F, '{ s = $1 + $2 + $3; if (!($1 == "" && $2 == "" && $3 == "") && (s < 0.9999 || s > 1.0001)) exit 1 }' <(paste -d, low high dwarf)
check "fluxes alone: no size" test "$(column from-fluxes.csv compactness | sort -u)" = ""
check "fluxes alone: said so" test "$(column from-fluxes.csv used | sort -u)" = fluxes
check "report: pictures, spectra and the word SIMULATED" grep -q "data:image/png.*" results/report.html
check "report: says SIMULATED" grep -q SIMULATED results/report.html
for words in "D16SHA1 = '$(sha256sum "$weights/highz.safetensors" 2>/dev/null | head -c 64 || true)" "D16VERS " "d16 classify --system highz --input survey --out results" "SIMULATED data" "EDGE=1"; do
  [[ $words == "D16SHA1 = '" ]] && words="D16SHA1 = '$(sha256sum "$trees" | head -c 64)"
  check "FITS header has: ${words:0:24}" grep -aq "$words" results/catalog.fits
done
works "info reads the catalogue" "$d16" info results/catalog.fits
check "the half-light radius has a unit" grep -q "half_light \[arcsec\]" stdout
works "classify again, one thread" classify --input survey --out results1 --threads 1
check "threads do not change results" cmp results/catalog.csv results1/catalog.csv
works "classify --json" classify --input survey --out results2 --json
check "--json says how many" grep -q '"rows": 30' stdout
works "other class frequencies" classify --input survey/catalog.fits --out prior.csv --prior 1,1,1
check "--prior changes probabilities" test "$(column prior.csv p_bd | md5sum)" != "$(column from-fluxes.csv p_bd | md5sum)"
column from-fluxes.csv class >classes && column prior.csv class >other-classes
check "--prior does not change classes" cmp classes other-classes
check "there are all three classes" test "$(sort -u classes | wc -l)" = 3
works "rare high-z galaxies, dwarfs rarer still" classify --input survey/catalog.fits --out rare.fits --prior 722,7,0.1
check "the purity to be expected is printed" grep -q "to be expected: high_z purity 0.[01].* at completeness" stdout
check "FITS header has the purity to be expected" grep -aq "to be expected of .*high_z purity 0.[01]" rare.fits
check "FITS header has the frequencies of the thresholds" grep -aq "D16PRT[12] *= *'0.4962:0.4962:0.0076'" rare.fits
check "FITS header has the frequencies of the probabilities" grep -aq "D16PRI[12] *= *'0.9903:0.0096:0.0001'" rare.fits
works "no brown dwarfs where there are none" classify --input survey/catalog.fits --out none.csv --prior 1,1,0
check "a class of frequency 0 is never called" test "$(column none.csv class | sort -u | tr '\n' ' ')" = "high_z low_z "
works "thresholds and frequencies" classify --input survey/catalog.fits --out both.csv --prior 1,1,1 --threshold 0.5,0.5
paste -d, <(column both.csv p_bd) <(column both.csv p_highz) <(column both.csv class) >judged
check "--threshold is on the probabilities of the catalogue" \
  awk -F, '{ if ($3 != ($1 >= 0.5 ? "brown_dwarf" : $2 >= 0.5 ? "high_z" : "low_z")) exit 1 }' judged
works "other thresholds" classify --input survey/catalog.fits --out strict.csv --threshold 2,2
check "--threshold above 1 calls nothing but low-z" test "$(column strict.csv class | sort -u)" = low_z
works "results can be classified again" classify --input results/catalog.fits --out again.fits
works "info of that" "$d16" info again.fits
check "both sets of results are there" test "$(grep -c 'p_bd\b\|p_bd_d16' stdout)" -ge 2
works "reference device" classify --input survey/cutouts/"$(ls survey/cutouts | head -1)" --out one.csv --device reference

# --- cutouts ------------------------------------------------------------------------------------------------------------
works "a folder of cutouts" classify --input survey/cutouts --out cutouts.csv
check "cutouts: a row for each" test "$(rows cutouts.csv)" = 30
column cutouts.csv p_highz | sort >a && column results/catalog.csv p_highz | sort >b
check "cutouts alone give what the survey gives" cmp a b
mkdir mixed
for file in $(ls survey/cutouts | head -3); do cp "survey/cutouts/$file" mixed; done
first=$(ls mixed | head -1)
head -c 9000 "mixed/$first" >mixed/truncated.fits
echo "this is a letter" >mixed/renamed.fits
: >mixed/empty.fits
cp results/catalog.fits mixed/table.fits
cp survey/examples.png mixed
works "bad files in a folder are flagged, the rest goes on" classify --input mixed --out mixed.csv
check "a row for each FITS file" test "$(rows mixed.csv)" = "$(ls mixed/*.fits | wc -l)"
check "bad files: READ_ERROR, no probabilities, a note" test "$(grep -c '^\(truncated\|renamed\|empty\|table\),[^,]*,,,,,0,,,,512,,[^,]' mixed.csv)" = 4
fails "one bad file alone is an error" 1 renamed.fits bad.csv classify --input mixed/renamed.fits --out bad.csv
mkdir allbad && cp mixed/renamed.fits mixed/empty.fits allbad
fails "a folder of bad files only" 1 "none of its 2 objects" bad.csv classify --input allbad --out bad.csv
mkdir void
fails "an empty folder" 1 void bad.csv classify --input void --out bad.csv
# 64x64 pixels as float32 for printf: noise of 0 and +-0.01 (of two values the median deviation is 0), a square of 1
square=$(awk 'BEGIN { srand(1); for (i = 0; i < 64; ++i) for (j = 0; j < 64; ++j) {
  dark = int(3 * rand())
  printf "%s", (i > 28 && i < 35 && j > 28 && j < 35 ? "\\x3f\\x80\\x00\\x00" : dark ? (dark > 1 ? "\\x3c" : "\\xbc") "\\x23\\xd7\\x0a" : "\\x00\\x00\\x00\\x00") } }')
# image PLANES CARD...: that many of them
image() {
  local planes=$1 sizes=("NAXIS   =                    2") pixels=
  shift
  ((planes == 1)) || sizes=("NAXIS   =                    3")
  sizes+=("NAXIS1  =                   64" "NAXIS2  =                   64")
  ((planes == 1)) || sizes+=("NAXIS3  = $planes")
  fits_header "SIMPLE  =                    T" "BITPIX  =                  -32" "${sizes[@]}" "$@"
  for _ in $(seq "$planes"); do pixels+=$square; done
  block "$pixels"
}
sky=("CTYPE1  = 'RA---TAN'" "CTYPE2  = 'DEC--TAN'" "CRPIX1  = -100.0" "CRPIX2  = 32.5" "CRVAL1  = 0.0" "CRVAL2  = 0.0"
  "CD1_1   = -8.333333333333E-06" "CD1_2   = 0.0" "CD2_1   = 0.0" "CD2_2   = 8.333333333333E-06")
mkdir -p beside/one
for b in f277w f444w; do image 1 "BUNIT   = 'nJy'" "${sky[@]}" >beside/one/${b}_sci.fits; done
image 1 "${sky[@]}" >beside/one/f444w_err.fits
works "west of 0 hours, an ERR image without a unit" classify --input beside --out beside.csv
check "right ascension is from 0 to 360" grep -q ",359\.99" beside.csv
check "no unit was assumed" awk '{ if (int($1 / 256) % 2 != 0) exit 1 }' <(column beside.csv flags)
image 6 "BUNIT   = 'nJy'" "${sky[@]}" "BAND0   = 'F115W'" "BAND1   = 'F150W'" "BAND2   = 'F200W'" "BAND3   = 'F277W'" "BAND4   = 'F356W'" "BAND5   = 'F444W'" >cube.fits
works "a cube that counts its bands from 0" classify --input cube.fits --out cube.csv
check "it has six bands" test "$(column cube.csv n_bands)" = 6
if [[ -d $shared/jwst_ceers_nircam ]]; then
  works "six JWST objects" classify --input "$shared/jwst_ceers_nircam" --out jwst
  check "JWST: six rows" test "$(rows jwst/catalog.csv)" = 6
  check "JWST: F090W is missing in all" awk '{ if (int($1 / 16) % 2 != 1) exit 1 }' <(column jwst/catalog.csv flags)
  check "JWST: six bands" test "$(column jwst/catalog.csv n_bands | sort -u)" = 6
  check "JWST: an empty box in the report" grep -q "F090W: none" jwst/report.html
else
  skip "six JWST objects" "no ../shared/data/jwst_ceers_nircam"
fi

# --- catalogues -----------------------------------------------------------------------------------------------------------
header=id,name
for b in F090W F115W F150W F200W F277W F356W F444W; do header+=,$b,${b}_err; done
{
  echo "$header"
  echo "007,\"a, b\",1,1,2,1,3,1,40,2,60,2,80,2,90,2"
  echo "8,c,,,,,,,,,,,,,90,2"
  echo "9,d,nan,1,nan,1,nan,1,nan,1,nan,1,nan,1,nan,1"
  echo "10,e,-99,1,inf,1,-3,1,40,2,60,2,80,2,90,2"
} >four.csv
works "a CSV catalogue" classify --input four.csv --out four-out.csv
check "CSV: fields are kept as they are" grep -q '^007,"a, b",1,1,2,1,' four-out.csv
check "CSV: one band is too few: NaN, MISSING_BAND and a note" grep -q '^8,c,.*,90,2,,,,,1,[^,]*,,,\(272\|304\),,' four-out.csv
check "CSV: no band at all: NaN" grep -q '^9,d,.*,,,,,0,,,,\(272\|304\),,' four-out.csv
check "CSV: sentinels and infinities are missing bands" grep -q '^10,e,.*,5,[^,]*,,,\(272\|304\),fluxes,' four-out.csv
check "never 0.5 for what was not classified" test "$(grep -c ',0\.5,' four-out.csv)" = 0
works "the same as FITS" classify --input four.csv --out four.fits
works "and from FITS again" classify --input four.fits --out four-again.csv
check "FITS keeps ids with zeros in front" grep -q '^007,' four-again.csv
fails "a catalogue with cutouts of other objects" 1 cutouts bad.csv classify --input four.csv --cutouts survey/cutouts --out bad.csv

# JADES: tables FLAG and CIRC that list the same sources.
jades() { # ROWS_OF_CIRC ID_OF_THE_SECOND
  primary
  table_hdu FLAG 2 12 ID:1J RA:1E DEC:1E && block "$(int 1)$one$one$(int 2)$one$one"
  table_hdu CIRC "$1" 20 ID:1J F356W_CIRC1:1E F356W_CIRC1_e:1E F444W_CIRC1:1E F444W_CIRC1_e:1E
  if [[ $1 == 2 ]]; then block "$(int 1)$two$one$two$one$(int "$2")$two$one$nan$one"
  else block "$(int 1)$two$one$two$one$(int 2)$two$one$two$one$(int 3)$two$one$two$one"; fi
}
jades 2 2 >jades.fits
works "a JADES catalogue" classify --input jades.fits --out jades.csv
check "JADES: columns of all its tables" grep -q "^ID,RA,DEC,F356W_CIRC1,F356W_CIRC1_e,F444W_CIRC1,F444W_CIRC1_e,p_lowz," jades.csv
works "a JADES catalogue as FITS" classify --input jades.fits --out jades-out.fits
check "JADES: its tables are there" grep -aq "F444W_CIRC1_e" jades-out.fits

# --- hostile catalogues: one clear error each ---------------------------------------------------------------------------
jades 3 2 >lengths.fits
jades 2 9 >order.fits
size=$(stat -c %s survey/catalog.fits)
head -c $((size - 6000)) survey/catalog.fits >cut.fits
head -c 3000 survey/catalog.fits >header.fits
{ primary && table_hdu T 1000000000000 8 id:1J F444W:1E && block "$(int 1)$one"; } >huge.fits
{ primary && table_hdu T 1 16 id:1J F444W:4A F444W_err:1E F356W:1E && block "$(int 1)text$one$one"; } >words.fits
{ primary && table_hdu T 0 12 id:1J F444W:1E F444W_err:1E; } >norows.fits
{ primary && table_hdu T 1 8 id:1J mass:1E && block "$(int 1)$one"; } >nofluxes.fits
{ primary && table_hdu T 1 8 id:1J F444W:1E && block "$(int 1)$one"; } >noerrors.fits
{ primary && table_hdu T -5 8 id:1J F444W:1E && block "$(int 1)$one"; } >negative.fits
primary >notable.fits
head -c 20000 /dev/urandom >noise.fits
: >empty.fits
: >empty.csv
echo "$header" >norows.csv
echo "id,mass" >nofluxes.csv && echo "1,2" >>nofluxes.csv
sed 's/40,2/forty,2/' four.csv >words.csv
sed 's/,90,2$/,90/' four.csv >lengths.csv
sed '1s/F115W,/F090W,/' four.csv >twice.csv
sed '2s/"a, b"/"a, b/' four.csv >quote.csv
head -c 20000 /dev/urandom >noise.csv
for file in lengths.fits order.fits cut.fits header.fits huge.fits words.fits norows.fits nofluxes.fits noerrors.fits negative.fits notable.fits \
  noise.fits empty.fits empty.csv norows.csv nofluxes.csv words.csv lengths.csv twice.csv quote.csv noise.csv missing.csv; do
  fails "hostile: $file" 1 "$file" bad classify --input "$file" --out bad
done
fails "a unit that is none" 1 furlong bad.csv classify --input four.csv --unit furlong --out bad.csv
fails "an aperture that is not there" 1 CIRC9 bad.csv classify --input jades.fits --aperture CIRC9 --out bad.csv

# --- bad arguments, weights, outputs --------------------------------------------------------------------------------------
fails "two frequencies" 2 "--prior" bad.csv classify --input four.csv --out bad.csv --prior 1,2
fails "a negative frequency" 1 "--prior" bad.csv classify --input four.csv --out bad.csv --prior=-1,1,1
fails "cutouts for a folder" 1 "--cutouts" bad.csv classify --input survey/cutouts --cutouts survey/cutouts --out bad.csv
echo '{"format": "d16 boosted trees", "version": 1}' >half.json
echo '{' >open.json
head -c 3000 "$trees" >cut.json
cp renamed.fits text.safetensors 2>/dev/null || echo letter >text.safetensors
for file in half.json open.json cut.json text.safetensors none.json; do
  fails "hostile weights: $file" 1 "$file" bad.csv classify --input survey --out bad.csv --weights "$file"
done
D16_WEIGHTS=$work/void fails "no weights anywhere" 1 highz.json bad.csv classify --input four.csv --out bad.csv
if [[ -f $weights/highz.safetensors ]]; then
  fails "a network for fluxes" 1 "highz.safetensors" bad.csv classify --input four.csv --out bad.csv --weights "$weights/highz.safetensors"
else
  skip "a network for fluxes" "no highz.safetensors among the weights"
fi
: >file
fails "output below a file" 1 file/c.csv - classify --input four.csv --out file/c.csv
fails "output folder below a file" 1 file/out - classify --input four.csv --out file/out
fails "output folder in /proc" 1 /proc/d16 - classify --input four.csv --out /proc/d16
if ((EUID != 0)); then
  mkdir locked && chmod 555 locked
  fails "output folder without permission" 1 locked locked/out classify --input four.csv --out locked/out
else
  skip "output folder without permission" "root may write everywhere"
fi
small() { (ulimit -f 8 && "$@"); } # files of at most 8 KiB
fails "file too large: folder" 1 new new small classify --input survey --out new
fails "file too large: file" 1 new.fits new.fits small classify --input survey --out new.fits
mkdir disk
if mount -t tmpfs -o size=64k none disk 2>/dev/null; then
  mounted=$work/disk
  fails "full disk" 1 disk disk/catalog.csv classify --input survey --out disk
  check "full disk: nothing is left on it" test -z "$(ls -A disk)"
else
  skip "full disk" "no right to mount a small file system"
fi

# --- interruption: many objects, so that it is caught in the act ---------------------------------------------------------
mkdir many
for i in $(seq 1 40); do for file in survey/cutouts/*.fits; do ln "$file" "many/$i-${file##*/}"; done; done
slow() { exec "$d16" classify --system highz --input many --out "$1" --threads 1; }
quick() { classify --input four.csv --out "$1"; }
interruption slow quick

echo "highz_cli_test: $passed passed, $failed failed, $skipped skipped"
((failed == 0))
