#!/usr/bin/env python3
"""The tables of a comparison as Markdown: report.py build/bench/peers.json [PAGE.md]. compare.py calls it too."""
import json
import pathlib
import statistics
import sys

BEGIN, END = "<!-- peers:begin -->", "<!-- peers:end -->"

DIRECT = [("onednn", "direct"), ("onednn", "direct_nhwc")]
WINOGRAD = [("onednn", "winograd")]
TORCH = [("torch", "contiguous"), ("torch", "channels_last"), ("torch", "packed")]
CHANNELS_LAST = [("torch", "channels_last")]
FOURIER, UNPACKED = [("d16", "fourier")], [("d16", "fourier_unpacked")]
EXPANDED, DEFAULT = [("d16", "expanded")], [("d16", "default")]
ESCNN = [("escnn", "cached"), ("escnn", "training")]

TITLES = {"forward": "forward", "data_gradient": "data gradient", "weight_gradient": "weight gradient",
          "training": "forward and both gradients", "classifier": "The whole classifier, evaluation",
          "training_step": "The whole classifier, a training step with AdamW"}

# What is to be reached: text, op, batch (None: any), ours, peers, what is compared, the least factor for each order
# (None: there is no target). Order 1 is the ordinary convolution.
MS, MB = "median_ms", "peak_mb"
TARGETS = [
    ("forward, batch 8, against the best direct dense", "forward", 8, FOURIER, DIRECT + TORCH, MS, {16: 10, 32: 18}),
    ("forward, batch 8, against oneDNN Winograd", "forward", 8, FOURIER, WINOGRAD, MS, {16: 3, 32: 6}),
    ("data gradient, batch 8, against PyTorch dense", "data_gradient", 8, FOURIER, TORCH, MS, {16: 8, 32: 15}),
    ("weight gradient, batch 8, against PyTorch dense", "weight_gradient", 8, FOURIER, TORCH, MS, {16: 8, 32: 15}),
    ("forward, batch 1, against the best direct dense", "forward", 1, FOURIER, DIRECT + TORCH, MS, {16: None, 32: None}),
    ("data gradient, batch 1, against PyTorch dense", "data_gradient", 1, FOURIER, TORCH, MS, {16: None, 32: None}),
    ("weight gradient, batch 1, against PyTorch dense", "weight_gradient", 1, FOURIER, TORCH, MS, {16: None, 32: None}),
    ("whole classifier, per image, against escnn", "classifier", None, DEFAULT, ESCNN, MS, {16: 10, 32: 20}),
    ("its training step, against escnn", "training_step", None, DEFAULT, ESCNN, MS, {16: 14, 32: 25}),
    ("peak memory of that step, against escnn", "training_step", None, DEFAULT, ESCNN, MB, {16: 3, 32: 3}),
    ("dense 3x3 forward, against PyTorch channels-last", "forward", None, DEFAULT, CHANNELS_LAST, MS, {1: 0.8}),
    ("its data gradient", "data_gradient", None, DEFAULT, CHANNELS_LAST, MS, {1: 0.8}),
    ("its weight gradient", "weight_gradient", None, DEFAULT, CHANNELS_LAST, MS, {1: 0.8}),
]


def setting_of(result):
    return tuple(result[key] for key in ("op", "order", "size", "in", "out", "batch", "threads"))


def name_of(result):
    op, order, size, fields_in, fields_out, batch, threads = setting_of(result)
    return f"{op} {fields_in}->{fields_out} at {size}x{size}, order {order}, batch {batch}, threads {threads}"


class Results:
    def __init__(self, results):
        self.by_setting = {}
        for result in results:
            self.by_setting.setdefault(setting_of(result), {})[result["peer"], result["variant"]] = result

    def settings(self, op, order=None, batch=None):
        return [s for s in self.by_setting
                if s[0] == op and (order is None or s[1] == order) and (batch is None or s[5] == batch)]

    def best(self, setting, contenders, what="median_ms"):
        found = [self.by_setting[setting][c] for c in contenders if c in self.by_setting[setting]]
        return min(found, key=lambda result: result[what]) if found else None

    def factor(self, setting, ours, peers, what="median_ms"):
        mine, theirs = self.best(setting, ours, what), self.best(setting, peers, what)
        return theirs[what] / mine[what] if mine and theirs else None


def number(value):
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def time_cell(result, per=1):
    """Milliseconds, the error, and which variant where there are several."""
    if not result:
        return "–"
    marks = {"direct_nhwc": " nhwc", "contiguous": " nchw", "channels_last": " nhwc", "packed": " packed"}
    error = f" ({result['error']:.0e})" if result["error"] is not None else ""
    return number(result["median_ms"] / per) + error + marks.get(result["variant"], "")


def factor_cell(factor):
    return f"**{factor:.1f}**" if factor else "–"


def summary(results):
    rows = []
    for title, op, batch, ours, peers, what, targets in TARGETS:
        for order, target in targets.items():
            if settings := results.settings(op, order, batch):
                factors = [f for f in (results.factor(s, ours, peers, what) for s in settings) if f]
                rows.append([title, str(order) if order > 1 else "–"] + verdict(factors, target))
    return table(["how many times faster (or smaller)", "order", "worst", "median", "best", "target", ""], rows)


def verdict(factors, target):
    wanted = f"≥ {target}" if target else ""
    if not factors:
        return ["–", "–", "–", wanted, "not measured"]
    reached = "" if not target else "met" if min(factors) >= target else "**missed**"
    spread = [min(factors), statistics.median(factors), max(factors)]
    return [f"{f:.2g}" if f < 10 else f"{f:.1f}" for f in spread] + [wanted, reached]


# Columns of the tables of layers: name and contenders; then name, ours and theirs of the factors.
GROUP_COLUMNS = [("d16 Fourier", FOURIER), ("weights not packed", UNPACKED), ("d16 expanded", EXPANDED),
                 ("oneDNN direct", DIRECT), ("oneDNN Winograd", WINOGRAD), ("PyTorch", TORCH), ("escnn", ESCNN)]
GROUP_FACTORS = [("× best direct", FOURIER, DIRECT + TORCH), ("× Winograd", FOURIER, WINOGRAD),
                 ("× PyTorch", FOURIER, TORCH), ("× escnn", FOURIER, ESCNN)]
DENSE_COLUMNS = [("d16", DEFAULT), ("oneDNN direct", DIRECT), ("oneDNN Winograd", WINOGRAD),
                 ("PyTorch nhwc", CHANNELS_LAST), ("best PyTorch", TORCH)]
DENSE_FACTORS = [("× PyTorch nhwc", DEFAULT, CHANNELS_LAST), ("× best direct", DEFAULT, DIRECT + TORCH)]


def layer_table(results, op, dense):
    """All settings of one op; columns that nobody filled are left out."""
    settings = [s for s in results.settings(op) if (s[1] == 1) == dense]
    columns = [c for c in (DENSE_COLUMNS if dense else GROUP_COLUMNS) if any(results.best(s, c[1]) for s in settings)]
    factors = [f for f in (DENSE_FACTORS if dense else GROUP_FACTORS) if any(results.factor(s, *f[1:]) for s in settings)]
    rows = []
    for s in settings:
        _, order, size, fields_in, fields_out, batch, threads = s
        row = [f"{fields_in}→{fields_out}, {size}²"] + ([] if dense else [str(order)]) + [str(batch), str(threads)]
        row += [time_cell(results.best(s, contenders)) for _, contenders in columns]
        rows.append(row + [factor_cell(results.factor(s, *which)) for _, *which in factors])
    head = ["channels"] if dense else ["fields", "order"]
    return table(head + ["batch", "threads"] + [name for name, *_ in columns + factors], rows) if rows else ""


def network_table(results, op):
    rows = []
    for s in results.settings(op):
        per = s[5] if op == "classifier" else 1
        row = [str(s[1]), str(s[5]), str(s[6])] + [time_cell(results.best(s, who), per) for who in (DEFAULT, ESCNN)]
        row.append(factor_cell(results.factor(s, DEFAULT, ESCNN)))
        if op == "training_step":
            row += [number(r["peak_mb"]) if r else "–" for r in (results.best(s, DEFAULT), results.best(s, ESCNN))]
            row.append(factor_cell(results.factor(s, DEFAULT, ESCNN, "peak_mb")))
        rows.append(row)
    unit = "ms per image" if op == "classifier" else "ms"
    head = ["order", "batch", "threads", f"d16, {unit}", f"escnn, {unit}", "times faster"]
    if op == "training_step":
        head += ["d16, peak MB", "escnn, peak MB", "times smaller"]
    return table(head, rows) if rows else ""


def stamp_text(stamp):
    versions = ", ".join(f"{peer} {version}" for peer, version in sorted(stamp["versions"].items()))
    return (f"{stamp['cpu']}, {stamp['cores']} cores, {stamp.get('isa', 'unknown')}; {stamp['date']}; load before the "
            f"run {stamp['load_before']}. Compiler {stamp.get('compiler', 'unknown')}. Versions: {versions}. float32, "
            f"kernel 3, padding 1; {stamp['rounds']} rounds of {stamp['seconds']} s for each program and setting.\n")


def skipped_text(skipped):
    reasons = {}
    for s in skipped:
        reasons.setdefault((s["peer"], s["variant"], s["reason"]), []).append(s["setting"])
    lines = [f"- {peer} {variant}: {reason} ({where[0] if len(where) == 1 else f'{len(where)} settings'})"
             for (peer, variant, reason), where in reasons.items()]
    return "\n## Skipped\n\n" + "\n".join(lines) + "\n" if lines else ""


HEAD = """# d16 against its peers

Made by `scripts/bench.sh --peers`; how is in [benchmarks.md](benchmarks.md). The programs take turns on every setting;
each time is a median over the rounds, and the error behind it is the largest difference from float64 as a part of the
largest value.
"""


def markdown(stamp, results, skipped):
    """The page; what lies between the marks is the part for the README."""
    results = Results(results)
    passes = ("forward", "data_gradient", "weight_gradient", "training")
    sections = [(f"Group convolution: {TITLES[op]}, ms (error)", layer_table(results, op, dense=False)) for op in passes]
    sections += [(TITLES[op], network_table(results, op)) for op in ("classifier", "training_step")]
    sections += [(f"Dense convolution: {TITLES[op]}, ms (error)", layer_table(results, op, dense=True)) for op in passes]
    parts = [HEAD, BEGIN, stamp_text(stamp), summary(results), END + "\n"]
    parts += [f"## {title}\n\n{rows}" for title, rows in sections if rows]
    return "\n".join(parts) + skipped_text(skipped)


if __name__ == "__main__":
    data = json.loads(pathlib.Path(sys.argv[1]).read_text())
    page = markdown(data["stamp"], data["results"], data["skipped"])
    if len(sys.argv) > 2:
        pathlib.Path(sys.argv[2]).write_text(page)
    else:
        print(page, end="")
