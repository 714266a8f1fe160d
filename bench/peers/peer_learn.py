#!/usr/bin/env python3
"""Times d16's t-SNE, HDBSCAN, neighbours, k-means and silhouettes against openTSNE, fast_hdbscan, hdbscan, scikit-learn.

scripts/bench.sh --learn builds peer_learn and calls this. Contenders take turns, each run in a process of its own on the
same files, which says the peak of its memory itself: what the system counts for a child begins with the memory of this
program, from which it was forked. A time is the median of the rounds, without start and reading.
The table goes between the markers of docs/learn.md, or with --quick to the terminal only.
"""
import argparse
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import zlib

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait must not take the cores from the others

if "--python" in sys.argv[1:-1]:  # the peers and numpy are there
    at = sys.argv.index("--python")
    os.execvp(sys.argv[at + 1], [sys.argv[at + 1], *sys.argv[:at], *sys.argv[at + 2 :]])

import numpy as np

HERE = pathlib.Path(__file__).resolve()
ROOT = HERE.parent.parent.parent
BEGIN, END = "<!-- learn:begin -->", "<!-- learn:end -->"
CORES = os.cpu_count()


def survey(rows, seed=0):
    """A simulated catalogue of 14 columns: 12 kinds, each a plane of 4 dimensions with noise about it."""
    random = np.random.default_rng(seed)
    kind, centres, axes = random.integers(0, 12, rows), random.normal(0, 3, (12, 14)), random.normal(0, 0.4, (12, 4, 14))
    inner = random.normal(0, 1, (rows, 4))
    x = 0.1 * random.normal(0, 1, (rows, 14)) + centres[kind]
    for k in range(12):
        x[kind == k] += inner[kind == k] @ axes[k]
    return x.astype(np.float32), kind


def opentsne(x, _):
    import openTSNE
    map_ = openTSNE.TSNE(perplexity=30, n_jobs=CORES, random_state=0).fit(x)
    return np.asarray(map_, np.float32), float(map_.kl_divergence)


def sklearn_tsne(x, _):
    from sklearn.manifold import TSNE
    fit = TSNE(perplexity=30, n_jobs=CORES, random_state=0).fit(x)
    return fit.embedding_.astype(np.float32), float(fit.kl_divergence_)


def fast_hdbscan(x, _):
    import fast_hdbscan as library
    fit = library.HDBSCAN(min_cluster_size=100, min_samples=9).fit(x)  # it does not count the point itself
    return fit.labels_.astype(np.int64), int(fit.labels_.max()) + 1


def hdbscan(x, _):
    import hdbscan as library
    fit = library.HDBSCAN(min_cluster_size=100, min_samples=9, core_dist_n_jobs=CORES).fit(x)
    return fit.labels_.astype(np.int64), int(fit.labels_.max()) + 1


def sklearn_hdbscan(x, _):
    from sklearn.cluster import HDBSCAN
    fit = HDBSCAN(min_cluster_size=100, min_samples=10, n_jobs=CORES, copy=True).fit(x)
    return fit.labels_.astype(np.int64), int(fit.labels_.max()) + 1


def sklearn_kmeans(x, _):
    from sklearn.cluster import KMeans
    fit = KMeans(12, n_init=5, tol=0, random_state=0).fit(x)
    return fit.labels_.astype(np.int64), float(fit.inertia_)


def sklearn_silhouette(x, labels):
    from sklearn.metrics import silhouette_score
    return labels, float(silhouette_score(x, labels))


def sklearn_neighbours(x, _):
    from sklearn.neighbors import NearestNeighbors
    distance, index = NearestNeighbors(n_neighbors=90, algorithm="kd_tree", n_jobs=CORES).fit(x).kneighbors()
    return index, float(distance[0, 89])


PEERS = {
    "tsne": {"openTSNE": opentsne, "scikit-learn": sklearn_tsne},
    "hdbscan": {"fast_hdbscan": fast_hdbscan, "hdbscan": hdbscan, "scikit-learn": sklearn_hdbscan},
    "neighbours": {"scikit-learn": sklearn_neighbours},
    "kmeans": {"scikit-learn": sklearn_kmeans},
    "silhouette": {"scikit-learn": sklearn_silhouette},
}
TITLES = {"tsne": "t-SNE, perplexity 30, 250 + 500 iterations", "hdbscan": "HDBSCAN of that map, min_cluster_size 100, "
          "min_samples 10", "neighbours": "90 exact neighbours", "kmeans": "k-means, 12 clusters, 5 starts",
          "silhouette": "silhouette of those clusters, all rows"}
PACKAGES = ["openTSNE", "fast_hdbscan", "hdbscan", "scikit-learn", "numpy", "numba"]


def peak_mb():
    """The most memory that this process has had in its own address space."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def child(task, peer, rows, out, second):
    """Runs one peer in this process and says how long it took."""
    x = np.load(rows)
    y = np.load(second) if second else None
    run = PEERS[task][peer]
    if peer == "fast_hdbscan":
        run(x[:2000], y)  # numba compiles
    start = time.perf_counter()
    found, score = run(x, y)
    seconds = time.perf_counter() - start
    found.tofile(out)
    print(json.dumps({"seconds": seconds, "score": score, "mb": peak_mb()}))


class Runner:
    def __init__(self, o, folder):
        self.o, self.folder = o, pathlib.Path(folder)

    def save(self, name, array):
        np.save(self.folder / name, array)
        return self.folder / f"{name}.npy"

    def run(self, task, peer, rows, second=None):
        """The answer of one process with the peak of its memory; `found` is where its result lies."""
        out = self.folder / f"{task}-{peer}.bin"
        if peer == "d16":
            command = [self.o.program, task, rows, out]
        else:
            command = [sys.executable, "-W", "ignore", HERE, "--child", task, peer, rows, out]
        command += [second] if second else []
        process = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True)
        if process.returncode != 0:
            return {"skipped": f"the program ended with status {process.returncode}"}
        return {**json.loads(process.stdout.splitlines()[-1]), "found": out}

    def compare(self, task, rows, second=None, left_out=()):
        """Medians of all contenders on one task, in turns, each round begun by another."""
        contenders = ["d16"] + [peer for peer in PEERS[task] if peer not in left_out]
        answers = {contender: [] for contender in contenders}
        for turn in range(self.o.rounds):
            start = turn % len(contenders)
            for contender in contenders[start:] + contenders[:start]:
                answer = self.run(task, contender, rows, second)
                if "skipped" in answer:
                    print(f"skipped: {task} {contender}: {answer['skipped']}", file=sys.stderr)
                else:
                    answers[contender].append(answer)
                    print(f"{task} {contender} {answer['seconds']:.3f} s", file=sys.stderr, flush=True)
        return {who: {**given[-1], "seconds": statistics.median(a["seconds"] for a in given)}
                for who, given in answers.items() if given}

    def divergence(self, rows, found):
        """KL by all pairs with our exact affinities: the same judge for every map."""
        map_ = self.save("judged", np.fromfile(found, np.float32).reshape(-1, 2))
        return self.run("divergence", "d16", rows, map_)["score"]


def picture(path, map_, colours, side=480):
    """The map twice, coloured by each list of labels, as PNG; -1 is grey."""
    low, extent = map_.min(0), (map_.max(0) - map_.min(0)).max() * 1.02
    at = ((map_ - low) / extent * side).astype(int)
    image = np.full((side, 2 * side + 10, 3), 255, np.uint8)
    for panel, labels in enumerate(colours):
        hue = (labels * 0.6180339887) % 1
        turn = np.abs((hue[:, None] * 6 + np.array([0, 4, 2])) % 6 - 3) - 1
        rgb = np.where((labels < 0)[:, None], 0.75, 0.85 * np.clip(turn, 0, 1))
        image[side - 1 - at[:, 1], at[:, 0] + panel * (side + 10)] = (255 * rgb).astype(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    chunk = lambda kind, data: (len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big"))
    header = (2 * side + 10).to_bytes(4, "big") + side.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def draw(runner, o):
    """The simulated catalogue's map by its true kinds and by the clusters found in the map."""
    x, kind = survey(o.rows[-1])
    tsne = runner.run("tsne", "d16", runner.save("rows", x))
    map_ = np.fromfile(tsne["found"], np.float32).reshape(-1, 2)
    clusters = runner.run("hdbscan", "d16", runner.save("map", map_))
    found = np.fromfile(clusters["found"], np.int64)
    picture(ROOT / "docs/images/learn-map.png", map_, [kind, found])
    print(f"docs/images/learn-map.png: {o.rows[-1]:,} rows, {clusters['score']} clusters, {(found < 0).mean():.4f} noise, "
          f"agreement with the kinds {agreement(kind, found):.4f}", flush=True)


def agreement(a, b):
    """The adjusted Rand index of two labellings, noise as one label (Hubert and Arabie 1985)."""
    pairs = lambda n: (n * (n - 1) / 2).sum()
    table = np.unique(np.stack([a, b]), axis=1, return_counts=True)[1].astype(float)
    rows, columns = (np.unique(x, return_counts=True)[1].astype(float) for x in (a, b))
    expected = pairs(rows) * pairs(columns) / pairs(np.array([float(len(a))]))
    most = (pairs(rows) + pairs(columns)) / 2
    return (pairs(table) - expected) / (most - expected)


def line(task, rows, who, answer, ours, note=""):
    return (f"| {TITLES[task]} | {rows:,} | {who} | {answer['seconds']:.3g} | {answer['mb']:.0f} | {answer['score']:.6g} "
            f"| {answer['seconds'] / ours['seconds']:.2f} | {note} |")


def compare_all(runner, o, lines):
    for rows in o.rows:
        file = runner.save("rows", survey(rows)[0])
        left_out = ["scikit-learn"] if rows > 20000 else []
        found = runner.compare("tsne", file, left_out=left_out)
        for who, answer in found.items():
            answer["score"] = runner.divergence(file, answer["found"])
            lines.append(line("tsne", rows, who, answer, found["d16"]))
        map_ = runner.save("map", np.fromfile(found["d16"]["found"], np.float32).reshape(-1, 2))
        found = runner.compare("hdbscan", map_)
        labels = {who: np.fromfile(answer["found"], np.int64) for who, answer in found.items()}
        for who, answer in found.items():
            note = "" if who == "d16" else f"agreement {agreement(labels['d16'], labels[who]):.4f}"
            lines.append(line("hdbscan", rows, who, answer, found["d16"], note))
        found = runner.compare("neighbours", file)
        index = {who: np.fromfile(answer["found"], np.int64) for who, answer in found.items()}
        for who, answer in found.items():
            note = "" if who == "d16" else f"{(index[who] == index['d16']).mean():.5f} of the indices equal"
            lines.append(line("neighbours", rows, who, answer, found["d16"], note))
        found = runner.compare("kmeans", file)
        lines += [line("kmeans", rows, who, answer, found["d16"]) for who, answer in found.items()]
        clusters = runner.save("clusters", np.fromfile(found["d16"]["found"], np.int64))
        found = runner.compare("silhouette", file, clusters)
        lines += [line("silhouette", rows, who, answer, found["d16"]) for who, answer in found.items()]


def scale_all(runner, o, lines):
    """How time and memory grow, once for each size."""
    lines += ["", "| rows | t-SNE, s | its peak memory, MB | HDBSCAN of the map, s | its peak memory, MB |", "|---|---|---|---|---|"]
    for rows in o.scale:
        file = runner.save("rows", survey(rows)[0])
        tsne = runner.run("tsne", "d16", file)
        map_ = runner.save("map", np.fromfile(tsne["found"], np.float32).reshape(-1, 2))
        clusters = runner.run("hdbscan", "d16", map_)
        lines.append(f"| {rows:,} | {tsne['seconds']:.3g} | {tsne['mb']:.0f} | {clusters['seconds']:.3g} | {clusters['mb']:.0f} |")
        print(lines[-1], file=sys.stderr, flush=True)


def stamp(o, load):
    with open("/proc/cpuinfo") as info:
        model = next((text.split(":")[1].strip() for text in info if text.startswith("model name")), "unknown")
    versions = []
    for package in PACKAGES:
        code = f"import importlib.metadata as m; print(m.version('{package}'))"
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        versions.append(f"{package} {found.stdout.strip() or 'not there'}")
    return (f"{model}, {CORES} cores; {datetime.date.today().isoformat()}; load before the run {load:.2f}. "
            f"{', '.join(versions)}. Medians of {o.rounds} rounds in turns.")


def write(page, text):
    before, rest = page.read_text().split(BEGIN)
    page.write_text(before + BEGIN + "\n" + text + "\n" + END + rest.split(END)[1])


def main():
    if sys.argv[1:2] == ["--child"]:
        task, peer, rows, out, *second = sys.argv[2:]
        return child(task, peer, rows, out, second[0] if second else None)
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python", metavar="PY", help="the Python that has numpy and the peers (default: this one)")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/bin/peer_learn")
    parser.add_argument("--rows", nargs="+", type=int, default=[10000, 85000])
    parser.add_argument("--scale", nargs="*", type=int, default=[10000, 100000, 1000000], help="d16 alone, once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--picture", action="store_true", help="only docs/images/learn-map.png")
    parser.add_argument("--quick", action="store_true", help="5,000 rows, one round, to the terminal")
    o = parser.parse_args()
    if o.quick:
        o.rows, o.scale, o.rounds = [5000], [5000, 20000], 1
    if o.picture:
        with tempfile.TemporaryDirectory() as folder:
            return draw(Runner(o, folder), o)
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"the machine is not quiet: load {load:.2f}", file=sys.stderr)
    lines = ["| task | rows | program | s | peak memory, MB | score | times d16 | |", "|---|---|---|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(o, folder)
        compare_all(runner, o, lines)
        scale_all(runner, o, lines)
        if not o.quick:
            draw(runner, o)
    text = stamp(o, load) + "\n\n" + "\n".join(lines)
    if o.quick:
        print(text)
    else:
        write(ROOT / "docs/learn.md", text)
        print("results: docs/learn.md")


if __name__ == "__main__":
    main()
