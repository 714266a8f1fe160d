#!/usr/bin/env python3
"""Tests of the exchange with escnn: tools/test_exchange.py. Skipped where escnn is not installed."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "tests", "golden")
sys.path[:0] = [HERE, GOLDEN]
warnings.filterwarnings("ignore")

try:
    import numpy as np
    import torch
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    import d16_to_escnn
    import escnn_to_d16
    import d16_exchange as exchange
    import make_network
    from d16_exchange import case as network_case
    from d16_exchange import steerable
    from escnn import nn as enn
except ImportError as error:
    print(f"skipped: the exchange with escnn ({error}); docs/exchange.md says what to install")
    sys.exit(0)


def quiet(_):
    pass


def outputs(network, x):
    with torch.no_grad():
        return exchange.plain(exchange.call(network.eval(), x))


def changed(path, change):
    """Writes the file again with tensors = change(tensors)."""
    with safe_open(path, "np") as file:
        metadata = file.metadata()
    save_file(change(load_file(path)), path, metadata)


def chain(*layers):
    """R2Conv of an image of one channel to two fields of D4, then layers: functions of the field type."""
    act = network_case.space("D", 4)
    image, two = enn.FieldType(act, [act.trivial_repr]), enn.FieldType(act, 2 * [act.regular_repr])
    return enn.SequentialModule(enn.R2Conv(image, two, 3, padding=1), *[layer(two) for layer in layers])


class Residual(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = chain(), chain(lambda t: enn.R2Conv(t, t, 3, padding=1))[1]

    def forward(self, x):
        y = self.first(enn.GeometricTensor(x, self.first.in_type))
        return (y + self.second(y)).tensor


class Glued(torch.nn.Module):
    """What people write between the layers of a network."""

    def __init__(self, between):
        super().__init__()
        self.net, self.head, self.between = chain(enn.GroupPooling), torch.nn.Linear(2, 3), between

    def forward(self, x):
        return self.head(self.between(self.net(enn.GeometricTensor(x, self.net.in_type)).tensor))


class Steerable(unittest.TestCase):
    def test_fit_is_the_inverse_of_expand_and_nothing_else_fits(self):
        random = np.random.default_rng(1)
        for text in ("cyclic(1)", "cyclic(5)", "dihedral(1)", "dihedral(3)", "dihedral(8)"):
            group = steerable.Group.parse(text)
            for kernel in (1, 3, 5):
                for sides in steerable.SIDES:
                    V = steerable.basis(group, kernel).shape[1]
                    w = random.normal(size=(2, 3, V) + ((group.order,) if sides == "regular" else ()))
                    filter = steerable.expand(w, group, kernel, sides)
                    found, misfit = steerable.fit(filter, group, sides)
                    with self.subTest(group=text, kernel=kernel, sides=sides):
                        self.assertLess(misfit, 1e-13)
                        self.assertLess(np.abs(steerable.expand(found, group, kernel, sides) - filter).max(), 1e-12)
                        if filter.size > 2 * found.size:
                            self.assertGreater(steerable.fit(random.normal(size=filter.shape), group, sides)[1], 0.3)


class RoundTrip(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "net.safetensors")
        torch.manual_seed(1)

    def tearDown(self):
        self.folder.cleanup()

    def test_there_and_back_gives_the_same_outputs(self):
        for (name, _, net, x), (_, _, other, _) in zip(make_network.networks(), make_network.networks()):
            with self.subTest(network=name):
                expected, size = outputs(net, x), x.shape[-1]
                scale = expected.abs().max()
                self.assertGreater((outputs(other, x) - expected).abs().max(), 1e-2 * scale)
                escnn_to_d16.save(net, self.path, size, quiet)
                d16_to_escnn.fill(other, self.path, size, quiet)
                self.assertLess((outputs(other, x) - expected).abs().max(), 1e-5 * scale)

    def test_the_way_of_padding_travels(self):
        def net():
            return chain(lambda t: enn.R2Conv(t, t, 3, padding=1, padding_mode="circular"), enn.GroupPooling).eval()

        there, back, x = net(), net(), torch.randn(1, 1, 7, 7)
        expected = outputs(there, x)
        escnn_to_d16.save(there, self.path, 7, quiet)
        with safe_open(self.path, "np") as file:
            self.assertIn("circular", file.metadata()["network"])
        d16_to_escnn.fill(back, self.path, 7, quiet)
        self.assertLess((outputs(back, x) - expected).abs().max(), 1e-5 * expected.abs().max())

    def test_flattened_pixels_come_in_the_order_of_d16(self):
        linear = torch.nn.Linear(2 * 4 * 4, 3)
        description, tensors = escnn_to_d16.convert([chain(enn.GroupPooling), torch.nn.Flatten(), linear], 4, quiet)
        self.assertEqual([stage["type"] for stage in description["stages"][-2:]], ["flatten", "linear"])
        pixels_first = linear.weight.detach().numpy().reshape(3, 2, 4, 4).transpose(0, 2, 3, 1)  # C,H,W -> H,W,C
        self.assertTrue(np.array_equal(tensors["3.weight"], pixels_first.reshape(3, -1)))

    def test_a_swapped_element_gives_other_outputs(self):
        name, _, net, x = next(make_network.networks())
        escnn_to_d16.save(net, self.path, 17, quiet)
        expected = outputs(net, x)
        swap = [1, 0, *range(2, 8)]
        changed(
            self.path, lambda t: {k: np.ascontiguousarray(v[..., swap]) if v.ndim == 4 else v for k, v in t.items()}
        )
        d16_to_escnn.fill(net, self.path, 17, quiet)
        self.assertGreater((outputs(net, x) - expected).abs().max(), 1e-3 * expected.abs().max())

    def test_a_live_network_is_left_as_it_is(self):
        net = chain(lambda t: enn.PointwiseDropout(t, 0.5), enn.InnerBatchNorm)
        net[2].eval()
        before, modes = {k: v.clone() for k, v in net.state_dict().items()}, [m.training for m in net.modules()]
        escnn_to_d16.convert(net, report=quiet)
        self.assertEqual(modes, [m.training for m in net.modules()])
        for key, value in net.state_dict().items():
            self.assertTrue(torch.equal(value, before[key]), key)

    def test_a_conformance_case_is_converted_from_the_state_beside_it(self):
        case, state = os.path.join(self.folder.name, "net_io.safetensors"), os.path.join(self.folder.name, "net.pt")
        shutil.copy(os.path.join(GOLDEN, "network_io_D8.safetensors"), case)
        net = network_case.of_file(case)[0]
        torch.save({part: net[part].eval().state_dict() for part in ("net", "head")}, state)
        out = escnn_to_d16.save_case(case, report=quiet)
        self.assertEqual(os.path.basename(out), "net_io.weights.safetensors")
        for name, value in escnn_to_d16.convert(net, report=quiet)[1].items():
            self.assertTrue(np.array_equal(load_file(out)[name], value), name)

    def test_the_commands_take_states_of_training_and_evaluation(self):
        """Each command is a process of its own, in which escnn makes another basis of the same filters."""
        net = make_network.scatter(network_case.network(make_network.TEXTS["D4"], 3, 2))
        x = make_network.numbers(2, 1, 3, 17, 17)
        expected, state, out = outputs(net, x), os.path.join(self.folder.name, "state.pt"), self.path
        factory = os.path.join(self.folder.name, "factory.py")
        with open(factory, "w") as file:
            file.write(
                "import make_network\nfrom d16_exchange import case\n"
                "def make(): return case.network(make_network.TEXTS['D4'], 3, 2)\n"
            )
        environment = os.environ | {"PYTHONPATH": GOLDEN, "PYTHONWARNINGS": "ignore"}

        def run(tool, *arguments):
            command = [sys.executable, os.path.join(HERE, tool), *arguments]
            result = subprocess.run(command, env=environment, capture_output=True, text=True)
            self.assertEqual(result.returncode, 0, result.stderr)
            return result.stdout

        for training in (True, False):
            inside = {"step": 3, "model": net.train(training).state_dict()}
            torch.save(inside, state)
            self.assertIn("did not fit", run("escnn_to_d16.py", f"{factory}:make", "--state", state, "-o", out))
            for name, value in escnn_to_d16.convert(net, report=quiet)[1].items():
                self.assertLess(np.abs(load_file(out)[name] - value).max(), 1e-5, name)
        run("d16_to_escnn.py", out, f"{factory}:make", "-o", state)
        back = exchange.load_state(network_case.network(make_network.TEXTS["D4"], 3, 2), state)
        self.assertLess((outputs(back, x) - expected).abs().max(), 1e-5 * expected.abs().max())


class Refused(unittest.TestCase):
    def refuses(self, words, network, size=9):
        with self.assertRaises(exchange.Unsupported) as caught:
            escnn_to_d16.convert(network, size, quiet)
        for word in words:
            self.assertIn(word, str(caught.exception))

    def test_layers_that_d16_does_not_have_are_named(self):
        self.refuses(["layer 1 (LeakyReLU)"], chain(lambda t: enn.LeakyReLU(t)))
        self.refuses(["layer 1 (R2Conv)", "dilation is 2"], chain(lambda t: enn.R2Conv(t, t, 3, padding=2, dilation=2)))
        self.refuses(
            ["layer 1 (R2Conv)", "replicate"], chain(lambda t: enn.R2Conv(t, t, 3, padding=1, padding_mode="replicate"))
        )
        self.refuses(["layer 1 (R2Conv)", "kernel is 4"], chain(lambda t: enn.R2Conv(t, t, 4)))
        self.refuses(["layer 1 (R2Conv)", "stride is (1, 2)"], chain(lambda t: enn.R2Conv(t, t, 3, stride=(1, 2))))
        self.refuses(
            ["layer 1 (PointwiseMaxPool2D)", "ceil_mode"], chain(lambda t: enn.PointwiseMaxPool(t, 2, ceil_mode=True))
        )
        self.refuses(["layer 1 (InnerBatchNorm)", "affine"], chain(lambda t: enn.InnerBatchNorm(t, affine=False)))
        self.refuses(
            ["layer 1 (PointwiseAdaptiveAvgPool2D)", "group pooling"],
            chain(lambda t: enn.PointwiseAdaptiveAvgPool(t, 1)),
        )

    def test_filters_of_another_basis_are_named(self):
        self.refuses(["layer 1 (R2Conv)", "does not fit"], chain(lambda t: enn.R2Conv(t, t, 5, sigma=[1.0, 1.0, 1.0])))
        act = network_case.gspaces.flipRot2dOnR2(4, axis=0.3)
        image, two = enn.FieldType(act, [act.trivial_repr]), enn.FieldType(act, 2 * [act.regular_repr])
        self.refuses(["layer 0 (R2Conv)", "flip axis"], enn.SequentialModule(enn.R2Conv(image, two, 3)))

    def test_networks_that_are_no_chain_say_where(self):
        self.refuses(["the output does not get what layer second (R2Conv) gave"], Residual())
        twice = chain(enn.ReLU)
        self.refuses(
            ["(ReLU)", "runs twice"], torch.nn.ModuleList([chain(), torch.nn.ModuleList([twice[1]]), twice[1]])
        )
        self.refuses(["Linear must follow"], [chain(enn.GroupPooling), torch.nn.Flatten()])
        self.refuses(["--size"], [chain(enn.GroupPooling), torch.nn.Flatten(), torch.nn.Linear(7, 2)])

    def test_what_stands_between_layers_is_found_or_refused(self):
        def types(between):
            return [stage["type"] for stage in escnn_to_d16.convert(Glued(between), 9, quiet)[0]["stages"]][2:-1]

        self.assertEqual(types(lambda y: y.mean((2, 3))), ["global_avg_pool"])
        self.assertEqual(types(lambda y: torch.nn.functional.adaptive_avg_pool2d(y, 1).flatten(1)), ["global_avg_pool"])
        self.refuses(["layer head (Linear)", "another way"], Glued(lambda y: y.amax((2, 3))))
        self.refuses(["layer head (Linear)", "another way"], Glued(lambda y: y.add_(1).mean((2, 3))))
        self.refuses(["layer head (Linear)", "another way"], Glued(lambda y: y.mean((2, 3)).sigmoid()))

    def test_files_of_another_network_are_named(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "net.safetensors")
            escnn_to_d16.save(chain(enn.InnerBatchNorm, enn.ReLU), path, report=quiet)

            def refuses(words, network):
                with self.assertRaises(exchange.Unsupported) as caught:
                    d16_to_escnn.fill(network, path, 9, quiet)
                for word in words:
                    self.assertIn(word, str(caught.exception))

            refuses(["layer 2 (ELU)", '{"type": "relu"}'], chain(enn.InnerBatchNorm, enn.ELU))
            refuses(
                ["layer 1 (InnerBatchNorm)", '"eps": 0.1'], chain(lambda t: enn.InnerBatchNorm(t, eps=0.1), enn.ReLU)
            )
            refuses(['{"type": "relu"} has no counterpart'], chain(enn.InnerBatchNorm))
            changed(path, lambda t: {k: v for k, v in t.items() if k != "1.running_var"})
            refuses(['no "1.running_var"', "layer 1 (InnerBatchNorm)"], chain(enn.InnerBatchNorm, enn.ReLU))

    def test_states_of_another_network_are_named(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "state.pt")
            torch.save(chain(enn.InnerBatchNorm).state_dict(), path)
            with self.assertRaises(exchange.Unsupported) as caught:
                exchange.load_state(chain(enn.ReLU), path)
            self.assertIn("unexpected 1.batch_norm_[8].bias", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
