#!/usr/bin/env python3
"""Times fits of trees: d16's bench_trees against XGBoost and scikit-learn, in turns, on the same 10,000 x 14 table.

    bench/peers/peer_trees.py [--program build/bin/bench_trees] [--rounds 5]
Prints the median of the rounds, and the accuracy on 10,000 further rows. Needs numpy, xgboost and scikit-learn.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import time

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait must not take the cores from the others

import numpy as np
import sklearn
import xgboost
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ROWS, FEATURES = 10000, 14


def table(first):
    """The rows of bench/trees.cpp, by the same hash."""
    index = np.arange(first * (FEATURES + 1), (first + ROWS) * (FEATURES + 1), dtype=np.uint64)
    z = (index + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    unit = ((z ^ (z >> np.uint64(31))) >> np.uint64(40)).astype(np.float64) * 2.0**-24
    x = (2 * unit - 1).astype(np.float32).reshape(ROWS, FEATURES + 1)
    wide = x.astype(np.float64)
    score = 2 * wide[:, 0] * wide[:, 1] + wide[:, 2] + 0.5 * wide[:, FEATURES]
    return x[:, :FEATURES].copy(), (score > -0.3).astype(int) + (score > 0.3)


def boosting(threads):
    return xgboost.XGBClassifier(n_estimators=100, max_depth=6, learning_rate=0.3, tree_method="hist", n_jobs=threads)


def histogram_boosting(threads):
    return HistGradientBoostingClassifier(max_iter=100, max_depth=6, max_leaf_nodes=None, learning_rate=0.3,
                                          min_samples_leaf=1, l2_regularization=1, early_stopping=False)


# name of our benchmark, threads -> the peers' estimators
SETTINGS = {
    ("boosted_trees", 1): {"xgboost": boosting, "scikit-learn HistGradientBoosting": histogram_boosting},
    ("boosted_trees", 2): {"xgboost": boosting, "scikit-learn HistGradientBoosting": histogram_boosting},
    ("random_forest", 1): {"scikit-learn": lambda threads: RandomForestClassifier(100, n_jobs=threads)},
    ("random_forest", 2): {"scikit-learn": lambda threads: RandomForestClassifier(100, n_jobs=threads)},
    ("random_forest_exact", 2): {"scikit-learn": lambda threads: RandomForestClassifier(100, n_jobs=threads)},
    ("decision_tree", 1): {"scikit-learn": lambda threads: DecisionTreeClassifier()},
}


def ours(program, name, threads):
    out = subprocess.run([program, f"--benchmark_filter=^{name}/threads:{threads}/", "--benchmark_format=json"],
                         check=True, capture_output=True, text=True).stdout
    result = json.loads(out)["benchmarks"][0]
    return result["real_time"], result["accuracy"]


def theirs(make, threads, train, test):
    with threadpool_limits(threads):
        start = time.perf_counter()
        model = make(threads).fit(*train)
        milliseconds = 1e3 * (time.perf_counter() - start)
        return milliseconds, float((model.predict(test[0]) == test[1]).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/bin/bench_trees")
    parser.add_argument("--rounds", type=int, default=5)
    o = parser.parse_args()
    train, test = table(0), table(ROWS)
    print(f"xgboost {xgboost.__version__}, scikit-learn {sklearn.__version__}, {o.rounds} rounds, "
          f"load before {os.getloadavg()[0]:.2f} of {os.cpu_count()} cores")
    for (name, threads), peers in SETTINGS.items():
        runs = {"d16": lambda: ours(o.program, name, threads)}
        runs |= {peer: lambda make=make: theirs(make, threads, train, test) for peer, make in peers.items()}
        times, accuracy = {who: [] for who in runs}, {}
        for turn in range(o.rounds):  # each round is begun by another
            order = list(runs)[turn % len(runs):] + list(runs)[: turn % len(runs)]
            for who in order:
                milliseconds, accuracy[who] = runs[who]()
                times[who].append(milliseconds)
        medians = {who: statistics.median(list_of) for who, list_of in times.items()}
        for who, median in medians.items():
            print(f"{name:20} threads {threads}  {who:34} {median:9.1f} ms  accuracy {accuracy[who]:.4f}"
                  f"  x{median / medians['d16']:.2f}", flush=True)


if __name__ == "__main__":
    main()
