#!/usr/bin/env python3
"""Times d16 against oneDNN, PyTorch and escnn on the same layers, and the whole classifier against escnn.

scripts/bench.sh --peers builds the programs and calls this. The programs take turns on every setting for some rounds;
a time is the median over the rounds. What a peer cannot do is printed as skipped, with the reason.
"""
import argparse
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys

import report

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

SHAPES = [(12, 24, 64), (24, 48, 32), (48, 48, 32), (48, 96, 16), (96, 96, 16)]  # fields in and out, side of the image
DENSE_SHAPES = [(64, 64, 64), (128, 128, 32)]

ONEDNN = [("onednn", "direct"), ("onednn", "direct_nhwc"), ("onednn", "winograd")]
TORCH = [("torch", "contiguous"), ("torch", "channels_last")]
PEERS = {
    "forward": ONEDNN + TORCH + [("torch", "packed"), ("escnn", "cached")],
    "data_gradient": ONEDNN + TORCH,
    "weight_gradient": ONEDNN + TORCH,
    "training": TORCH + [("escnn", "training")],
    "classifier": [("escnn", "cached")],
    "training_step": [("escnn", "training")],
}


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--quick", action="store_true", help="order 16, batch 8, two threads, two rounds, no training step")
    add("--python", default=sys.executable, help="the Python that has torch and escnn (default: this one)")
    add("--programs", type=pathlib.Path, default=ROOT / "build/bin", help="where our programs are")
    add("--out", type=pathlib.Path, default=ROOT / "build/bench/peers.json")
    add("--report", type=pathlib.Path, help="default: docs/benchmarks-peers.md, with --quick beside --out")
    add("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    add("--peers", nargs="+", default=["d16", "onednn", "torch", "escnn"])
    add("--orders", nargs="+", type=int)
    add("--batches", nargs="+", type=int)
    add("--threads", nargs="+", type=int)
    add("--rounds", type=int)
    add("--seconds", type=float, help="for each program, setting and round")
    add("--shapes", type=int, default=len(SHAPES), help="only the first so many (default: all)")
    add("--size", type=int, default=255, help="of the classifier's images")
    o = parser.parse_args()
    for name, quick, full in [("orders", [16], [16, 32]), ("batches", [8], [1, 8]), ("threads", [2], [1, 2]),
                              ("rounds", 2, 5), ("seconds", 0.1, 0.2)]:
        if getattr(o, name) is None:
            setattr(o, name, quick if o.quick else full)
    if o.quick:
        o.parts = [part for part in o.parts if part != "training_step"]
    o.report = o.report or (o.out.with_suffix(".md") if o.quick else ROOT / "docs/benchmarks-peers.md")
    return o


class Programs:
    """The peers as running programs, each started when it is first asked."""

    def __init__(self, o):
        python = [o.python, "-W", "ignore"]
        self.commands = {
            "d16": [o.programs / "peer_d16"],
            "onednn": [o.programs / "peer_onednn"],
            "torch": python + [HERE / "peer_torch.py"],
            "escnn": python + [HERE / "peer_escnn.py"],
        }
        self.running = {}

    def ask(self, peer, request):
        try:
            if peer not in self.running:
                self.running[peer] = subprocess.Popen(self.commands[peer], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                                      text=True)
            program = self.running[peer]
            program.stdin.write(json.dumps(request) + "\n")
            program.stdin.flush()
            line = program.stdout.readline()
        except OSError as problem:
            return {"skipped": str(problem)}
        if not line:
            self.running.pop(peer)
            return {"skipped": f"the program ended with status {program.wait()}"}
        return json.loads(line)

    def close(self):
        for program in self.running.values():
            program.stdin.close()
            program.wait()
        self.running = {}


class Comparison:
    def __init__(self, o):
        self.o, self.programs, self.results, self.skipped = o, Programs(o), [], []

    def measure(self, op, ours, apart=False, seconds=None, rounds=None, **setting):
        """One setting: all contenders in turn, each round begun by another. `apart`: every answer from a new process."""
        contenders = [c for c in [("d16", variant) for variant in ours] + PEERS[op] if c[0] in self.o.peers]
        if setting["order"] == 1:
            contenders = [c for c in contenders if c[0] != "escnn"]
        if not contenders:
            return
        request = {"op": op, **setting, "seconds": seconds or self.o.seconds}
        answers = {contender: [] for contender in contenders}
        for turn in range(rounds or self.o.rounds):
            start = turn % len(contenders)
            for contender in contenders[start:] + contenders[:start]:
                if contender not in answers:
                    continue
                answer = self.programs.ask(contender[0], {**request, "variant": contender[1]})
                if apart:
                    self.programs.close()
                if "skipped" in answer:
                    self.skip(contender, request, answer["skipped"])
                    del answers[contender]
                else:
                    answers[contender].append(answer)
        for contender, given in answers.items():
            times = [answer["median_ms"] for answer in given]
            self.results.append({**given[-1], "median_ms": statistics.median(times), "rounds_ms": times})
        self.show(request)

    def skip(self, contender, request, reason):
        reason = reason.strip().split("\n")[0]
        print(f"skipped: {' '.join(contender)}, {report.name_of(request)}: {reason}", flush=True)
        peer, variant = contender
        self.skipped.append({"peer": peer, "variant": variant, "setting": report.name_of(request), "reason": reason})

    def show(self, request):
        of_this = [r for r in self.results if report.name_of(r) == report.name_of(request)]
        times = "  ".join(f"{r['peer']} {r['variant']} {r['median_ms']:.4g}" for r in of_this)
        print(f"{report.name_of(request)}: {times} ms", flush=True)


def layers(c):
    for order in c.o.orders:
        for shape in SHAPES[: c.o.shapes]:
            for batch in c.o.batches:
                for threads in c.o.threads:
                    for op in ("forward", "data_gradient", "weight_gradient", "training"):
                        ours = ("fourier", "fourier_unpacked", "expanded") if op == "forward" else ("fourier", "expanded")
                        measure_layer(c, op, ours, shape, order, batch, threads)


def dense(c):
    for shape in DENSE_SHAPES[: c.o.shapes]:
        for threads in c.o.threads:
            for op in ("forward", "data_gradient", "weight_gradient", "training"):
                measure_layer(c, op, ("default",), shape, 1, 8, threads)


def measure_layer(c, op, ours, shape, order, batch, threads):
    fields_in, fields_out, size = shape
    c.measure(op, ours, size=size, order=order, batch=batch, threads=threads, **{"in": fields_in, "out": fields_out})


def classifier(c):
    for order in c.o.orders:
        for batch in c.o.batches:
            for threads in c.o.threads:
                c.measure("classifier", ("default",), order=order, batch=batch, threads=threads, size=c.o.size,
                          **{"in": 3, "out": 10})


def training_step(c):
    """In a process of its own each time, so that the peak of its memory is its own. The first step is not timed."""
    for order in c.o.orders:
        c.measure("training_step", ("default",), apart=True, seconds=4, rounds=min(2, c.o.rounds), order=order,
                  batch=max(c.o.batches), threads=max(c.o.threads), size=c.o.size, **{"in": 3, "out": 10})


PARTS = {"layers": layers, "dense": dense, "classifier": classifier, "training_step": training_step}


def machine():
    with open("/proc/cpuinfo") as lines:
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")
    return {"cpu": model, "cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 2),
            "date": datetime.date.today().isoformat()}


def write(o, stamp, c):
    stamp = {**stamp, "rounds": o.rounds, "seconds": o.seconds, "versions": {r["peer"]: r["version"] for r in c.results}}
    stamp.update({key: r[key] for r in c.results if r["peer"] == "d16" for key in ("compiler", "isa")})
    o.out.parent.mkdir(parents=True, exist_ok=True)
    o.out.write_text(json.dumps({"stamp": stamp, "results": c.results, "skipped": c.skipped}, indent=1) + "\n")
    o.report.write_text(report.markdown(stamp, c.results, c.skipped))


def main():
    o = options()
    stamp = machine()
    if stamp["load_before"] > 0.5:
        print(f"the machine is not quiet: load {stamp['load_before']}", file=sys.stderr)
    c = Comparison(o)
    for part in o.parts:
        PARTS[part](c)
        c.programs.close()
        write(o, stamp, c)  # after each part: what an interrupted run has measured is kept
    print(f"results: {o.out}, {o.report}")


if __name__ == "__main__":
    main()
