#!/usr/bin/env bash
# Makes the weights of denoiser and disk classifier in weights/ again: train_weights.sh FOLDER CUTOUTS
# FOLDER has images/ and labels.csv of Galaxy Zoo pictures (columns objid, class), CUTOUTS has galaxies of a telescope
# that the measure of the unlike is tried on. Each of the six trainings takes at most 20 minutes on one core. The model
# cards are written too.
set -euo pipefail
(($# == 2)) || { sed -n '2,5s/^# \?//p' "$0" >&2 && exit 2; }
root=$(dirname "$0")/..
data=$(realpath --relative-to="$root" -- "$1") cutouts=$(realpath --relative-to="$root" -- "$2")
cd "$root"

scripts/install.sh demo
cmake --preset cpu --log-level=WARNING
cmake --build build --target d16
build/bin/d16 train disk --data "$data/images" --labels "$data/labels.csv" --out weights/disk.safetensors \
  --group D8 --first-stride 2 --kinds --epochs 48 --batch 32 --lr 2e-3 --threads 1 --cross-validate
build/bin/d16 train denoise --channels 1 --data "$data/images" --labels "$data/labels.csv" --out weights/denoise.safetensors \
  --epochs 16 --threads 1 --widths 8,16,32,64 --batch 16 --lr 4e-3 --anneal 2
build/bin/d16 train calibration --weights weights/disk.safetensors --denoiser weights/denoise.safetensors \
  --data "$data/images" --labels "$data/labels.csv" --out weights/disk.safetensors --pictures 20000
build/bin/d16 train ood --weights weights/disk.safetensors --data "$data/images" --labels "$data/labels.csv" \
  --outliers "$cutouts" --out weights/disk.ood.safetensors
