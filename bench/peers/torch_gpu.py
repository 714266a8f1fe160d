"""What the PyTorch peers on a GPU share: the machine, their file of results, clocks and CUDA graphs."""
import json
import pathlib
import statistics
import time
import warnings

warnings.filterwarnings("ignore")

PAIRS = 5  # of events for each time


class Machine:
    """The GPU; or, small, the processor: with small sizes that shows that everything runs, and measures nothing."""

    def __init__(self, torch, small):
        self.torch, self.small, self.device = torch, small, "cpu" if small else "cuda"

    def milliseconds(self, launches, run):
        """Of run(0), run(1) ... one after the other."""
        if self.small:
            start = time.perf_counter()
            for i in range(launches):
                run(i)
            return 1e3 * (time.perf_counter() - start)
        start, stop = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for i in range(launches):
            run(i)
        stop.record()
        stop.synchronize()
        return start.elapsed_time(stop)

    def median_us(self, launches, run):
        return statistics.median(1e3 * self.milliseconds(launches, run) / launches for _ in range(1 if self.small else PAIRS))

    def graph_of(self, run):
        """A function that replays run() recorded as a CUDA graph, and gives what that gave."""
        if self.small:
            raise Skipped("a processor has no CUDA graphs")
        side = self.torch.cuda.Stream()
        side.wait_stream(self.torch.cuda.current_stream())
        with self.torch.cuda.stream(side):
            for _ in range(3):
                run()
        self.torch.cuda.current_stream().wait_stream(side)
        graph = self.torch.cuda.CUDAGraph()
        with self.torch.cuda.graph(graph):
            result = run()

        def replay():
            graph.replay()
            return result

        return replay

    def compiled(self, function):
        return self.torch.compile(function, dynamic=False, backend="aot_eager" if self.small else "inductor")


class Skipped(Exception):
    """What a peer cannot do here by design: a line of the table, no failure."""


class Results:
    """The file of results in the format of Google Benchmark, complete after every one; what it has is not measured again."""

    def __init__(self, machine, path):
        self.machine, self.path, self.benchmarks, self.failures = machine, path, [], 0
        torch = machine.torch
        self.context = {"PyTorch": torch.__version__, "PyTorch's cuDNN": str(torch.backends.cudnn.version())}
        if path and path.exists():
            self.benchmarks = json.loads(path.read_text())["benchmarks"]

    def add(self, name, **members):
        self.benchmarks.append({"name": name, "run_name": name, **members})
        error = "" if members.get("error") is None else ", error %.1e" % members["error"]
        print(f"{name}: {members.get('error_message') or '%.1f us' % members['us'] + error}", flush=True)
        if self.path:
            self.path.write_text(json.dumps({"context": self.context, "benchmarks": self.benchmarks}, indent=2, ensure_ascii=False))

    def attempt(self, name, run):
        """run() gives the members of the result. Whatever a peer cannot do is a line too, and the others go on."""
        if any(b["name"] == name for b in self.benchmarks):
            return
        try:
            self.add(name, **run())
        except Exception as problem:
            self.failures += not isinstance(problem, Skipped)
            message = str(problem).strip().split("\n")[0] or type(problem).__name__
            self.add(name, error_occurred=True, error_message=f"skipped: {message}")
        self.machine.torch._dynamo.reset()
        if not self.machine.small:
            self.machine.torch.cuda.empty_cache()


def add_arguments(parser):
    parser.add_argument("--out", type=pathlib.Path, help="the file of results; without it they are only printed")
    parser.add_argument("--cpu", action="store_true", help="small sizes on the processor: fails when something does not run")


def start(options):
    """The machine and the file of results; nothing where there is no PyTorch or no GPU."""
    try:
        import torch
    except ImportError:
        print("skipped: there is no PyTorch")
        return None, None
    if not options.cpu and not torch.cuda.is_available():
        print("skipped: no CUDA device")
        return None, None
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(1)
    machine = Machine(torch, options.cpu)
    return machine, Results(machine, options.out)
