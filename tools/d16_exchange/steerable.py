"""The steerable filters of d16 in numpy: groups, the basis, expansion of weights, and the fit of a dense filter.

The definitions are those of include/d16/group/ and of docs/exchange.md; everything is float64.
"""

import re

import numpy as np

SIDES = ("lifting", "regular", "projecting")  # which sides carry the group: the output, both, the input


class Group:
    """cyclic(n) or dihedral(n): element flip n + k acts on the plane (y up) as R(2 pi k/n) F^flip, F: x -> -x."""

    def __init__(self, kind, n):
        self.kind, self.n = kind, n
        self.order = 2 * n if kind == "dihedral" else n

    @classmethod
    def parse(cls, text):
        match = re.fullmatch(r"(cyclic|dihedral)\((\d+)\)", text)
        if not match:
            raise ValueError(f'group "{text}": it is written cyclic(8) or dihedral(8)')
        return cls(match[1], int(match[2]))

    def __str__(self):
        return f"{self.kind}({self.n})"

    def matrices(self):
        """(order,2,2): how each element acts on the plane."""
        angle = 2 * np.pi * np.arange(self.n) / self.n
        c, s = np.cos(angle), np.sin(angle)
        turns = np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)
        return np.concatenate([turns, turns * [-1, 1]])[: self.order]

    def product(self, a, b):
        """The element that acts as b first, then a, of arrays. F R(t) = R(-t) F: a flip in a turns b the other way."""
        flip_a, flip_b, n = a // self.n, b // self.n, self.n
        return (flip_a ^ flip_b) * n + (a % n + np.where(flip_a, -(b % n), b % n)) % n

    def inverse(self, a):
        return np.where(a // self.n, a, -a % self.n)


def default_rings(kernel):
    """Radius, Gaussian width and highest frequency of each ring, as escnn's R2Conv takes them."""
    last = kernel // 2
    return [
        (r, 0.005 if r == 0 else 0.4 if r == last else 0.6, 0 if r == 0 else 2 if r == last else 2 * r - (r + 1) % 2)
        for r in range(last + 1)
    ]


def basis(group, kernel):
    """values[h,v,p] = B_v(h^-1 x) at pixel p: circular harmonics 1, cos m t, sin m t on Gaussian rings, (G,V,K*K)."""
    if kernel % 2 == 0:
        raise ValueError(f"kernel is {kernel}; the basis needs an odd one")
    i, j = np.divmod(np.arange(kernel * kernel), kernel)
    points = np.stack([j - kernel // 2, kernel // 2 - i]).astype(float)
    seen = np.linalg.inv(group.matrices()) @ points  # (G,2,P)
    radius, angle = np.hypot(seen[:, 0], seen[:, 1]), np.arctan2(seen[:, 1], seen[:, 0])
    away = radius > 0.5  # terms with m > 0 have no angle at the origin, and are zero there
    functions = []
    for ring, sigma, highest in default_rings(kernel):
        gauss = np.exp(-0.5 * ((radius - ring) / sigma) ** 2)
        functions.append(gauss)
        for m in range(1, highest + 1):
            functions += [away * gauss * np.cos(m * angle), away * gauss * np.sin(m * angle)]
    return np.stack(functions, 1)


def expand(weights, group, kernel, sides):
    """Weights (Co,Ci,V,G), or (Co,Ci,V) with an image on one side -> filter (Co Gout, Ci Gin, K, K)."""
    frames, elements = basis(group, kernel), np.arange(group.order)
    if sides == "regular":
        turn = group.product(group.inverse(elements)[:, None], elements)  # g^-1 h
        taps = np.einsum("ocvgh,hvp->ogchp", weights[..., turn], frames, optimize=True)
    else:
        taps = np.einsum("ocv,hvp->ohcp" if sides == "lifting" else "ocv,hvp->ochp", weights, frames, optimize=True)
    Gout, Gin = (1 if sides == "projecting" else group.order), (1 if sides == "lifting" else group.order)
    return taps.reshape(weights.shape[0] * Gout, weights.shape[1] * Gin, kernel, kernel)


def fit(filter, group, sides):
    """The weights whose filter is nearest to the given one, and how much of it did not fit: |f - A w| / |f|.

    A weight acts in the frame of every element h; with the taps sorted by frame it is one least-squares problem with
    the same matrix (G P, V) for all weights, solved field by field to keep memory small.
    """
    G, kernel, elements = group.order, filter.shape[-1], np.arange(group.order)
    Gout, Gin = (1 if sides == "projecting" else G), (1 if sides == "lifting" else G)
    from_u = group.product(elements, group.inverse(elements)[:, None])  # [u,h] -> g = h u^-1, that is u = g^-1 h
    matrix = basis(group, kernel).transpose(0, 2, 1).reshape(G * kernel**2, -1)
    inverse = np.linalg.pinv(matrix, rcond=1e-6).T  # directions that the pixels cannot tell apart get no weight
    weights, missed, size = [], 0.0, 0.0
    for field in np.split(filter, filter.shape[0] // Gout):
        field = field.astype(float)
        taps = field.reshape(Gout, -1, Gin, kernel**2).swapaxes(0, 1)  # (Ci,Gout,Gin,P)
        taps = taps[:, from_u, elements] if sides == "regular" else taps.reshape(-1, 1, G, kernel**2)
        found = (taps.reshape(*taps.shape[:2], -1) @ inverse).swapaxes(1, 2)[None]  # (1,Ci,V,u)
        weights.append(found if sides == "regular" else found[..., 0])
        missed += np.sum((field - expand(weights[-1], group, kernel, sides)) ** 2)
        size += np.sum(field**2)
    return np.concatenate(weights), np.sqrt(missed / size) if size else 0.0
