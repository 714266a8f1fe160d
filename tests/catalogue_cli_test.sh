#!/usr/bin/env bash
# Tests of d16 photoz, cluster, train separator and separate: simulated surveys, real tables, and hostile ones.
#   tests/catalogue_cli_test.sh [PROGRAM]      default: build/bin/d16
# Needs ../shared/data; exit status 77 (skipped) without it.
# An error must be one line on stderr that names the file, exit code 1, and leave nothing behind.
set -u
cd "$(dirname "$0")/.." || exit
d16=$(realpath -- "${1:-build/bin/d16}") || exit 1
[[ -x $d16 ]] || { echo "catalogue_cli_test.sh: $d16: no such program; build it first" >&2 && exit 1; }
shared=$(realpath -m ../shared/data)
passbands=$PWD/docs/passbands/hdfn.csv
[[ -d $shared/nircam_filters_jades_seds ]] || { echo "skipped: there is no ../shared/data/nircam_filters_jades_seds" && exit 77; }

# shellcheck source=tests/cli.bash
source "$PWD/tests/cli.bash"

photoz() { "$d16" photoz --data "$shared" "$@"; }
cluster() { "$d16" cluster "$@"; }
# column FILE NAME: the values of one column of a CSV without commas inside quotes, one a line.
column() {
  awk -F, -v name="$2" 'NR == 1 { for (i = 1; i <= NF; ++i) if ($i == name) at = i; next } { print $at }' "$1"
}
# a_number JSON_KEY LOW HIGH: the first number of that name in the answer lies between.
a_number() { awk -F'[:,]' -v key="\"$1\"" -v low="$2" -v high="$3" '$1 ~ key { ok = $2 >= low && $2 <= high; exit } END { exit !ok }' stdout; }

# --- photoz -------------------------------------------------------------------------------------------------------------
works "simulate a survey" "$d16" simulate survey --data "$shared" --count 300 --format none --out survey
check "the catalogue has measured sizes" grep -aq "F444W_RHALF" survey/catalog.fits
works "photoz with everything" photoz --catalog survey/catalog.fits --out z.fits --cuts --least-size 0.045 --pdf pz.fits --report z.html
check "each cut has its count" test "$(grep -c '^cut ' stdout)" = 8
check "it is said to be simulated" grep -q SIMULATED stdout
check "scores against the truth by S/N" grep -q "against TRUE_Z" stdout
for words in PZTEMPL "cut P(z) width" "d16 photoz --data" TRUE_CLASS SIMUL; do check "FITS header or table has: $words" grep -aq -- "$words" z.fits; done
check "the report has its chapters" grep -q "Quality cuts" z.html
works "info reads it" "$d16" info z.fits
check "columns have comments" grep -q "z_l68" stdout
works "as CSV, one thread" photoz --catalog survey/catalog.fits --out z1.csv --threads 1
works "as CSV, two threads" photoz --catalog survey/catalog.fits --out z2.csv --threads 2
check "threads do not change results" cmp z1.csv z2.csv
check "a row for each" test "$(tail -n +2 z1.csv | wc -l)" = 300
check "the interval holds the median" awk -F, '{ if (!($1 <= $2 && $2 <= $3)) exit 1 }' <(paste -d, <(column z1.csv z_l68) <(column z1.csv z_m) <(column z1.csv z_u68))
works "the scores as JSON" photoz --catalog survey/catalog.fits --out z.csv --json
check "scatter of the simulated survey" a_number sigma_nmad 0.02 0.2
works "dust" photoz --catalog survey/catalog.fits --out z.csv --dust 0,1 --json
check "dust doubles the templates" a_number templates 38 38
check "galaxy and dwarf: the models have all bands, and chi2 is that of all" \
  awk -F, '$1 != "" { d = $1 - $2; if (d * d > 1e-4 * (1 + $1) * (1 + $1)) exit 1 }' <(paste -d, <(column z1.csv chi2) <(column z1.csv chi2_z_bd))
works "no redshifts below 4" photoz --catalog survey/catalog.fits --out high.csv --cuts --z-min 5
check "the cut of low solutions is said not to be applied" grep -q "^cut low solution: not applied" stdout
check "no chi2_low is infinite" test "$(column high.csv chi2_low | grep -ci inf)" = 0

header=id
for b in F090W F115W F150W F200W F277W F356W F444W; do header+=,$b,${b}_err; done
{
  echo "$header"
  echo "1,1,1,2,1,3,1,40,2,60,2,80,2,90,2"
  echo "2,,,,,,,,,,,,,90,2"
  echo "3,nan,1,nan,1,nan,1,nan,1,nan,1,nan,1,nan,1"
  echo "4,-1,1,-2,1,-3,1,-4,2,-6,2,-8,2,-9,2"
} >four.csv
works "rows that say nothing" photoz --catalog four.csv --out four-z.csv
check "no redshift, and a flag" test "$(column four-z.csv photoz_flags | tail -3 | tr '\n' ' ')" = "5 5 2 "
check "their z_a is empty" test "$(column four-z.csv z_a | tail -3 | tr -d '\n')" = ""
works "bands in any order" photoz --catalog four.csv --bands F444W,F277W,F115W,F200W --out order.csv --json
check "bands go by wavelength" test "$(tr -d ' \n' <stdout | grep -o '"bands":[^]]*]')" = '"bands":["F115W","F200W","F277W","F444W"]'
sed '1s/F356W/F360M/g' four.csv >medium.csv
works "F360M is a band of NIRCam" photoz --catalog medium.csv --out medium-z.csv --json
check "F360M has its place" test "$(tr -d ' \n' <stdout | grep -o '"F277W","F360M","F444W"')" != ""
sed 's/,\([0-9.-]*\)/,\1/g' four.csv | awk -F, 'BEGIN { OFS = "," } NR > 1 { for (i = 2; i <= NF; ++i) if ($i != "" && $i != "nan") $i = $i * 1024 } 1' >scaled.csv
works "other units" photoz --catalog scaled.csv --out scaled-z.csv
check "the redshift does not depend on the unit" test "$(column scaled-z.csv z_m | head -1)" = "$(column four-z.csv z_m | head -1)"

hdfn=$shared/sed_templates_eazy/inputs/hdfn_fs99_eazy.cat
if [[ -f $hdfn ]]; then
  works "HDF-N, real galaxies, with a prior" photoz --catalog "$hdfn" --passbands "$passbands" --templates fsps --z-max 7 --out hdfn.fits --json \
    --unit uJy --prior "$shared/sed_templates_eazy/templates/prior_F160W_TAO.dat" --prior-band irimh
  check "HDF-N: scatter" a_number sigma_nmad 0.02 0.07
  check "HDF-N: outliers" a_number outlier_fraction 0 0.2
  check "HDF-N: filters are said to be approximated" grep -q "APPROXIMATE FILTERS" stdout
  for words in "APPROXIMATE top hats" prior_F160W_TAO; do check "HDF-N: in the header too: $words" grep -aq "$words" hdfn.fits; done
  fails "a prior of another band" 1 F444W no.fits photoz --catalog "$hdfn" --passbands "$passbands" --out no.fits --prior "$hdfn" --prior-band F444W
else
  skip "HDF-N" "no hdfn_fs99_eazy.cat"
fi

# --- cluster ------------------------------------------------------------------------------------------------------------
works "cluster a survey" cluster --catalog z.fits --redshift TRUE_Z --out map --iterations 150 --trees 30
check "cluster: files" test "$(ls -A map | tr '\n' ' ')" = "catalog.fits report.html tsne_bins.png tsne_clusters.png tsne_confusion.png tsne_redshift.png "
check "cluster: circular, and it says so" grep -q "circular" stdout
check "cluster: the report says so too" grep -q "circular" map/report.html
check "cluster: columns" grep -aq "cluster_forest" map/catalog.fits
works "cluster again, one thread" cluster --catalog z.fits --redshift TRUE_Z --out map1 --iterations 150 --trees 30 --threads 1
check "cluster: threads do not change the map" cmp map/tsne_clusters.png map1/tsne_clusters.png
works "only sound rows, their map by all pairs" cluster --catalog z.fits --sound --out sound --iterations 100 --perplexity 5 --device reference
check "cuts are counted" grep -q "fail the quality cuts" stdout
fails "too few rows for the perplexity" 1 perplexity few cluster --catalog four.csv --out few
fails "no such redshift" 1 z_nowhere few cluster --catalog z.fits --redshift z_nowhere --out few
awk 'BEGIN {
  srand(1)
  print "id,ra,dec,F115W,F115W_err,F150W,F150W_err,F277W,F277W_err,mostly,other,z,label"
  for (i = 1; i <= 200; ++i)
    printf "%d,%s,0,%.3f,1,,,%.3f,1,%d,%.4f,%d.5,%s\n", i, i == 1 ? "359.999999" : i, 10 + 50 * rand(), 20 + 30 * rand(), i % 3 ? 0 : i, rand(), i % 13, i % 2 ? "disk" : "other"
}' >plain.csv
echo "ra,dec,partner" >places.csv && echo "0.000001,0,yes" >>places.csv
quickly() { cluster --perplexity 10 --iterations 60 --trees 10 "$@"; }
works "a band without any value" quickly --catalog plain.csv --out gap
check "that band is left out" grep -q "band F150W has no flux with an error and is left out" stdout
works "a column that is mostly one value, labels beyond z = 8, a place across 0 hours" quickly --catalog plain.csv --columns mostly,other \
  --label label --positive disk --match places.csv --within 0.3 --out mostly
check "both columns are taken" grep -q "200 rows, 2 features" stdout
check "the label is shown up to z = 13" grep -q "12 - 13" mostly/report.html
check "the place is found" grep -q "1 of 200 rows have a partner within 0.3 arcsec" stdout
awk 'BEGIN { # two groups, and four rows far from both
  print "id,a,b,z"
  for (i = 0; i < 200; ++i) printf "%d,%.4f,%.4f,\n", i, i % 2 + 0.02 * sin(3 * i), i % 2 + 0.02 * sin(7 * i + 1)
  print "200,-1,2,1\n201,2,-1,8\n202,-1,0.5,1\n203,0.5,-1,8"
}' >strays.csv
works "no row of a cluster has a redshift" quickly --catalog strays.csv --columns a,b --min-cluster 30 --out strays
check "there are two clusters" grep -q ", 2 clusters," stdout
fails "--min-snr without photometry" 1 min-snr few quickly --catalog plain.csv --columns mostly,other --min-snr 3 --out few
ceers=$shared/ceers_epochs_morphology
if [[ -d $ceers ]]; then
  works "CEERS, real galaxies" cluster --catalog "$ceers/morphology_morfometryka.csv" --columns C1,C2,A0,A3,S3,G,M20,H,nFit1D,qFit2D --out ceers \
    --join "$ceers/aggregated_classifications.csv" --key unique_id --label class --positive disk --confident confident \
    --match "$shared/nircam_filters_jades_seds/configs/DJA_spectral_catalogues/DJA_v2.csv" --where grade=3 --redshift z --limit 2000 --iterations 100 --trees 30 --json
  check "CEERS: AUC of visual disks" a_number auc 0.75 0.95
  check "CEERS: fraction of disks against redshift" grep -q "Fraction of disk" ceers/report.html
  check "CEERS: a map of the label" test -s ceers/tsne_label.png
else
  skip "CEERS" "no ceers_epochs_morphology"
fi

# --- separator ----------------------------------------------------------------------------------------------------------
works "train a separator" "$d16" train separator --data "$shared" --catalog survey/catalog.fits --out separator.json --count 3000 --rounds 60
check "separator: both classes are judged" test "$(grep -c 'recall' stdout)" = 4
works "separate" "$d16" separate --catalog survey/catalog.fits --weights separator.json --out classes.csv
check "separator: brown dwarfs of the survey are found" awk '/by trees: recall/ { sub(",", "", $8); ok = $8 > 0.6 } END { exit !ok }' stdout
check "separator: probabilities sum to 1 or are missing" awk -F, '{ s = $1 + $2; if ($1 != "" && (s < 0.9999 || s > 1.0001)) exit 1 }' <(paste -d, <(column classes.csv p_galaxy) <(column classes.csv p_brown_dwarf))
works "other frequencies" "$d16" separate --catalog survey/catalog.fits --weights separator.json --out rare.csv --prior 100,1
check "rare dwarfs are called less often" test "$(grep -c ',brown_dwarf,' rare.csv)" -lt "$(grep -c ',brown_dwarf,' classes.csv)"
for prior in 0,0 -1,2 1; do
  fails "frequencies that are none: $prior" 1 "prior frequencies" bad.csv "$d16" separate --catalog survey/catalog.fits --weights separator.json --out bad.csv "--prior=$prior"
done
fails "separate: no gzip is written" 1 classes.fits.gz classes.fits.gz "$d16" separate --catalog survey/catalog.fits --weights separator.json --out classes.fits.gz
works "bands in small letters" "$d16" train separator --data "$shared" --catalog survey/catalog.fits --out small.json --count 600 --rounds 5 --bands f444w,f277w,f115w
works "separate by them" "$d16" separate --catalog survey/catalog.fits --weights small.json --out small.csv
check "the colour cut is the same" cmp <(column small.csv bd_colour_cut) <(column classes.csv bd_colour_cut)
{
  echo "F090W,F115W,F150W,F200W,F277W,F356W,F444W"
  for i in $(seq 1 20); do echo "$((900 + i)),800,600,400,250,160,110"; done
} >stars.csv
works "a library of one's own" "$d16" train separator --data "$shared" --catalog survey/catalog.fits --out three.json --count 1500 --rounds 20 --library star=stars.csv
check "its score is not claimed" grep -q "star: not claimed" stdout

# --- hostile ------------------------------------------------------------------------------------------------------------
head -c 9000 survey/catalog.fits >cut.fits
head -c 9000 /dev/urandom >noise.fits
: >empty.cat
echo "id,mass" >nofluxes.csv && echo "1,2" >>nofluxes.csv
printf '# id f_f300w\n1\n' >short.cat
sed 's/40,2/forty,2/' four.csv >words.csv
for file in cut.fits noise.fits empty.cat nofluxes.csv short.cat words.csv missing.fits; do
  fails "hostile: photoz $file" 1 "$file" bad.fits photoz --catalog "$file" --out bad.fits
  fails "hostile: cluster $file" 1 "$file" bad cluster --catalog "$file" --out bad
done
fails "no such band" 1 F770W bad.fits photoz --catalog four.csv --bands F444W,F770W --out bad.fits
fails "no such templates" 1 nowhere bad.fits photoz --catalog four.csv --templates nowhere --out bad.fits
fails "no data" 1 void bad.fits "$d16" photoz --data void --catalog four.csv --out bad.fits
fails "an output that is none" 1 results.txt results.txt photoz --catalog four.csv --out results.txt
fails "no gzip is written" 1 z.fits.gz z.fits.gz photoz --catalog four.csv --out z.fits.gz
fails "weights of something else" 1 four.csv bad.csv "$d16" separate --catalog four.csv --weights four.csv --out bad.csv
echo '{"format": "d16 separator", "version": 1, "bands": []}' >half.json
fails "half a separator" 1 half.json bad.csv "$d16" separate --catalog four.csv --weights half.json --out bad.csv
echo "band,pivot,width" >bad-bands.csv && echo "F444W,44000,-1" >>bad-bands.csv
fails "a width that is none" 1 bad-bands.csv bad.fits photoz --catalog four.csv --passbands bad-bands.csv --out bad.fits
small() { (ulimit -f 8 && "$@"); } # files of at most 8 KiB
fails "file too large" 1 new.fits new.fits small "$d16" photoz --data "$shared" --catalog survey/catalog.fits --out new.fits

echo "catalogue_cli_test: $passed passed, $failed failed, $skipped skipped"
((failed == 0))
