#!/usr/bin/env bash
# Tests of d16 measure and of what d16 run does with catalogues and mosaics.
#   tests/measure_cli_test.sh [PROGRAM]      default: build/bin/d16
# Weights are those of the program, or of D16_WEIGHTS; exit status 77 (skipped) without them. Parts that need
# ../shared/data are skipped, with a message, where it is not there.
set -u
cd "$(dirname "$0")/.." || exit
d16=$(realpath -- "${1:-build/bin/d16}") || exit 1
[[ -x $d16 ]] || { echo "measure_cli_test.sh: $d16: no such program; build it first" >&2 && exit 1; }
shared=$(realpath -m ../shared/data)
weights=$(realpath -m "${D16_WEIGHTS:-weights}")
[[ -f $weights/cas.json ]] || { echo "skipped: there is no $weights/cas.json; d16 train cas makes it" && exit 77; }
export D16_WEIGHTS=$weights

# shellcheck source=tests/cli.bash
source "$PWD/tests/cli.bash"

# column FILE NAME: the values of one column of a CSV.
column() {
  sed -E ':a; s/("[^",]*),([^"]*")/\1;\2/; ta' "$1" | awk -F, -v name="$2" 'NR == 1 { for (i = 1; i <= NF; ++i) if ($i == name) at = i; next } { print $at }'
}
# between LOW HIGH: every line is a number in that range.
between() { awk -v low="$1" -v high="$2" '!($1 >= low && $1 <= high) { bad = 1 } END { exit bad || NR == 0 }'; }

# --- d16 measure ------------------------------------------------------------------------------------------------------
works "simulate" "$d16" simulate --out field --count 4 --seed 5
works "measure" "$d16" measure --input field --out shapes.csv
check "measure: a row for each object" test "$(wc -l <shapes.csv)" = 5
column shapes.csv gini | grep . >ginis
check "measure: Gini of most objects" test "$(wc -l <ginis)" -ge 2
check "measure: Gini is between 0 and 1" between 0 1 <ginis
works "measure into FITS" "$d16" measure --input field --out shapes.fits --no-fit
works "info reads it" "$d16" info shapes.fits
check "measure: units" grep -q 'r50 \[arcsec\]' stdout
check "measure: UCDs" grep -qa "TUCD1   = 'meta.id;meta.main'" shapes.fits
check "measure: sha256 of the forest" grep -qa "D16SHA1 = '$(sha256sum "$weights/cas.json" | cut -c1-20)" shapes.fits
fails "measure: unknown kind of catalogue" 1 shapes.txt shapes.txt "$d16" measure --input field --out shapes.txt
fails "measure: a bad pixel scale" 1 "--pixscale" - "$d16" measure --input field --out x.csv --pixscale wide
fails "measure: no such forest" 1 none.json x.csv "$d16" measure --input field --out x.csv --forest none.json
fails "measure: a file that is no forest" 1 field x.csv "$d16" measure --input field --out x.csv --forest field/truth.csv

# --- what flags are for ---------------------------------------------------------------------------------------------------
# picture FILE FORMULA [SKY] [CARD...]: a FITS image of 81x81 bytes, SKY + what awk makes of x and y, both 0 in the middle.
picture() {
  local file=$1 formula=$2 sky=${3:-50 + 8 * rand()}
  local cards=("SIMPLE  =                    T" "BITPIX  =                    8" "NAXIS   =                    2"
    "NAXIS1  =                   81" "NAXIS2  =                   81" "${@:4}" END)
  {
    printf '%-80s' "${cards[@]}"
    printf "%$((2880 - 80 * ${#cards[@]}))s" ''
    LC_ALL=C awk 'BEGIN { srand(3)
      for (i = 0; i < 81; ++i) for (j = 0; j < 81; ++j) {
        x = j - 40; y = i - 40; printf "%c", '"$sky"' + ('"$formula"') }
      for (i = 0; i < 2559; ++i) printf "%c", 1 }'
  } >"$file"
}
has_flag() { awk -v flag="$1" '{ bad = bad || int($1 / flag) % 2 == 0 } END { exit bad || NR == 0 }'; }
mkdir flags
picture flags/arc.fits '150 * exp(-(sqrt(x * x + (y + 25) ^ 2) - 25) ^ 2 / 4) * (y > -12)'
picture flags/line.fits '150 * exp(-y * y / 4) * (x > -21 && x < 21)'
picture flags/bcg.fits '60 * exp(-(x * x + y * y) / 6) + 120 * exp(-((x - 28) ^ 2 + y * y) / 160)'
works "measure what flags are for" "$d16" measure --input flags --out flags.csv
of() { column flags.csv shape_flags | sed -n "$1p"; }  # sorted by name: arc, bcg, line
check "an arc" has_flag 4096 < <(of 1)
check "a straight line is none" sh -c "! [ $(($(of 3) / 4096 % 2)) = 1 ]"
check "near a galaxy with 20 times its light" has_flag 2048 < <(of 2)
check "an arc is not" test $(($(of 1) / 2048 % 2)) = 0

# --- where there is nothing -------------------------------------------------------------------------------------------
galaxy='90 * exp(-(x * x + y * y) / 18)'
mkdir places
for what in "empty 0" "full $galaxy"; do
  picture "places/${what%% *}.fits" "${what#* }" "" "CTYPE1  = 'RA---TAN'" "CTYPE2  = 'DEC--TAN'" \
    "CRPIX1  = 41" "CRPIX2  = 41" "CRVAL1  = 53.1" "CRVAL2  = -27.8" "CDELT1  = -1e-05" "CDELT2  = 1e-05"
done
works "measure an empty cutout" "$d16" measure --input places --out places.csv
check "what is not found is nowhere" test -z "$(column places.csv ra | head -1)$(column places.csv dec | head -1)"
check "what is found is there" between 53.0999 53.1001 < <(column places.csv ra | tail -1)

# --- light on one side goes to the neighbours, and its noise with it ----------------------------------------------------
mkdir one_sided
picture one_sided/a_F444W_sci.fits "$galaxy + 20 * exp(-((x - 28) ^ 2 + y * y) / 18)"
picture one_sided/a_F444W_seg.fits 'x * x + y * y < 144 || (x - 28) ^ 2 + y * y < 64' 0
works "measure light on one side" "$d16" measure --input one_sided --out one_sided.csv
check "it is cut off" has_flag 4 < <(column one_sided.csv shape_flags)
check "snr_seg is flux_seg over its error" between 0.999 1.001 < <(
  paste <(column one_sided.csv flux_seg) <(column one_sided.csv flux_seg_err) <(column one_sided.csv snr_seg) |
    awk '{ print $1 / $2 / $3 }')
# 437 pixels of noise 8 / sqrt(12); with the light on one side 630
check "flux_seg_err is of what is left" between 46 51 < <(column one_sided.csv flux_seg_err)

# --- PSFs and filters -----------------------------------------------------------------------------------------------------
mkdir widths sharp space
for band in F090W F115W F150W F200W F444W; do picture "widths/${band}_${band}_sci.fits" "$galaxy"; done
works "measure with PSFs of a pixel" "$d16" measure --input widths --out widths.csv --pixscale 0.03
check "a narrow PSF: all are measured" test "$(column widths.csv sersic_n | grep -c .)" = 5
check "its width is that of the telescope" between 0.98 1.02 < <(
  paste -d' ' <(column widths.csv psf_fwhm) <(printf '%s\n' 0.9 1.15 1.5 2 4.44) | awk '{ print $1 / $2 / 0.0317 }')
picture sharp/a_F150W_sci.fits "$galaxy"
picture sharp/a_F150W_psf.fits '200 * exp(-(x * x + y * y) / 0.52)' 0  # 1.2 pixels wide in their middles
works "measure with a sharp PSF" "$d16" measure --input sharp --out sharp.csv --pixscale 0.03
check "a sharp PSF has a width" between 0.027 0.037 < <(column sharp.csv psf_fwhm)
for band in F606W F814W F160W; do picture "space/hubble_${band}_sci.fits" "$galaxy"; done
for band in F560W F770W F1000W; do picture "space/miri_${band}_sci.fits" "$galaxy"; done
for band in F158M F200W F380M; do picture "space/niriss_${band}_sci.fits" "$galaxy"; done
for band in F814W F115W F770W; do picture "space/several_${band}_sci.fits" "$galaxy"; done
printf 'id,z\nhubble,\nmiri,1\nniriss,\nseveral,0.5\n' >space.csv
works "run on other telescopes" "$d16" run --input space --catalog space.csv --out others --no-errors --pixscale 0.06
check "other telescopes keep three bands" test "$(column others/catalog.csv bands | tr -d '"' | head -2 | tr '\n' ' ')" = \
  "F160W;F814W;F606W F1000W;F770W;F560W "
check "their PSF is not known" test -z "$(column others/catalog.csv psf_fwhm | head -2)"
check "and flagged" has_flag 512 < <(column others/catalog.csv shape_flags | head -2)
check "F560W is 5.6 um" between 2.799 2.801 < <(column others/catalog.csv lambda_rest | sed -n 2p)
check "F380M is red" grep -q '^niriss,.*F380M,F200W,F158M' others/catalog.csv
check "of several telescopes NIRCam's band" grep -q '^several,.*F115W,F115W,F115W' others/catalog.csv

# --- a catalogue ------------------------------------------------------------------------------------------------------
printf 'id,mu,v_sigma,name,z_spec\nsim_00002,1.25,210,b,0.5\nnothing,1,,x,\nsim_00004,7.5,,a,-99\n' >sources.csv
works "run with a catalogue" "$d16" run --input field --catalog sources.csv --out withcat --prior 0.5 --purity 0.9 --images
check "its columns first, in its order" sh -c "head -1 withcat/catalog.csv | grep -q '^id,mu,v_sigma,name,z_spec,file,'"
check "its rows, in its order" test "$(column withcat/catalog.csv id | tr '\n' ' ')" = "sim_00002 nothing sim_00004 "
check "mu and v_sigma are carried through" test "$(column withcat/catalog.csv mu | tr '\n' ' ')" = "1.25 1 7.5 "
check "a row without a cutout is flagged" grep -q '^nothing,.*no cutout of this name' withcat/catalog.csv
check "the FITS catalogue has the same columns" sh -c "'$d16' info withcat/catalog.fits | grep -q v_sigma"
check "regions" grep -q '^circle(' withcat/catalog.reg
check "products of the two that were read" test "$(find withcat/denoised -name '*.fits' | wc -l)" = 2
works "info reads a product" "$d16" info withcat/denoised/sim_00002.fits
for plane in SCI ERR DENOISED STD RESID_SIGMA MASK; do check "product: $plane" grep -q "$plane" stdout; done
cp withcat/catalog.fits again.fits
works "a FITS catalogue is copied" "$d16" run --input field --catalog again.fits --out again
check "names that are taken get _d16" sh -c "'$d16' info again/catalog.fits | grep -q p_disk_d16"
works "its own catalogue again" "$d16" run --input field --catalog again/catalog.fits --out thrice --seed 9
for key in D16SEED ORIGIN D16SHA1; do
  check "one card $key, of this run" test "$(grep -ao "^$key *=\|$key *= " thrice/catalog.fits | wc -l)" = 1
done
check "the seed of this run" grep -aq 'D16SEED = *9 ' thrice/catalog.fits
sed 's/trained for minutes/trained for mimutes/' "$weights/denoise.safetensors" >other.safetensors
works "another denoiser" "$d16" run --input field --out other --denoiser other.safetensors --no-errors
check "curves of another denoiser are left out, and it says so" grep -q 'Another denoiser than that of the curves' other/report.html
check "nothing is said of pictures denoised by it" sh -c "! grep -q 'FALSE DISKS: denoised' other/report.html"
check "curves of this denoiser are shown" sh -c "! grep -q 'Another denoiser' withcat/report.html && grep -q 'FALSE DISKS: denoised\|></i>denoised' withcat/report.html"
works "two classifiers" "$d16" run --input field/sim_00001.fits --out seeds --no-errors \
  --classifier "$weights/disk.safetensors,$weights/disk.safetensors"
check "the same twice: no spread" test "$(column seeds/catalog.csv p_err_seed)" = 0
check "without errors there are none" test -z "$(column seeds/catalog.csv p_err_orbit)"
printf 'number\n1\n' >other.csv
fails "no id of the catalogue" 1 'has an id of the catalogue' none "$d16" run --input field --catalog other.csv --out none
printf 'mu\n1\n' >noid.csv
fails "a catalogue without id" 1 noid.csv none "$d16" run --input field --catalog noid.csv --out none
fails "neither cutouts nor mosaic" 1 '--mosaic' none "$d16" run --out none
fails "a mosaic without a catalogue" 1 '--catalog' none "$d16" run --mosaic field --out none

# --- floats: cubes, tiles, and what lies beyond the data --------------------------------------------------------------------
# reals FILE SIDE PLANES FORMULA CARD...: a FITS file with these cards and planes of floats, what awk makes of x, y
# (both 0 in the middle), k (of the plane) and noise() with sigma 1. With HDU=XTENSION it is added to the file.
reals() {
  local file=$1 n=$2 planes=$3 formula=$4 first="SIMPLE  =                    T" axes=2
  shift 4
  if [[ ${HDU:-} == XTENSION ]]; then first="XTENSION= 'IMAGE   '"; else : >"$file"; fi
  ((planes > 1)) && axes=3
  local cards=("$first" "BITPIX  =                  -32" "NAXIS   = $axes" "NAXIS1  = $n" "NAXIS2  = $n")
  ((planes > 1)) && cards+=("NAXIS3  = $planes")
  [[ ${HDU:-} == XTENSION ]] && cards+=("PCOUNT  = 0" "GCOUNT  = 1")
  {
    for card in "${cards[@]}" "$@" END; do printf '%-80s' "$card"; done
    printf "%$(((2880 - 80 * (${#cards[@]} + $# + 1) % 2880) % 2880))s" ''
    LC_ALL=C awk -v n="$n" -v planes="$planes" '
      function noise() { return sqrt(-2 * log(1 - rand())) * cos(6.2831853 * rand()) }
      function put(v, s, e) {
        if (v == 0) { printf "%c%c%c%c", 0, 0, 0, 0; return }
        s = v < 0 ? 128 : 0; if (v < 0) v = -v
        for (e = 127; v >= 2; ++e) v /= 2
        for (; v < 1; --e) v *= 2
        v = int((v - 1) * 8388608)
        printf "%c%c%c%c", s + int(e / 2), e % 2 * 128 + int(v / 65536), int(v / 256) % 256, v % 256
      }
      BEGIN { srand(5)
        for (k = 0; k < planes; ++k) for (i = 0; i < n; ++i) for (j = 0; j < n; ++j) {
          x = j - (n - 1) / 2; y = i - (n - 1) / 2; put('"$formula"') }
        for (i = 4 * n * n * planes; i % 2880; ++i) printf "%c", 0 }'
  } >>"$file"
}
flux_error() { column "$1" flux_seg_err | head -1; }
galaxy='40 * exp(-sqrt(x * x + y * y) / 3)'

mkdir cubes
reals cubes/g.fits 61 3 "$galaxy + noise()" "SIMULATD=                    T" "BAND0   = 'g'" "BAND1   = 'r'" "BAND2   = 'z'"
HDU=XTENSION reals cubes/g.fits 61 3 'k < 2 ? 0.000001 : 1' "EXTNAME = 'INVVAR'"
HDU=XTENSION reals cubes/g.fits 61 3 '7' "EXTNAME = 'MODEL'"
works "run on a cube with its weights" "$d16" run --input cubes --out cubed --no-errors
check "a cube: planes of science are bands, counted from 0" test "$(column cubed/catalog.csv bands)" = '"z;r;g"'
check "a cube: weights and models are none" test "$(column cubed/catalog.csv n_bands)" = 3
check "a cube: it is simulated" grep -q 'SIMULATED: 1 of the 1 objects' cubed/report.html
check "a cube: z has the weights of z" between 5 60 < <(flux_error cubed/catalog.csv)
mkdir shared_errors
reals shared_errors/grz.fits 61 3 "$galaxy + noise()" "BAND0   = 'g'" "BAND1   = 'r'" "BAND2   = 'z'"
HDU=XTENSION reals shared_errors/grz.fits 61 1 '50' "EXTNAME = 'ERR'"
for band in g z; do
  works "measure a cube with one error image: $band" "$d16" measure --input shared_errors --bands $band --out errors.csv --no-fit
  check "a cube: an image of errors is that of $band" between 500 5000 < <(flux_error errors.csv)
done

wcs=("CTYPE1  = 'RA---TAN'" "CTYPE2  = 'DEC--TAN'" "CRVAL1  = 150" "CRVAL2  = 2" "CD1_1   = -2.7777777777778e-05" "CD2_2   = 2.7777777777778e-05")
tile() { reals "$1" 81 1 "$2" "${wcs[@]}" "CRPIX1  = $3" "CRPIX2  = 41"; } # the place is column $3
printf 'id,ra,dec,z_spec\nthere,150,2,-1\n' >place.csv
mkdir lopsided
reals lopsided/a.fits 61 1 "90 * exp(-sqrt((x - 2) ^ 2 + y * y) / 8) + 20 * exp(-sqrt((x + 12) ^ 2 + (y - 12) ^ 2) / 9) + noise()" \
  "${wcs[@]}" "CRPIX1  = 31" "CRPIX2  = 31"
works "measure a lopsided galaxy" "$d16" measure --input lopsided --out lopsided.csv --no-fit
works "run on it" "$d16" run --input lopsided --out lopsided-out --no-errors
for name in ra dec x y; do
  check "run and measure have one $name" test "$(column lopsided.csv $name)" = "$(column lopsided-out/catalog.csv $name)"
done
mosaic() { "$d16" run --mosaic "$1" --catalog place.csv --out "$1-out" --side 5 --no-errors; }
mkdir tiles
tile tiles/a_f277w_sci.fits 'noise()' 91
tile tiles/a_f277w_err.fits '9' 91
tile tiles/a_f277w_seg.fits '0' 91
tile tiles/b_f277w_sci.fits "$galaxy + noise()" 41
tile tiles/b_f277w_err.fits '1' 41
tile tiles/b_f277w_seg.fits 'x * x + y * y < 100' 41
tile tiles/c_f277w_sci.fits 'noise()' -20
tile tiles/c_f277w_err.fits '9' -20
tile tiles/c_f277w_seg.fits '0' -20
works "tiles of one size" mosaic tiles
check "tiles: the one that covers the place is taken" test "$(column tiles-out/catalog.csv n_bands)" = 1
check "tiles: nothing is missing in it" test $(($(column tiles-out/catalog.csv flags) / 2 % 2)) = 0
check "tiles: with its own errors, in its own segment" between 16 19 < <(flux_error tiles-out/catalog.csv)
check "a redshift of -1 is none" test -z "$(column tiles-out/catalog.csv lambda_rest)"
tile tiles/d_f277w_rms.fits '9' 60
works "tiles: errors of another place" mosaic tiles
check "they are said not to be used" grep -q 'd_f277w_rms.fits: not used' stdout
reals tiles/d_f277w_rms.fits 81 1 '9'
fails "tiles: errors of any of them" 1 d_f277w_rms.fits none "$d16" run --mosaic tiles --catalog place.csv --out none

mkdir edge whole smooth sky bright
tile edge/f277w_sci.fits "x < -12 ? 0 : $galaxy + noise()" 41
tile whole/f277w_sci.fits "$galaxy + noise()" 41
tile smooth/f277w_sci.fits "x * x + y * y > 144 ? 0 : $galaxy" 41
tile sky/f277w_sci.fits "x < -12 ? 0 : 20 + $galaxy + noise()" 41
tile bright/f277w_sci.fits 'x < -12 ? 0 : 400 * exp(-sqrt(x * x + y * y) / 9) + noise()' 41
for place in edge whole smooth sky bright; do works "a mosaic: $place" mosaic $place; done
check "zeros beyond the data do not make noise less" awk -v a="$(flux_error edge-out/catalog.csv)" -v b="$(flux_error whole-out/catalog.csv)" \
  'BEGIN { exit !(a > 0.85 * b && a < 1.15 * b) }'
for place in edge sky bright; do
  check "zeros beyond the data are missing: $place" has_flag 2 < <(column $place-out/catalog.csv flags)
done
check "zeros beyond the data are not those of the sky" awk -v a="$(flux_error sky-out/catalog.csv)" -v b="$(flux_error whole-out/catalog.csv)" \
  'BEGIN { exit !(a > 0.85 * b && a < 1.15 * b) }'
check "zeros of an image without noise are its sky" test $(($(column smooth-out/catalog.csv flags) / 2 % 2)) = 0

# --- a mosaic of 6.4 GB with one galaxy, sparse on the disk --------------------------------------------------------------
side=40000 scale=1.1111111111111e-05
card() { printf '%-80s' "$1"; }
{
  card "SIMPLE  =                    T" && card "BITPIX  =                  -32" && card "NAXIS   =                    2"
  card "NAXIS1  = $side" && card "NAXIS2  = $side" && card "BUNIT   = 'MJy/sr  '"
  card "CTYPE1  = 'RA---TAN'" && card "CTYPE2  = 'DEC--TAN'" && card "CRPIX1  = 20000.5" && card "CRPIX2  = 20000.5"
  card "CRVAL1  = 53.1" && card "CRVAL2  = -27.8" && card "CD1_1   = -$scale" && card "CD2_2   = $scale" && card END
} >cards
mkdir mosaic
big=mosaic/field_f277w_sci.fits
{ cat cards && printf "%$((2880 - $(stat -c %s cards)))s" ''; } >$big
if truncate -s $((2880 + (4 * side * side + 2879) / 2880 * 2880)) $big; then
  # the first image of a simulated cutout: its 64 rows go to columns 30000 to 30063 of rows 10000 to 10063
  end=$(grep -abo 'END \{77\}' field/sim_00001.fits | sed -n 2p | cut -d: -f1)
  data=$(((end / 2880 + 1) * 2880))
  for row in $(seq 0 63); do
    dd if=field/sim_00001.fits of=$big bs=256 count=1 iflag=skip_bytes oflag=seek_bytes conv=notrunc status=none \
      skip=$((data + 256 * row)) seek=$((2880 + 4 * ((10000 + row) * side + 30000)))
  done
  # pixel (30031.5, 10031.5): in the tangent plane 10032 pixels west, 9968 south
  awk -v s=$scale 'BEGIN {
    d = 3.14159265358979 / 180; dec = -27.8 * d; xi = -10032 * s * d; eta = -9968 * s * d; below = cos(dec) - eta * sin(dec)
    printf "id,ra,dec,z_phot\nthere,%.8f,%.8f,3.9\nfar,10,10,1\n", 53.1 + atan2(xi, below) / d,
      atan2(sin(dec) + eta * cos(dec), sqrt(xi * xi + below * below)) / d }' >places.csv
  works "run on a mosaic" "$d16" run --mosaic mosaic --catalog places.csv --out cut --side 2.5 --images
  check "mosaic: the object is measured in the middle" between 28 36 < <(column cut/catalog.csv x | head -1)
  check "mosaic: band, and its wavelength at rest" between 0.56 0.57 < <(column cut/catalog.csv lambda_rest | head -1)
  check "mosaic: where there is no data" grep -q '^far,.*no mosaic has data' cut/catalog.csv
  memory=$(grep -o 'peak memory [0-9]* MiB' cut/report.html | grep -o '[0-9]*')
  check "mosaic: memory stays below 2 GiB ($memory MiB)" test "$memory" -lt 2048
  check "product has the coordinates of the frame" grep -qa 'CRVAL1  = *53.1' cut/denoised/there.fits
  gzip -c cards >mosaic/field_f277w_err.fits.gz
  fails "mosaic: compressed" 1 'unpack' none "$d16" run --mosaic mosaic --catalog places.csv --out none
else
  skip "a large mosaic" "no sparse file of 6.4 GB on this disk"
fi

# --- real data ----------------------------------------------------------------------------------------------------------
if [[ -d $shared/jwst_ceers_nircam ]]; then
  sed 's/^object/id/' "$shared/jwst_ceers_nircam/objects.csv" >six.csv
  works "measure JWST" "$d16" measure --input "$shared/jwst_ceers_nircam" --psf "$shared/jwst_ceers_nircam/psf" --out jwst.csv
  check "JWST: all six are measured" test "$(column jwst.csv gini | grep -c .)" = 6
  check "JWST: F277W" test "$(column jwst.csv band_used | sort -u)" = F277W
  check "JWST: snr_seg is flux_seg over its error" between 0.999 1.001 < <(
    paste <(column jwst.csv flux_seg) <(column jwst.csv flux_seg_err) <(column jwst.csv snr_seg) | awk '{ print $1 / $2 / $3 }')
  check "JWST: the scale is CDELT's" between 0.0399 0.0401 < <(column jwst.csv pixel_arcsec)
  works "run JWST with redshifts" "$d16" run --input "$shared/jwst_ceers_nircam" --catalog six.csv --out six
  check "JWST: rest-frame 0.55 um" between 0.4 0.9 < <(column six/catalog.csv lambda_rest)
  check "JWST: the neighbour that looks out of the halo of 10766 is masked" has_flag 512 < <(grep '^10766' six/catalog.csv |
    cat <(head -1 six/catalog.csv) - >one.csv; column one.csv flags)
  check "JWST: the band follows the redshift" test "$(column six/catalog.csv band_used | sort -u | wc -l)" -gt 1
else
  skip "JWST cutouts" "../shared/data is not there"
fi
if [[ -d $shared/kids_sdss_segmented ]]; then
  works "measure with given segments and PSFs" "$d16" measure --input "$shared/kids_sdss_segmented/inst/extdata/KiDS" --out kids.csv
  check "KiDS: measured" test "$(column kids.csv gini | grep -c .)" -ge 9
  check "KiDS: PSFs are used" test "$(column kids.csv psf_fwhm | wc -l)" -ge 9
fi

echo "measure_cli_test: $passed passed, $failed failed, $skipped skipped"
((failed == 0))
