#!/usr/bin/env python3
"""Times scikit-image's HOG, beside d16's when the program bench_hog is given: processor time on one core.

Run: python bench/peers/peer_hog.py [build/bin/bench_hog] [--rounds N]   (needs numpy, scikit-image)
The two take turns; a time is the median over the rounds. Default options of skimage.feature.hog, uniform noise.
"""
import argparse
import json
import os
import statistics
import subprocess
import time

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import numpy as np  # noqa: E402  (after the affinity, so that its threads keep to the one core)
import skimage  # noqa: E402
from skimage.feature import hog  # noqa: E402

SIZES = [(64, 1), (128, 1), (256, 1), (64, 7)]  # side, channels: those of bench/hog.cpp


def skimage_ms(size, channels, seconds=0.3):
    shape = (size, size) if channels == 1 else (size, size, channels)
    image = np.random.default_rng(1).random(shape).astype(np.float32)
    axis = None if channels == 1 else 2
    times = []
    while sum(times) < seconds or len(times) < 3:
        start = time.process_time()
        hog(image, channel_axis=axis)
        times.append(time.process_time() - start)
    return 1e3 * statistics.median(times)


def d16_ms(program):
    output = subprocess.run([program, "--benchmark_format=json", "--benchmark_min_time=0.3"], check=True, capture_output=True)
    return {run["name"]: run["cpu_time"] for run in json.loads(output.stdout)["benchmarks"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", nargs="?", help="bench_hog")
    parser.add_argument("--rounds", type=int, default=5)
    o = parser.parse_args()
    theirs, ours = {key: [] for key in SIZES}, {key: [] for key in SIZES}
    for _ in range(o.rounds):
        times = d16_ms(o.program) if o.program else {}
        for size, channels in SIZES:
            theirs[size, channels].append(skimage_ms(size, channels))
            name = f"hog/size:{size}/channels:{channels}"
            if name in times:
                ours[size, channels].append(times[name])
    print(f"scikit-image {skimage.__version__}, numpy {np.__version__}, one core, medians of {o.rounds} rounds")
    for (size, channels), times in theirs.items():
        line = f"{size}x{size}x{channels}: scikit-image {statistics.median(times):.3f} ms"
        if ours[size, channels]:
            own = statistics.median(ours[size, channels])
            line += f", d16 {own:.4f} ms, {statistics.median(times) / own:.0f} times faster"
        print(line)


if __name__ == "__main__":
    main()
