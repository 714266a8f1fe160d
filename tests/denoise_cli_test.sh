#!/usr/bin/env bash
# Tests of d16 train denoise, evaluate and denoise with all that denoisers may be told, on small simulated pictures.
#   tests/denoise_cli_test.sh [PROGRAM]      default: build/bin/d16
# An error must be one line on stderr that names the file, exit code 1, and leave nothing behind.
set -u
cd "$(dirname "$0")/.." || exit
d16=$(realpath -- "${1:-build/bin/d16}") || exit 1
[[ -x $d16 ]] || { echo "denoise_cli_test.sh: $d16: no such program; build it first" >&2 && exit 1; }

# shellcheck source=tests/cli.bash
source "$PWD/tests/cli.bash"

works "simulate pictures" "$d16" simulate --out pictures --count 60 --size 32 --seed 7 --format png
works "simulate light" "$d16" simulate --out field --count 3 --size 48 --seed 8
tiny=(--data pictures --size 32 --crop 32 --seed 3 --batch 16 --epochs 1 --widths "2,4" --latent 2)

# --- training ---------------------------------------------------------------------------------------------------------
works "one band" "$d16" train denoise "${tiny[@]}" --channels 1 --anneal 2 --out grey.safetensors
works "info of it" "$d16" info grey.safetensors --json
for words in '"variance": true' '"blend": true' '"channels": 1' '"softness": 5' '"least_re_over_fwhm": 0.6' '"scale95"' '"teacher": "clean"'; do
  check "the weights say $words" grep -q "$words" stdout
done
works "Gaussian likelihood, masked, all drawn, no mean of the weights" "$d16" train denoise "${tiny[@]}" --loss gaussian --masked --snr 5,20 --form plain --average 0 --out gaussian.safetensors
# Pictures of 32 x 32 white pixels: what there is to learn is the dark around them, once they are smaller.
white=iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAAAAABWESUoAAAAFklEQVR42mP4TwAwjCoYVTCqYKQqAAA/aPwuqUTQyAAAAABJRU5ErkJggg==
mkdir white && for i in {01..60}; do base64 -d <<<"$white" >"white/white_$i.png"; done
works "masked, all is white" "$d16" train denoise "${tiny[@]:2}" --data white --masked --beta 0 --sharpness 0.6,0.6 --out white.safetensors
check "the mask is as small as the picture" grep -q '"loss":[0-9.e-]*[1-9]' white.training/log.jsonl
works "Noise2Self" "$d16" train denoise "${tiny[@]}" --channels 1 --self-supervised noise2self --contaminants none --out n2s.safetensors
works "Noise2Noise" "$d16" train denoise "${tiny[@]}" --channels 1 --self-supervised noise2noise --contaminants none --out n2n.safetensors
check "Noise2Noise and Noise2Self are two things" test "$(grep '^| this' n2s.md)" != "$(grep '^| this' n2n.md)"
fails "masks are for clean targets" 1 "--masked" x.safetensors "$d16" train denoise "${tiny[@]}" --masked --self-supervised noise2self --out x.safetensors
fails "bounds in the wrong order" 1 "the least comes first" x.safetensors "$d16" train denoise "${tiny[@]}" --snr 9,3 --out x.safetensors
fails "two channels" 2 "--channels" x.safetensors "$d16" train denoise "${tiny[@]}" --channels 2 --out x.safetensors

# --- evaluation -------------------------------------------------------------------------------------------------------
works "evaluate against another" "$d16" evaluate --weights grey.safetensors --against n2s.safetensors --data pictures
for words in "Gaussian filter, sigma" "median filter," "non-local means, h" "wavelets (BayesShrink)" "| grey.safetensors" "| n2s.safetensors" "| clean" "segment PSNR" "| power taken away" "| bias of | R_e" "Gini | M20"; do
  check "the table has $words" grep -qF -- "$words" stdout
done
works "evaluate --uncertainty" "$d16" evaluate --weights grey.safetensors --data pictures --uncertainty
check "coverage: it holds or says loudly that it does not" grep -qiE "Frame: (all within|not within) 5 points" stdout
works "evaluate the uncertainty of an ensemble" "$d16" evaluate --weights grey.safetensors,n2n.safetensors --data pictures --uncertainty --json
check "coverage in JSON" grep -q '"frame_within_5_points"' stdout
fails "an ensemble of two kinds" 1 gaussian.safetensors clean "$d16" denoise --weights grey.safetensors,gaussian.safetensors --input field --out clean
fails "another number of channels" 1 gaussian.safetensors - "$d16" evaluate --weights grey.safetensors --against gaussian.safetensors --data pictures

# --- images of telescopes ---------------------------------------------------------------------------------------------
works "denoise bands one by one" "$d16" denoise --weights grey.safetensors --input field --out clean
for words in _STD D16STRET D16SKY D16SIG D16WHITE D16SOFT nJy; do
  check "the FITS file has $words" grep -aq "$words" clean/sim_00001.fits
done
works "denoised images are images with errors, an ensemble denoises them" "$d16" denoise --weights grey.safetensors,n2n.safetensors --input clean --out twice
check "the FITS file names both" grep -aq "denoiser n2n.safetensors" twice/sim_00001.fits
works "denoise three bands at once" "$d16" denoise --weights gaussian.safetensors --input field --out colours

# --- the size of the papers: 256 x 256 x 3 ----------------------------------------------------------------------------
works "simulate 256 x 256 x 3" "$d16" simulate --out large --count 18 --size 256 --seed 7 --format png
works "a step or two at 256 x 256 x 3" "$d16" train denoise --data large --size 256 --crop 256 --batch 4 --epochs 1 --widths 4,8,8 --latent 2 --out large.safetensors
check "its input is 256 x 256 x 3" grep -q '"size":256,"channels":3' large.md
mkdir one && cp large/sim_00001.png one
works "one picture of that size" "$d16" denoise --weights large.safetensors --input one --out large-clean
check "it comes back as large" grep -q "256" <("$d16" info large-clean/sim_00001.png)

echo "denoise_cli_test: $passed passed, $failed failed, $skipped skipped"
((failed == 0))
