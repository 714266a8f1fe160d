#!/usr/bin/env bash
# Tests of d16 simulate field, d16 simulate redshift and d16 info on data sets.
#   tests/field_cli_test.sh [PROGRAM]      default: build/bin/d16
# Without ../shared/data the parts that need it are skipped, and say so.
# An error must be one line on stderr that names what is wrong, exit code 1 or 2, and leave nothing behind.
set -u
cd "$(dirname "$0")/.." || exit
d16=$(realpath -- "${1:-build/bin/d16}") || exit 1
[[ -x $d16 ]] || { echo "field_cli_test.sh: $d16: no such program; build it first" >&2 && exit 1; }
shared=$(realpath -m ../shared/data)
golden=$PWD/tests/data/golden

# shellcheck source=tests/cli.bash
source "$PWD/tests/cli.bash"

# column FILE NAME: the values of one column of a CSV without commas inside quotes, one a line.
column() {
  awk -F, -v name="$2" 'NR == 1 { for (i = 1; i <= NF; ++i) if ($i == name) at = i; next } { print $at }' "$1"
}

# --- d16 simulate field -----------------------------------------------------------------------------------------------
works "field" "$d16" simulate field --out a --count 5 --size 40 --variants 3 --snr 10:50 --shear 0.2:0.3 --seed 4 --sheet a.png
check "field: a row for each variant" test "$(wc -l <a/truth.csv)" = 16
check "field: an image for each variant" test "$(find a -maxdepth 1 -name 'sim_*.fits' | wc -l)" = 15
check "field: one clean image for each galaxy" test "$(find a/clean -name "*_clean.fits" | wc -l)" = 5
check "field: a picture to look at" test -s a.png
works "field again, one thread" "$d16" simulate field --out b --count 5 --size 40 --variants 3 --snr 10:50 --shear 0.2:0.3 --seed 4 --threads 1
check "threads do not change it" cmp a/truth.csv b/truth.csv
check "threads do not change the pixels" cmp a/sim_00003_v02.fits b/sim_00003_v02.fits
check "S/N is in its range" awk '{ if ($1 < 10 || $1 > 50) exit 1 }' <(column a/truth.csv snr)
check "one to three contaminants, perhaps a trail" awk '{ if ($1 < 1 || $1 > 4) exit 1 }' <(column a/truth.csv contaminants)
check "shear is in its range" awk -F, '{ g = sqrt($1 * $1 + $2 * $2); if (g < 0.199 || g > 0.301) exit 1 }' \
  <(paste -d, <(column a/truth.csv shear1) <(column a/truth.csv shear2))
check "the header says simulated" grep -aq "SIMULATD= *T" a/sim_00001_v01.fits
check "the header has the bulge's share" grep -aq "SIMBT   =" a/sim_00001_v01.fits
check "the header has the unit" grep -aq "BUNIT   = 'nJy" a/sim_00001_v01.fits
works "without the word field" "$d16" simulate --out c --count 5 --size 40 --variants 3 --snr 10:50 --shear 0.2:0.3 --seed 4
check "it is the same" cmp a/truth.csv c/truth.csv
for scheme in none stars neighbours trails all; do
  works "contaminants: $scheme" "$d16" simulate field --out "s-$scheme" --count 6 --size 32 --channels 1 --contaminants $scheme
done
check "none: nothing" test "$(column s-none/truth.csv contaminants | sort -u)" = 0
check "stars: stars only" test "$(column s-stars/truth.csv contaminant_kinds | tr ';' '\n' | sort -u)" = star
check "trails: trails only" test "$(column s-trails/truth.csv contaminant_kinds | tr ';' '\n' | sort -u)" = trail
check "neighbours: no stars" test "$(column s-neighbours/truth.csv contaminant_kinds | grep -c star)" = 0
works "PNG, grey, four contaminants each" "$d16" simulate field --out p --count 2 --size 32 --channels 1 --format png --number 4
works "info of such a picture" "$d16" info p/sim_00001.png
fails "bounds in the wrong order" 1 "--snr" new "$d16" simulate field --out new --snr 9:3
fails "no number" 1 "--shear" new "$d16" simulate field --out new --shear strong
fails "shear that tears" 1 "shear" new "$d16" simulate field --out new --shear 0.95
fails "no such scheme" 2 "--contaminants" new "$d16" simulate field --out new --contaminants planets
fails "a PSF that is not there" 1 "nothing.fits" new "$d16" simulate field --out new --psf nothing.fits
fails "a PSF with even sides" 1 "odd" new "$d16" simulate field --out new --psf a/clean/sim_00001_clean.fits

# --- d16 simulate redshift --------------------------------------------------------------------------------------------
one() { "$d16" simulate redshift --input a/clean/sim_00001_clean.fits --psf a/clean/sim_00002_clean.fits --z-in 0.3 "$@"; }
works "redshift one image" one --out r --z-out 1 --fwhm-out 1.2 --pixel-out 0.05 --noise 0.1
check "redshift: the table has the rest wavelength" grep -q lambda_rest r/redshifted.csv
check "redshift: header has redshift, dimming, cosmology" \
  test "$(grep -ao 'ZOUT  \|DIMMING \|OMEGAM  \|LAMREST ' r/sim_00001_clean_z1.00.fits | sort -u | wc -l)" = 4
works "redshift again" one --out r2 --z-out 1 --fwhm-out 1.2 --pixel-out 0.05 --noise 0.1 --threads 1
check "redshift: threads do not change it" cmp r/redshifted.csv r2/redshifted.csv
fails "sharper than it is" 1 "wider than that of the target" new one --out new --z-out 0.3 --fwhm-out 0.05
fails "no target PSF" 1 "--fwhm-out" new one --out new --z-out 1
fails "a single image without redshift" 1 "--z-in" new "$d16" simulate redshift --input a/clean/sim_00001_clean.fits --out new --fwhm-out 1
fails "a picture has no flux" 1 "a.png" new "$d16" simulate redshift --input a.png --psf a/clean/sim_00002_clean.fits --z-in 1 --out new --fwhm-out 1
fails "a folder of something else" 1 "objects.csv" new "$d16" simulate redshift --input a --out new --fwhm-out 1
fails "redshift 0" 2 "--z-out" new one --out new --z-out 0 --fwhm-out 1
if [[ -d $shared/hst_cosmos_f814w ]]; then
  works "real galaxies of COSMOS" "$d16" simulate redshift --input "$shared/hst_cosmos_f814w/data/cosmos" --limit 3 --out hst --z-out 1.5,2 --fwhm-out 0.16
  check "COSMOS: a row for each galaxy and redshift" test "$(wc -l <hst/redshifted.csv)" = 7
  check "COSMOS: F814W" test "$(column hst/redshifted.csv band_in | sort -u)" = F814W
else
  skip "real galaxies of COSMOS" "no ../shared/data/hst_cosmos_f814w"
fi
if [[ -d $shared/jwst_ceers_nircam ]]; then
  ceers() { "$d16" simulate redshift --input "$shared/jwst_ceers_nircam" --limit 1 --fwhm-out 0.2 --z-out 3 "$@"; }
  works "cutouts of CEERS" ceers --band F200W --unit MJy/sr --out jwst
  fails "CEERS without a unit" 1 "--unit" new ceers --band F200W --out new
  fails "CEERS without a band" 1 "--band" new ceers --unit MJy/sr --out new
else
  skip "cutouts of CEERS" "no ../shared/data/jwst_ceers_nircam"
fi

# --- d16 simulate appearance ------------------------------------------------------------------------------------------
works "pictures to begin with" "$d16" simulate field --out begin --count 3 --size 64 --format png --snr 300 --contaminants none
rm begin/truth.csv
appear() { "$d16" simulate appearance --input begin --size 32 --seed 5 --variants 2 --snr 5:20 "$@"; }
works "appearance" appear --out look --contaminants all
check "appearance: all pictures, those in clean/ too" test "$(wc -l <look/appearance.csv)" = 13
check "appearance: S/N is not above its range" awk '{ if ($1 > 20.01) exit 1 }' \
  <(column look/appearance.csv appearance_snr | grep .)
works "appearance again, one thread" appear --out look2 --contaminants all --threads 1
check "appearance: threads do not change it" cmp look/appearance.csv look2/appearance.csv
mkdir void
fails "appearance of an empty folder" 1 "no pictures" new "$d16" simulate appearance --input void --out new
fails "correlation of one" 1 "lag1" new appear --out new --correlation 0.9

# --- d16 info on data sets --------------------------------------------------------------------------------------------
works "info of Galaxy10's HDF5" "$d16" info "$golden/galaxy10_small.h5"
check "info: it is Galaxy10, with classes" bash -c 'grep -q "barred_spiral: 1" stdout && ! grep -q null stdout'
printf '\0\0\10\1\0\0\0\3\7\7\1' >labels-idx1-ubyte
works "info of idx labels" "$d16" info labels-idx1-ubyte
check "info counts them" grep -q "7: 2" stdout
gzip -k labels-idx1-ubyte
works "info of gzipped idx" "$d16" info labels-idx1-ubyte.gz
mkdir efigi && cp p/sim_00001.png efigi/PGC0001.png
printf 'PGCname,T,Inclination\nPGC0001,4,0.25\nPGC0002,-5,0\n' >efigi/EFIGI_attributes.csv
works "info of a folder in EFIGI's form" "$d16" info efigi
check "info counts its classes" grep -q "spiral: 1" stdout
head -c 9000 "$golden/galaxy10_small.h5" >cut.h5
head -c 10 labels-idx1-ubyte >cut-ubyte
head -c 20 labels-idx1-ubyte.gz >cut-ubyte.gz
for file in cut.h5 cut-ubyte cut-ubyte.gz; do fails "info: $file is truncated" 1 $file - "$d16" info $file; done

echo "field_cli_test: $passed passed, $failed failed, $skipped skipped"
((failed == 0))
