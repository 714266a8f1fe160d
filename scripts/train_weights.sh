#!/usr/bin/env bash
# Makes the weights in weights/ again: train_weights.sh FOLDER, with images/ and labels.csv of Galaxy Zoo pictures in it
# (columns objid, class). Each of the trainings takes at most 20 minutes on two cores. The model cards are written too.
set -euo pipefail
(($# == 1)) || { sed -n '2,3s/^# \?//p' "$0" >&2 && exit 2; }
data=$(realpath --relative-to="$(dirname "$0")/.." -- "$1")
cd "$(dirname "$0")/.."

scripts/install.sh demo
cmake --preset cpu --log-level=WARNING
cmake --build build --target d16
build/bin/d16 train disk --data "$data/images" --labels "$data/labels.csv" --out weights/disk.safetensors \
  --group D8 --first-stride 2 --epochs 48 --batch 32 --lr 2e-3
build/bin/d16 train denoise --channels 1 --data "$data/images" --labels "$data/labels.csv" --out weights/denoise.safetensors \
  --epochs 16 --threads 1 --widths 8,16,32,64 --batch 16 --lr 4e-3 --anneal 2
build/bin/d16 train calibration --weights weights/disk.safetensors --denoiser weights/denoise.safetensors \
  --data "$data/images" --labels "$data/labels.csv" --out weights/disk.safetensors --pictures 20000
build/bin/d16 train ood --weights weights/disk.safetensors --data "$data/images" --labels "$data/labels.csv" \
  --out weights/disk.ood.safetensors
