"""The dialogue between compare.py and a Python program that it times; protocol.hpp is the same in C++.

One JSON request per line of stdin: op, variant, in, out, size, order, batch, threads, seconds. One JSON line in answer:
the request with peer, version, median_ms and error (against float64, as a part of the largest value), or "skipped".
"""
import json
import statistics
import sys
import time


def seconds_of(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def median_ms(run, seconds):
    """The median over as many runs as fit into the time, one at least."""
    times = []
    while not times or sum(times) < seconds:
        times.append(seconds_of(run))
    return 1e3 * statistics.median(times)


def relative_error(got, expected):
    return ((got.double() - expected).abs().max() / expected.abs().max()).item()


def serve(stamp, prepare):
    """prepare(request) gives a function to time, its error or None, and a function for further members of the answer or
    None. Memory is kept for the variants of one setting only."""
    ready, last = {}, None
    for line in sys.stdin:
        request = json.loads(line)
        answer = {**request, **stamp}
        setting = [request[key] for key in ("op", "in", "out", "size", "order", "batch", "threads")]
        if setting != last:
            ready, last = {}, setting
        try:
            variant = request["variant"]
            if variant not in ready:
                ready[variant] = prepare(request)
            run, error, more = ready[variant]
            answer.update(median_ms=median_ms(run, request["seconds"]), error=error, **(more() if more else {}))
        except (RuntimeError, MemoryError, AttributeError, NotImplementedError, ValueError) as problem:
            answer["skipped"] = str(problem).strip().split("\n")[0] or type(problem).__name__
        print(json.dumps(answer), flush=True)
